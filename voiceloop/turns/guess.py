"""A guess at what the caller's turn will be, on which an answer is begun before it is certain. Pure."""

from __future__ import annotations

from voiceloop.turns.said import words_of

__all__ = ["Guess"]


class Guess:
    """The guesses of one turn: at most one of them stands."""

    def __init__(self) -> None:
        self.at: float | None = None
        """When the one that stands was made, seconds; None when none stands."""
        self.count = 0
        """How many were made."""
        self._words: list[str] = []

    def make(self, text: str, now: float) -> None:
        """The turn will be this."""
        self.at, self._words = now, words_of(text)
        self.count += 1

    def is_of(self, text: str) -> bool:
        """Whether one stands and says the same, however it is written."""
        return self.at is not None and words_of(text) == self._words

    def forget(self) -> bool:
        """It was wrong. Returns whether one stood."""
        stood, self.at = self.at is not None, None
        return stood
