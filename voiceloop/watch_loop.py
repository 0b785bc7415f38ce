"""The watchdog over the event loop: whatever holds it stops every call of the process.

A heartbeat on the loop notices when it comes late. On a loop in real time a thread looks meanwhile what runs there, so
that it can be named; in virtual time the lateness is all there is to know. One watch for each loop, from the first
call that has a voice to the last.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol
from weakref import WeakKeyDictionary

from voiceloop.wallclock import perf_counter
from voiceloop.watch_stack import Sighting, blame, look

__all__ = ["Held", "LoopWatch", "Member"]

BEAT: Final = 0.1
"""Seconds between two heartbeats: by so much a hold is told shorter than it was, at most."""
_MOST: Final = 20
"""Sightings kept of one hold."""


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
        return (
            f"{self.by.where} held the event loop for {self.seconds:.2f} s: nothing else could run. "
            f"Use await offload() for work that takes its time"
        )


class Member(Protocol):
    """A call, as far as the watch goes."""

    held_limit: float
    """From how long on it wants to be told, seconds."""

    def loop_held(self, held: Held) -> None:
        """The loop was held for longer than that."""


class LoopWatch:
    """Watches one event loop. Get it by `of`."""

    _watches: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWatch]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._members: dict[Member, None] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._interval = BEAT
        self._virtual = bool(getattr(loop, "virtual_time", False))
        self._stop: threading.Event | None = None
        # Shared with the thread; each is one reference that is read or replaced.
        self._beat_at = 0.0
        self._sightings: list[Sighting] = []

    @classmethod
    def join(cls, member: Member) -> LoopWatch:
        """Watch the running loop for this member, until it `leave`s."""
        loop = asyncio.get_running_loop()
        watch = cls._watches.get(loop)
        if watch is None:
            watch = cls._watches[loop] = cls(loop)
        watch._members[member] = None
        if watch._handle is None:
            watch._begin(loop)
        return watch

    def leave(self, member: Member) -> None:
        """This member needs it no more. Harmless when said twice."""
        self._members.pop(member, None)
        if self._members:
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    # --- the heart -----------------------------------------------------------------------------------------

    def _limit(self) -> float:
        return min(member.held_limit for member in self._members)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sightings = []
        if self._virtual:
            self._interval = self._limit() / 2
        else:
            self._interval = min(BEAT, self._limit() / 2)
            self._stop = threading.Event()
            arguments = (self._stop, threading.get_ident(), self._limit() / 2)
            threading.Thread(target=self._look_on, args=arguments, name="voiceloop watch", daemon=True).start()
        self._schedule(loop, loop.time())

    def _schedule(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self._beat_at = perf_counter()
        self._due = now + self._interval
        self._handle = loop.call_at(self._due, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        late = now - self._due
        sightings, self._sightings = self._sightings, []
        self._schedule(loop, now)
        if late >= self._limit():
            held = Held(late, blame(sightings))
            for member in list(self._members):
                if late >= member.held_limit and member in self._members:
                    member.loop_held(held)

    # --- the thread ----------------------------------------------------------------------------------------

    def _look_on(self, stop: threading.Event, thread: int, patience: float) -> None:
        """Look at the loop's thread whenever its heart is late by more than `patience`, and then again and again."""
        wait = patience
        while not stop.wait(wait):
            wait = self._beat_at + self._interval + patience - perf_counter()
            if wait > 0:
                continue
            wait = patience / 4
            sightings = self._sightings
            if len(sightings) < _MOST and (sighting := look(thread)) is not None:
                sightings.append(sighting)
