"""The audio that went to the carrier lately, each piece with its time: where what is heard meets what is played. Pure.

It hangs on the call, since those who play and those who hear stand at the two ends of a pipeline. Times are those of
sending: when a sample would be heard at a carrier without delay, seconds on the loop's clock. News of it, an echo too,
reaches the call `round_trip` later.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

__all__ = ["Played"]

RATE: Final = 8000
SILENCE: Final = b"\xff"
KEPT: Final = 5 * RATE
"""Bytes that are kept at least: 5 s, of which one at most (`PlayoutOptions.lead`) is still to be played."""
PIECES: Final = 1000
"""Pieces that are kept at most: 5 s in messages of 5 ms."""
LATE: Final = 0.04
"""Seconds of sound behind a clear that are kept: the carrier plays to the end of the block it is at."""


class Played:
    """What was played, as far back as an echo may come from."""

    __slots__ = ("_pieces", "_size", "end", "returns", "round_trip")

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, bytes]] = deque()  # by time, none over another
        self._size = 0
        self.end = -math.inf
        """When the last sound that was sent ends, seconds of sending."""
        self.returns = False
        """Whether this line is known to bring it back. Set by who hears that."""
        self.round_trip = 0.0
        """From sending to the news that it was played, into an empty buffer, seconds: as measured, or a guess."""

    def sent(self, at: float, audio: bytes, round_trip: float) -> None:
        """A piece went to the carrier.

        Args:
            at: when its first sample would be played by a carrier without delay, seconds.
            audio: mu-law, 8000 Hz.
            round_trip: as known now, seconds.
        """
        self.round_trip = round_trip
        if not audio:
            return
        if at < self.end:
            self._cut(at)
        self._pieces.append((at, audio))
        self._size += len(audio)
        self.end = at + len(audio) / RATE
        while self._size - len(self._pieces[0][1]) >= KEPT or len(self._pieces) > PIECES:
            self._size -= len(self._pieces.popleft()[1])

    def cleared(self, at: float) -> None:
        """What was sent before and not played by then was taken back."""
        self._cut(at + LATE)

    def between(self, start: float, end: float) -> bytes:
        """What was played from a time to another, seconds of sending; silence where nothing was.

        Returns: mu-law, 8000 Hz, as long as asked for, to the nearest sample.
        """
        size = max(0, round((end - start) * RATE))
        parts: list[bytes] = []
        filled = size  # from here on it is known
        for at, audio in reversed(self._pieces):
            first = round((at - start) * RATE)
            last = first + len(audio)
            if last <= 0:
                break
            if first >= filled:
                continue
            if last < filled:
                parts.append(SILENCE * (filled - last))
            parts.append(audio[max(0, -first) : max(0, filled - first)])
            filled = max(0, first)
        parts.append(SILENCE * filled)
        parts.reverse()
        return b"".join(parts)

    def _cut(self, at: float) -> None:
        """Take back what lies behind a time."""
        pieces = self._pieces
        while pieces and self.end > at:
            begin, audio = pieces.pop()
            self._size -= len(audio)
            rest = audio[: max(0, round((at - begin) * RATE))]
            if rest:
                pieces.append((begin, rest))
                self._size += len(rest)
            last, audio = pieces[-1] if pieces else (-math.inf, b"")
            self.end = last + len(audio) / RATE
            if rest:
                return
