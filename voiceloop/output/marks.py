"""Marks at the carrier, and how to tell the played ones from the flushed ones.

The carrier echoes a mark when everything before it was played, and on a clear it echoes all pending marks at once
(Twilio Media Streams, "Send a mark message", "Send a clear message"). On the wire both look the same. So a *fence*
mark is sent right behind every clear: into an empty buffer, hence echoed in the same burst as the flushed ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = ["Echo", "Mark", "MarkKind", "count_played"]

BURST = 0.010
"""Without sequence numbers, echoes this close before the fence, in seconds, came in its burst."""
BRIDGE = 0.005
"""One inbound media message may slip into a burst and take a number; echoes this close, in seconds, still belong."""
EARLY = 0.050
"""An echo may come this much before its computed time, in seconds: the carrier takes a frame of 20 ms from its buffer
at once, the smallest round trip seen may have waited for a frame too, and a little."""


class MarkKind(Enum):
    START = "s"
    PLACE = "w"
    END = "end"


@dataclass(slots=True)
class Mark:
    """A mark that was sent."""

    name: str
    kind: MarkKind
    key: int
    """The answer it belongs to."""
    position: int
    """Bytes of the answer's voice before it."""
    sent: float
    """When it was sent, seconds."""
    due: float
    """When it would be reached if messages took no time, seconds."""
    empty: bool
    """True when everything sent before it had been played: its echo then measures the round trip."""
    earliest: float = -math.inf
    """When its audio has been played at the earliest, seconds: unlike `due` this is not corrected by echoes."""
    early: bool = False
    """True when it, or one behind it, was echoed before it can have been played: its echo will not come again."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A mark's echo."""

    sequence: int
    """The carrier's number, from 1; 0 when it gave none."""
    at: float
    """When it came, seconds."""


def count_played(
    marks: Sequence[Mark], echoes: Mapping[str, Echo], fence: Echo | None, cleared: float, round_trip: float
) -> int:
    """How many of the marks that were pending when a clear was sent had been played when it took effect.

    Inbound media takes a sequence number every 20 ms. So a mark played in its own time is, as a rule, some numbers
    away from the burst of the clear. One played within the very frame of the clear is not, and is taken for flushed:
    one word behind, never ahead.

    Args:
        marks: in the order they were sent. Of those that were echoed too early, or not at all when the fence was not
            either, the times of sending decide.
        echoes: those that came since, by name. A mark without one was played if a later mark was.
        fence: its echo; None when it never came. Then a mark also has to be one that by the times of sending
            was played when the clear was sent.
        cleared: when the clear was sent, seconds.
        round_trip: the smallest that was measured, seconds; 0 when none was. An echo that comes sooner than its
            audio can have been played is a flushed one, whatever its number.
    """
    echoed = [(index, mark, echoes[mark.name]) for index, mark in enumerate(marks) if mark.name in echoes]
    numbered = all(echo.sequence > 0 for _, _, echo in echoed) and (fence is None or fence.sequence > 0)
    played, burst, flushed = 0, fence, len(marks)
    later: tuple[Mark, Echo] | None = None
    for index, mark, echo in reversed(echoed):
        early = echo.at < mark.due + round_trip - EARLY
        together = burst is not None and _together(echo, burst, numbered=numbered)
        crowded = numbered and later is not None and _crowded(mark, echo, *later)
        if early or together or crowded or (fence is None and mark.due > cleared):
            played, burst, flushed = 0, echo, index  # a queue: nothing behind a flushed mark was played
        elif not played:
            played = index + 1
        later = mark, echo
    clocked = (index for index in range(flushed - 1, -1, -1) if _by_clock(marks[index], fence, cleared))
    return max(played, next(clocked, -1) + 1)


def _by_clock(mark: Mark, fence: Echo | None, cleared: float) -> bool:
    """Whether the times of sending decide, and say that a mark was played: its echo came too early, and will not come
    again; or nothing was echoed in all the time that the fence was waited for, so that echoes are lost."""
    return (mark.early or fence is None) and max(mark.due, mark.earliest) + EARLY <= cleared


def _crowded(mark: Mark, echo: Echo, later_mark: Mark, later: Echo) -> bool:
    """Whether no media came between two echoes although it takes frames to play from one mark to the other: then at
    least the later one was flushed, however late the fence is."""
    return later.sequence - echo.sequence <= 1 and later_mark.due - mark.due > EARLY


def _together(echo: Echo, later: Echo, *, numbered: bool) -> bool:
    """Whether an echo came in the same burst as a later one."""
    apart = later.at - echo.at
    if not numbered:
        return apart <= BURST
    step = later.sequence - echo.sequence
    return step <= 1 or (step == 2 and apart <= BRIDGE)
