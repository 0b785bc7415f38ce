"""The caller's audio of the last seconds, piece by piece where it was spoken. Pure."""

from __future__ import annotations

from typing import Final

from voiceloop.record.timeline import RATE

__all__ = ["Rolling"]

SILENCE: Final = b"\xff"
"""Mu-law zero."""
SNAP: Final = RATE // 100
"""Samples, 10 ms: a piece that begins this near to the end of the one before it follows it without a seam. A piece
that was lost is longer, and is silence."""


class Rolling:
    """Mu-law audio from one sample on.

    Args:
        first: where it begins, in samples since the clock's zero.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._audio = bytearray()

    @property
    def end(self) -> int:
        """The sample behind the last one that is there."""
        return self._first + len(self._audio)

    def put(self, at: int, audio: bytes) -> None:
        """Lay audio at a sample. It never lies over what is there, for what came first was spoken first."""
        gap = at - self.end
        if gap > SNAP:
            self._audio += SILENCE * gap
        elif at + len(audio) <= self._first:
            return  # from before the beginning
        self._audio += audio

    def blank(self, first: int, until: int) -> None:
        """Put silence in the place of what is there from one sample to another."""
        begin, end = max(first, self._first) - self._first, min(until, self.end) - self._first
        if begin < end:
            self._audio[begin:end] = SILENCE * (end - begin)

    def take(self, until: int) -> bytearray:
        """All before a sample, and forget it; silence where nothing came."""
        size = until - self._first
        taken = self._audio[:size]
        del self._audio[:size]
        taken += SILENCE * (size - len(taken))
        self._first = until
        return taken
