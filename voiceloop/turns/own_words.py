"""The agent's own words in what was recognised: taken out before anybody reads them as the caller's. Pure."""

from __future__ import annotations

from typing import Final

from voiceloop.conversation import Conversation
from voiceloop.turns.echo_words import is_echo, without_echo

__all__ = ["OwnWords"]

LASTS: Final = 2.5
"""Seconds after the agent was heard last in which its words may still be recognised."""
BEFORE: Final = 25
"""Words of an answer, the last ones heard, that may be in what is recognised now."""
AFTER: Final = 6
"""Words behind these that may be as well: what was heard is known a round trip late."""


class OwnWords:
    """Remembers when the agent was heard last."""

    def __init__(self) -> None:
        self._heard: float | None = None

    def sounds(self, now: float) -> None:
        """The agent is heard, or was a moment ago."""
        self._heard = now

    def taken_out(self, text: str, now: float, conversation: Conversation, *, speech: bool, returns: bool) -> str:
        """What of a transcript is the caller's.

        Args:
            text: as recognised.
            now: seconds.
            conversation: of the call; its last answer is what may come back.
            speech: whether speech of the caller was detected.
            returns: whether this line is known to bring the agent's voice back.
        """
        if not text or self._heard is None or now - self._heard > LASTS or (speech and not returns):
            return text
        last = next((message for message in reversed(list(conversation)) if message.role == "assistant"), None)
        if last is None:
            return text
        played = " ".join([*last.text.split()[-BEFORE:], *last.unheard.split()[:AFTER]])
        if is_echo(text, played, certain_silence=not speech):
            return ""
        return without_echo(text, played)
