"""How late outbound audio leaves, over all calls of a process, lately.

Each call sends audio ahead of real time by a lead. When it sends more, it knows how much the carrier still has to play
(the margin) and by how much it comes too late for that. Both say how near a process is to being heard.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["PacingGauge"]

SLICE: Final = 0.5
"""Seconds that are summed up in one."""
SLICES: Final = 10
"""Of these the last so many count: 5 s."""


class PacingGauge:
    """The worst of the last five seconds. Times are those of the loop's clock, seconds."""

    __slots__ = ("_counts", "_lates", "_margins", "_numbers", "holes", "sent")

    def __init__(self) -> None:
        self._numbers = [-1] * SLICES  # which slice of time each of these was
        self._margins = [math.inf] * SLICES
        self._lates = [0.0] * SLICES
        self._counts = [0] * SLICES
        self.sent = 0
        """How often audio was sent because it was due, in all."""
        self.holes = 0
        """How often that came too late, in all: the carrier had nothing left to play."""

    def note(self, now: float, margin: float, late: float) -> None:
        """A call sends more of what it has to say.

        Args:
            now: seconds.
            margin: audio that the carrier still has to play, seconds; 0 or less when it has run out. Infinite when
                that tells nothing of this process: the voice itself has given no more.
            late: how long ago this was due, seconds.
        """
        number = int(now * 2)
        index = number % 10
        if self._numbers[index] != number:
            self._numbers[index], self._margins[index] = number, margin
            self._lates[index], self._counts[index] = late, 1
        else:
            self._counts[index] += 1
            if margin < self._margins[index]:
                self._margins[index] = margin
            if late > self._lates[index]:
                self._lates[index] = late
        self.sent += 1
        if margin <= 0:
            self.holes += 1

    def worst_margin(self, now: float) -> float:
        """The least that a carrier had left to play when more was sent, seconds; infinite when nothing was."""
        return min((self._margins[index] for index in self._recent(now)), default=math.inf)

    def worst_late(self, now: float) -> float:
        """The longest that audio left after it was due, seconds; 0 when nothing was sent."""
        return max((self._lates[index] for index in self._recent(now)), default=0.0)

    def count(self, now: float) -> int:
        """How often audio was sent because it was due."""
        return sum(self._counts[index] for index in self._recent(now))

    def _recent(self, now: float) -> list[int]:
        oldest = int(now * 2) - SLICES
        return [index for index, number in enumerate(self._numbers) if number > oldest]
