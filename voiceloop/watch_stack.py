"""What holds the event loop: the stack of its thread, read from another one while it is held.

Nothing of a stack is kept but text and weak references: a frame holds everything that its function knows.
"""

from __future__ import annotations

import sys
import sysconfig
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from voiceloop.engine import Engine
from voiceloop.processor import Processor

__all__ = ["Sighting", "blame", "collector", "look"]

_PACKAGE: Final = str(Path(__file__).parent) + "/"
_INSTALLED: Final = tuple(
    {sysconfig.get_paths()[name].rstrip("/") + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_DEEPEST = 200
"""Frames of a stack that are looked at."""
_SHOWN = 15
"""Frames of a stack that are told."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What ran when somebody looked."""

    where: str
    """Function, file and line: ``PriceBoard.on_turn (shop.py:41)``."""
    who: str
    """The function alone: by this sightings are compared, for the line goes on."""
    stack: str = ""
    """The innermost frames, one a line, innermost first."""
    engine: weakref.ref[Engine] | None = None
    """Of the call that it worked for, if that can be told."""
    advice: str = "Use await offload() for work that takes its time"
    """What helps."""


def blame(sightings: Sequence[Sighting]) -> Sighting | None:
    """Who held the loop, when most sightings agree on it. None when it was many things one after the other, or when
    nobody could look (the whole process stood still)."""
    if not sightings:
        return None
    who, count = Counter(sighting.who for sighting in sightings).most_common(1)[0]
    if count * 2 <= len(sightings):
        return None
    return next(sighting for sighting in reversed(sightings) if sighting.who == who)


def collector(generation: int) -> Sighting:
    """The garbage collector, which stops everything."""
    return Sighting(
        where=f"garbage collection (generation {generation})",
        who="garbage collection",
        advice="voiceloop serve sets aside what is there before the first call; elsewhere gc.freeze() does",
    )


def look(thread: int, base: CodeType | None = None) -> Sighting | None:
    """What runs in a thread now; None when it has ended.

    Args:
        base: of the frame that the event loop runs its callbacks from; what lies beyond it has only started the loop.
            None: that of asyncio's own.
    """
    innermost = sys._current_frames().get(thread)
    if innermost is None:
        return None
    frames = list(_frames(innermost, base))
    try:
        return _sighting(frames)
    finally:
        frames.clear()
        del innermost


def _frames(frame: FrameType | None, base: CodeType | None) -> Iterator[FrameType]:
    """From the innermost frame to the one that the event loop called."""
    for _ in range(_DEEPEST):
        if frame is None or (_runs_loop(frame.f_code) if base is None else frame.f_code is base):
            return
        yield frame
        frame = frame.f_back


def _runs_loop(code: CodeType) -> bool:
    """Whether it is asyncio's own part of the stack: where a loop is compiled, as uvloop's, that is its runner."""
    ours = ("_run", "asyncio/events.py"), ("run", "asyncio/runners.py")
    return any(code.co_name == name and code.co_filename.endswith(file) for name, file in ours)


def _sighting(frames: list[FrameType]) -> Sighting | None:
    if not frames:
        return None
    owners = [_owner(frame) for frame in frames]
    theirs = [not frame.f_code.co_filename.startswith((_PACKAGE, *_INSTALLED, "<")) for frame in frames]
    # Best the stage that somebody wrote, then any function of theirs, then a stage of the library.
    ranks = (
        [own and isinstance(owner, Processor) for own, owner in zip(theirs, owners, strict=True)],
        theirs,
        [isinstance(owner, Processor) for owner in owners],
        [True],
    )
    culprit = next(frames[rank.index(True)] for rank in ranks if True in rank)
    engine = next((found for owner in owners if (found := _engine(owner)) is not None), None)
    who = culprit.f_code.co_qualname.rpartition("<locals>.")[2]
    return Sighting(
        where=f"{who} ({_place(culprit)})",
        who=f"{who} {culprit.f_code.co_filename}",
        stack="\n".join(f"{_place(frame)} in {frame.f_code.co_qualname}" for frame in frames[:_SHOWN]),
        engine=None if engine is None else weakref.ref(engine),
    )


def _owner(frame: FrameType) -> object:
    """The object whose method a frame runs, if that tells anything."""
    code = frame.f_code
    if code.co_varnames[:1] != ("self",) or code.co_filename.startswith("<"):
        return None
    try:
        return frame.f_locals.get("self")
    except RuntimeError:  # the function goes on while it is looked at
        return None


def _engine(owner: object) -> Engine | None:
    if isinstance(owner, Engine):
        return owner
    return owner._engine if isinstance(owner, Processor) else None


def _place(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
