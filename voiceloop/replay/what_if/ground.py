"""Where a what-if leaves what was recorded: from there on it is an assumption, or not known at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import zip_longest
from typing import Any

from voiceloop.replay.difference import WIDTH

__all__ = ["Departure", "Ground", "Standing"]


class Standing(Enum):
    """How far something is covered by the recording."""

    RECORDED = "recorded"
    """It is in the recording as it stands."""
    NEAR = "near"
    """The same but for how much of an answer had been heard, or how the caller's words are written: what was recorded
    is taken."""
    STAND_IN = "stand-in"
    """It is not in the recording; something stands in for it, so that the call can go on."""
    UNKNOWN = "unknown"
    """It is not in the recording, and nothing can stand in for it."""


_ORDER = list(Standing)


@dataclass(slots=True)
class Departure:
    """One place where the ground was left."""

    at: float
    """Seconds since the call began."""
    standing: Standing
    what: str
    """In a line."""
    recorded: str = ""
    """What the recording has, beside `today`; empty where there is nothing to compare."""
    today: str = ""
    turn: float | None = None
    """Of the turn it is about: when the caller's last word ended, seconds on the loop's clock."""
    withdrawn: bool = False
    """True when it came to nothing: the caller went on before anything of it could be heard."""

    def __str__(self) -> str:
        tail = ". The caller went on before anything could be heard: nothing came of it" if self.withdrawn else ""
        line = f"at {self.at:.3f} s ({self.standing.value}): {self.what}{tail}"
        return "\n".join([line, *_columns(self.recorded, self.today)])

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "at": round(self.at, 3),
            "standing": self.standing.value,
            "what": self.what,
            "recorded": self.recorded,
            "today": self.today,
            "withdrawn": self.withdrawn,
        }


def _columns(recorded: str, today: str) -> Iterator[str]:
    """Two texts of as many lines beside each other, each pair of lines folded together."""
    if not (recorded or today):
        return
    yield f"  {'recorded':<{WIDTH}}  today"
    for one, other in zip_longest(recorded.splitlines(), today.splitlines(), fillvalue=""):
        for start in range(0, max(len(one), len(other), 1), WIDTH):
            yield f"  {one[start : start + WIDTH]:<{WIDTH}}  {other[start : start + WIDTH]}".rstrip()


@dataclass(slots=True)
class Ground:
    """All departures of one what-if.

    Args:
        zero: when the call began, seconds on the loop's clock.
    """

    zero: float
    departures: list[Departure] = field(default_factory=list)
    turn: float | None = None
    """The turn that was ended last; see `Departure.turn`."""

    def leave(self, at: float, standing: Standing, what: str, recorded: str = "", today: str = "") -> Departure:
        """Something is not as it was recorded; `at` in seconds on the loop's clock."""
        departure = Departure(at - self.zero, standing, what, recorded, today, self.turn)
        self.departures.append(departure)
        return departure

    def of_turn(self, ended: float) -> Standing:
        """How far the turn whose last word ended then is covered."""
        found = [each.standing for each in self.departures if each.turn == ended and not each.withdrawn]
        return max(found, key=_ORDER.index, default=Standing.RECORDED)
