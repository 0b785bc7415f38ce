"""What an endpointing that listens is given to hear. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from voiceloop.turns.endpointing import Endpointing

__all__ = ["Ear"]

RATE: Final = 8000


class Ear:
    """Keeps the caller's latest audio.

    Args:
        endpointing: one whose `listens` is above 0.
    """

    def __init__(self, endpointing: Endpointing) -> None:
        self._endpointing = endpointing
        self._size = round(endpointing.listens * RATE)
        self._audio = bytearray()
        self.cost = endpointing.costs
        """Seconds that a judgement takes in virtual time."""

    def hear(self, audio: bytes) -> None:
        """The next piece of audio, mu-law."""
        self._audio += audio
        if len(self._audio) > 2 * self._size:  # seldom: it moves what is kept
            del self._audio[: len(self._audio) - self._size]

    def judgement(self) -> Callable[[], float]:
        """What to run off the event loop: says how likely the caller is done, 0 to 1."""
        return partial(self._endpointing.judge, bytes(self._audio[-self._size :]))
