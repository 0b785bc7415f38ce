"""What the library itself says to a caller. One table, replaceable as a whole or phrase by phrase."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Phrases"]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The built-in phrases, in English. Plain speech, short sentences."""

    apology: str = "Sorry, something went wrong. Could you say that again?"
    """After an answer failed."""
    not_understood: str = "Sorry, I didn't catch that."
    """After speech that could not be recognised."""
    still_there: str = "Are you still there?"
    """After the caller was silent for a while."""
    goodbye: str = "Goodbye."
    """Before a polite end."""
    failed: str = "Sorry, I have a technical problem. Please call again later. Goodbye."
    """Before the call is given up."""

    def all(self) -> tuple[str, ...]:
        """Every phrase, so that they can be rendered ahead."""
        return (self.apology, self.not_understood, self.still_there, self.goodbye, self.failed)
