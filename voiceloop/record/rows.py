"""The rows of a picture's time axis: where they begin, and where in them things lie. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np

from voiceloop.record.scene import Cut, cuts, waits
from voiceloop.record.timeline import Timeline, TimelineEvent

__all__ = ["GUTTER", "MARGIN", "Row", "row_breaks"]

MARGIN: Final = 20.0
"""Layout pixels around everything."""
GUTTER: Final = 54.0
"""Layout pixels for the names of the voices."""
STRETCH: Final = 1.12
"""How much longer than others the last row may be, so that it holds no mere rest."""


def row_breaks(timeline: Timeline, start: float, end: float, longest: float) -> list[float]:
    """Where rows begin, and the end of the last: where a break hurts least, in the last two fifths of a row."""
    spoken = sorted((word.start, word.end) for word in timeline.words)
    costs = [(turn.started - 0.2, turn.ended + 0.1, 3.0) for turn in timeline.turns]
    costs += [(turn.started - 0.2, turn.started + 2.0, 2.0) for turn in timeline.turns]  # its text needs room
    costs += [(wait.start, wait.end + 0.1, 6.0) for wait in waits(timeline)]
    costs += [(span.start, span.end + 0.2, 2.0) for answer in timeline.answers for span in answer.sounds]
    costs += [(word_start - 0.05, word_end, 4.0) for word_start, word_end in spoken]
    costs += [(cut.at - 0.5, cut.at + 2.0, 4.0) for cut in cuts(timeline)]
    edges = [start]
    while end - edges[-1] > longest * STRETCH:
        times = edges[-1] + longest * np.arange(100, 59, -1) / 100
        total = np.arange(41) * 0.05  # of equal places the last
        for cost_start, cost_end, cost in costs:
            if cost_start < times[0] and cost_end > times[-1]:
                total += cost * ((times > cost_start) & (times < cost_end))
        edges.append(float(times[np.argmin(total)]))
    return [*edges, max(end, start + 0.01)]


@dataclass(slots=True)
class Row:
    """A stretch of the axis, and what happens in it."""

    start: float
    end: float
    scale: float
    """Layout pixels a second."""
    cuts: list[Cut] = field(default_factory=list)
    moments: list[TimelineEvent] = field(default_factory=list)
    top: float = 0.0

    # Where the lanes begin, from the row's top.
    said: ClassVar = 16.0
    caller: ClassVar = 50.0
    wait: ClassVar = 106.0
    agent: ClassVar = 144.0
    words: ClassVar = 201.0
    cut: ClassVar = 233.0

    @property
    def notes(self) -> float:
        return self.cut + (18 if self.cuts else 0)

    @property
    def height(self) -> float:
        return self.notes + (18 if self.moments else 0)

    @property
    def right(self) -> float:
        return self.x(self.end)

    def x(self, at: float) -> float:
        return GUTTER + MARGIN + (min(max(at, self.start), self.end) - self.start) * self.scale

    def meets(self, start: float, end: float) -> bool:
        return end > self.start and start < self.end

    def holds(self, at: float) -> bool:
        return self.start <= at < self.end
