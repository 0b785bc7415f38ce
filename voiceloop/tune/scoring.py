"""What a caller would have made of it: how often they were cut off, and how long they waited. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, nan
from statistics import fmean, median

from voiceloop.tune.clips import TrueTurn
from voiceloop.tune.driving import Ended

__all__ = ["Score", "score", "total"]


@dataclass(frozen=True, slots=True)
class Score:
    """Of one clip, or of several together."""

    cut_offs: int
    """Turns that were held to be over at least once while the caller went on."""
    turns: int
    waits: tuple[float, ...]
    """Seconds from the true end of each turn to when it was held to be over. Of a turn that was not held to be over
    before the next one began, up to that."""
    merged: int = 0
    """Turns that were not held to be over before the next one began."""
    missed: int = 0
    """Turns that were never held to be over: nothing was noticed or understood of them, or not of their end. They have
    no wait."""
    stray: int = 0
    """Turns made of what was no speech of the caller's."""

    @property
    def rate(self) -> float:
        """False cut-offs: the share of turns that were cut off at least once, 0 to 1."""
        return self.cut_offs / self.turns if self.turns else nan

    @property
    def median(self) -> float:
        """Of the waits, seconds; not a number when there is none."""
        return median(self.waits) if self.waits else nan

    @property
    def mean(self) -> float:
        """Likewise."""
        return fmean(self.waits) if self.waits else nan

    @property
    def p90(self) -> float:
        """The wait that nine of ten do not exceed, seconds."""
        return sorted(self.waits)[ceil(0.9 * len(self.waits)) - 1] if self.waits else nan


def score(ended: Sequence[Ended], turns: Sequence[TrueTurn]) -> Score:
    """Compare what was held to be a turn with what was one.

    Each end belongs to the turn that was going on, or was the last, when its last sample was spoken. It is a false
    cut-off when that turn was not over yet.
    """
    pieces: list[list[Ended]] = [[] for _ in turns]
    stray = 0
    for each in ended:
        begun = [index for index, turn in enumerate(turns) if turn.started <= each.ended]
        own = pieces[begun[-1]] if begun else None
        if own is None or (own and turns[begun[-1]].ended <= own[-1].ended < each.ended):
            stray += 1  # a noise before the first word, or after a turn that was over
        else:
            own.append(each)
    waits: list[float] = []
    merged = missed = 0
    for index, (turn, own) in enumerate(zip(turns, pieces, strict=True)):
        if own and own[-1].at >= turn.ended:
            waits.append(own[-1].at - turn.ended)
        elif not own and index + 1 < len(turns) and any(pieces[index + 1 :]):
            waits.append(turns[index + 1].started - turn.ended)
            merged += 1
        else:
            missed += 1
    cut_offs = sum(any(each.at < turn.ended for each in own) for turn, own in zip(turns, pieces, strict=True))
    return Score(cut_offs, len(turns), tuple(waits), merged, missed, stray)


def total(scores: Iterable[Score]) -> Score:
    """Several together."""
    scores = list(scores)
    sums = [sum(getattr(each, name) for each in scores) for name in ("cut_offs", "turns", "merged", "missed", "stray")]
    return Score(sums[0], sums[1], tuple(wait for each in scores for wait in each.waits), *sums[2:])
