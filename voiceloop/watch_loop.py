"""The watchdog over the event loop: whatever holds it stops every call of the process.

A heartbeat on the loop notices when it comes late. On a loop in real time a thread looks meanwhile what runs there, so
that it can be named; in virtual time the lateness is all there is to know. One watch for each loop, from the first
call that has a voice to the last. The log is told once, and the calls a few at a time: telling all of hundreds at once
would hold the loop again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType
from typing import ClassVar, Final, Protocol
from weakref import WeakKeyDictionary

from voiceloop.wallclock import perf_counter
from voiceloop.watch_garbage import GarbageWatch
from voiceloop.watch_stack import Sighting, blame, collector, look

__all__ = ["Held", "LoopWatch", "Member"]

log = logging.getLogger("voiceloop.loop")

BEAT: Final = 0.1
"""Seconds between two heartbeats: by so much a hold is told shorter than it was, at most."""
LOGGED: Final = 0.25
"""From so many seconds on a hold is logged."""
PAUSE: Final = 5.0
"""Seconds between two lines of the log."""
AT_ONCE: Final = 10
"""Members that are told of a hold before the loop goes on; the next ones are in its next round."""
_MOST: Final = 20
"""Sightings kept of one hold."""
_LONGEST: Final = 60.0
"""Seconds that the thread waits, at most: the limit is infinite for a moment when the last member leaves."""


@dataclass(frozen=True, slots=True)
class Held:
    """The loop was held."""

    seconds: float
    """How long nothing could run, at least."""
    by: Sighting | None
    """What held it; None when that is not known."""

    def __str__(self) -> str:
        if self.by is None:
            return f"something held the event loop for {self.seconds:.2f} s: nothing else could run"
        return f"{self.by.where} held the event loop for {self.seconds:.2f} s: nothing else could run. {self.by.advice}"


class Member(Protocol):
    """A call, as far as the watch goes."""

    held_limit: float
    """From how long on it wants to be told, seconds. Stays as it is while the member is one."""

    def loop_held(self, held: Held) -> None:
        """The loop was held for longer than that."""


class LoopWatch:
    """Watches one event loop. Get it by `join`."""

    _watches: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWatch]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._members: dict[Member, float] = {}
        self._limits: dict[float, int] = {}  # and how many members have each: few are different
        self._limit = math.inf
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._interval = BEAT
        self._virtual = bool(getattr(loop, "virtual_time", False))
        self._stop: threading.Event | None = None
        self._garbage = GarbageWatch()
        self._log = _Log()
        # Shared with the thread; each is one reference that is read or replaced.
        self._beat_at = 0.0
        self._sightings: list[Sighting] = []
        self._base: CodeType | None = None

    @classmethod
    def join(cls, member: Member) -> LoopWatch:
        """Watch the running loop for this member, until it `leave`s."""
        loop = asyncio.get_running_loop()
        watch = cls._watches.get(loop)
        if watch is None:
            watch = cls._watches[loop] = cls(loop)
        if member not in watch._members:
            limit = watch._members[member] = member.held_limit
            watch._limits[limit] = watch._limits.get(limit, 0) + 1
            watch._set_limit()
        if watch._handle is None:
            watch._begin(loop)
        return watch

    def leave(self, member: Member) -> None:
        """This member needs it no more. Harmless when said twice."""
        limit = self._members.pop(member, None)
        if limit is None:
            return
        self._limits[limit] -= 1
        if not self._limits[limit]:
            del self._limits[limit]
            self._set_limit()
        if not self._members:
            self._end()

    def _set_limit(self) -> None:
        self._limit = min(self._limits, default=math.inf)
        self._interval = self._limit / 2 if self._virtual else min(BEAT, self._limit / 2)

    # --- the heart -----------------------------------------------------------------------------------------

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sightings = []
        if not self._virtual:
            self._stop = threading.Event()
            arguments = (self._stop, loop, threading.get_ident())
            threading.Thread(target=self._look_on, args=arguments, name="voiceloop watch", daemon=True).start()
            self._garbage.begin()
        self._schedule(loop, loop.time())

    def _end(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.cancel()
        if self._stop is not None:
            self._stop.set()
            self._stop = None
            self._garbage.end()

    def _schedule(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self._beat_at = perf_counter()
        self._due = now + self._interval
        self._handle = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        caller = sys._getframe().f_back
        self._base = None if caller is None else caller.f_code
        now = loop.time()
        late = now - self._due
        sightings, self._sightings = self._sightings, []
        collecting, generation = self._garbage.take()
        self._schedule(loop, now)
        if late >= self._limit:
            held = Held(late, collector(generation) if collecting >= late / 2 else blame(sightings))
            self._log.tell(held, now)
            self._tell(loop, held, [member for member, limit in self._members.items() if late >= limit])

    def _tell(self, loop: asyncio.AbstractEventLoop, held: Held, members: Sequence[Member]) -> None:
        for member in members[:AT_ONCE]:
            if member in self._members:
                member.loop_held(held)
        if rest := members[AT_ONCE:]:
            loop.call_soon(self._tell, loop, held, rest)

    # --- the thread ----------------------------------------------------------------------------------------

    def _look_on(self, stop: threading.Event, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        """Look at the loop's thread whenever its heart is late by half the limit, and then again and again."""
        wait = min(self._limit / 2, _LONGEST)
        while not stop.wait(wait):
            if loop.is_closed():  # and some member has not left
                self._handle = None  # it holds the loop
                self._garbage.end()
                return
            patience = min(self._limit / 2, _LONGEST)
            wait = self._beat_at + self._interval + patience - perf_counter()
            if wait > 0:
                continue
            wait = patience / 4
            sightings = self._sightings
            if len(sightings) < _MOST and (sighting := look(thread, self._base)) is not None:
                sightings.append(sighting)


class _Log:
    """Tells of holds, but not of each, where one follows the other."""

    def __init__(self) -> None:
        self._not_before = -math.inf
        self._untold = 0
        self._longest = 0.0

    def tell(self, held: Held, now: float) -> None:
        """The loop was held, at `now` on its clock."""
        if held.seconds < LOGGED:
            return
        if now < self._not_before:
            self._untold += 1
            self._longest = max(self._longest, held.seconds)
            return
        more = f" ({self._untold} more since the last line, {self._longest:.2f} s at most)" if self._untold else ""
        log.warning("%s%s", held, more)
        if held.by is not None and held.by.stack:
            log.debug("%s", held.by.stack)
        self._not_before, self._untold, self._longest = now + PAUSE, 0, 0.0
