"""Measures the load of the running event loop: one heartbeat for the process.

In virtual time it measures nothing: the load there is what a test says it is.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from voiceloop.offload import in_virtual_time
from voiceloop.server.cores import available_cores
from voiceloop.server.load import Load, LoadFigures, LoadOptions
from voiceloop.wallclock import process_time, thread_time
from voiceloop.watch_loop import Held, LoopWatch

__all__ = ["LoadGauge", "Paced"]

log = logging.getLogger("voiceloop.phone")

BEAT: Final = 0.05
"""Seconds between two heartbeats. With the watch over the loop that is 0.35 % of a core, however many the calls."""
SLOT: Final = 0.25
"""Seconds between two looks at everything else."""
TELL: Final = 10.0
"""Seconds between two lines that tell of the load, at least."""
_PLACES: Final = 40
"""Places that are told apart where the loop was held."""
_LINE: Final = re.compile(r" \((.+?)(?::\d+)?\)$")


class Paced(Protocol):
    """Tells how outbound audio goes: `voiceloop.pacing_gauge.PacingGauge`."""

    def worst_margin(self, now: float) -> float:
        """The least that a carrier had left to play, seconds."""

    def worst_late(self, now: float) -> float:
        """The longest that audio was late, seconds."""


class LoadGauge:
    """The load of this process, from `start` to `stop`.

    Args:
        options: when it is busy.
        most: calls that are taken at most, whatever the load.
        pacing: gives what tells how outbound audio goes, if anything does.
    """

    held_limit = 0.1
    """Seconds that the loop is held from which on it is counted where. For `LoopWatch`."""

    def __init__(
        self, options: LoadOptions, *, most: int = 1_000_000, pacing: Callable[[], Paced | None] = lambda: None
    ) -> None:
        self.load = Load(options)
        """What decides. In virtual time a test feeds it."""
        self.workers = 1
        """Processes that share the cores of this one."""
        self.held: Counter[str] = Counter()
        """How often the loop was held for 100 ms or more, by where: ``PriceBoard.on_turn shop.py``."""
        self.held_milliseconds: Counter[str] = Counter()
        """For how long, milliseconds."""
        self.on_level: list[Callable[[bool, str], object]] = []
        """Each is called when the process becomes busy, and when it is free again, with why; every 10 s at most."""
        self._most = most
        self._pacing = pacing
        self._cores = options.cores
        self._timer: asyncio.TimerHandle | None = None
        self._watch: LoopWatch | None = None
        self._due = self._looked = 0.0
        self._thread = self._process = 0.0
        self._told, self._told_at = False, -math.inf

    def start(self) -> None:
        """Measure the running loop from now on. Harmless when it does already, and in virtual time."""
        if self._timer is not None or in_virtual_time():
            return
        loop = asyncio.get_running_loop()
        if self._cores is None:
            self._cores = available_cores()
        self._looked = loop.time()
        self._thread, self._process = thread_time(), process_time()
        self._watch = LoopWatch.join(self)
        self._schedule(loop, self._looked)

    def stop(self) -> None:
        """Measure no more. Harmless when it does not."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._watch is not None:
            self._watch.leave(self)
            self._watch = None

    # --- the heart -----------------------------------------------------------------------------------------

    def _schedule(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self._due = now + BEAT
        self._timer = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late = now - self._due
        self._schedule(loop, now)  # first: it goes on whatever fails, and ends when `stop` is said below
        self.load.beat(now, late)
        if (span := now - self._looked) >= SLOT - BEAT / 2:
            self._measure(now, span)
            self.look()

    def _measure(self, now: float, span: float) -> None:
        thread, process = thread_time(), process_time()
        cores = (self._cores or 1.0) / self.workers
        self.load.ran(now, span, thread - self._thread, (process - self._process) / cores)
        self._thread, self._process, self._looked = thread, process, now
        if (pacing := self._pacing()) is not None:
            self.load.sent(pacing.worst_margin(now), pacing.worst_late(now))

    def look(self) -> bool:
        """Whether the process is busy; whoever wants to be told is told."""
        now = _now()
        busy = self.load.look(now)
        if busy != self._told and now - self._told_at >= TELL:
            self._told, self._told_at = busy, now
            for tell in list(self.on_level):
                try:
                    tell(busy, self.load.why)
                except Exception:  # neither the heart nor whoever asks stops for that
                    log.exception("on_level failed")
        return busy

    def loop_held(self, held: Held) -> None:
        """The loop was held. For `LoopWatch`."""
        where = place(held.by.where) if held.by is not None else "unknown"
        if where not in self.held and len(self.held) >= _PLACES:
            where = "other"
        self.held[where] += 1
        self.held_milliseconds[where] += round(held.seconds * 1000)

    # --- the calls -----------------------------------------------------------------------------------------

    def refusal(self, call_sid: str) -> str:
        """Why one more call is not taken; empty when it is, and when this very call was let in already."""
        now = _now()
        return "" if self.load.expects(call_sid, now) else self.load.refusal(now)

    def has_spare(self, ringing: int = 0) -> bool:
        """Whether somebody may be called, while so many telephones ring already."""
        return self.load.has_spare(_now(), ringing)

    def awaited(self, call_sid: str) -> int:
        """How many calls were let in and are not on the line yet, but for this one."""
        return self.load.awaited(call_sid, _now())

    def expect(self, call_sid: str) -> None:
        """A call was let in."""
        self.load.expect(call_sid, _now())

    def forget(self, call_sid: str) -> None:
        """It will not come. Harmless when it was not let in."""
        self.load.forget(call_sid)

    def began(self, call_sid: str) -> None:
        """A call is on the line."""
        self.load.began(call_sid, _now())

    def ended(self, call_sid: str) -> None:
        """It is no more."""
        self.load.ended(call_sid)

    # --- what is told --------------------------------------------------------------------------------------

    @property
    def pressure(self) -> float:
        """How near to its limits the process is: 0 is idle, 1 is busy."""
        return self.load.pressure(_now())

    def figures(self) -> LoadFigures:
        """What the gauges show."""
        figures = self.load.figures(_now())
        return replace(figures, capacity=min(figures.capacity, self._most))


def place(where: str) -> str:
    """Function and file, without the line: ``PriceBoard.on_turn shop.py`` of ``PriceBoard.on_turn (shop.py:41)``."""
    return _LINE.sub(r" \1", where).replace("<", "").replace(">", "")


def _now() -> float:
    return asyncio.get_running_loop().time()
