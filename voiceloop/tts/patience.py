"""How long a voice is waited for. Pure."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Given", "Patience"]

EARLY = 0.002
"""Seconds by which a timer may fire before its time."""


class Given(Protocol):
    """The text that a voice gets, as far as patience with it goes."""

    given: list[str]
    """The pieces it got so far."""
    given_at: float
    """When it got the last of them, seconds."""
    waiting: bool
    """Whether it asks for text that is not written yet."""


class Patience:
    """With a voice, until its next piece of speech.

    One that waits for text is not stalled, unless it got some and says nothing for long.

    Args:
        stall: seconds without speech once all text was handed over.
        most: seconds without speech while text was handed over and more is still to come.
        given: pieces of text it had got before.
    """

    def __init__(self, stall: float, most: float, given: int) -> None:
        self.limit = stall
        """Seconds to wait now."""
        self._stall = stall
        self._most = most
        self._given = given
        self._waited = 0.0

    def goes_on(self, script: Given, now: float) -> bool:
        """It was waited for `limit` seconds in vain: whether to wait on, again for `limit`."""
        self.limit = self._stall
        more = len(script.given) > self._given
        since = now - script.given_at
        if more and not script.waiting and since < self._stall - EARLY:
            self.limit -= since  # the last of the text came late, behind a tool: the voice has its time from there
            return True
        if more:
            self._waited += self._stall
        return script.waiting and self._waited < self._most
