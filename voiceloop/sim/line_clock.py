"""The clock of a machine elsewhere: goes on in steps of 20 ms while the process that simulates it stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from voiceloop.sim.line_stalls import Stalls
from voiceloop.sim.playback import BLOCK, RATE

__all__ = ["TICK", "CarrierClock"]

TICK: Final = BLOCK / RATE
"""Seconds between two media messages, and the length of each: 20 ms."""
_EARLY: Final = 0.001  # a timer may fire this much too early (uvloop's clock has steps of 1 ms), seconds


class CarrierClock:
    """Lets blocks of 20 ms begin, each at its time by the absolute clock.

    After a stall it makes up for all that was missed, as a machine elsewhere would have gone on: each block at the
    time it was due, with what had been sent there by then. What that machine sends comes in a bunch.

    Args:
        block: a block begins: its number and its time, seconds on the loop's clock.
        deliver_before: hand over what arrives from the server before a time, seconds.
        take: read what the server has sent by now, before this process stands still.
        stalled: told how long it will, seconds.
    """

    def __init__(
        self,
        block: Callable[[int, float], None],
        deliver_before: Callable[[float], None],
        take: Callable[[], None],
        stalled: Callable[[float], None],
    ) -> None:
        self.at = 0.0
        """That machine's present: behind the loop's while it makes up for a stall, seconds."""
        self._begin = block
        self._deliver_before = deliver_before
        self._take = take
        self._note = stalled
        self._started = 0.0
        self._blocks = 0  # that have begun
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._sent_by: float | None = None  # right after a stall: when what is read now had been sent at the latest

    def start(self) -> float:
        """The stream begins; returns when that is. The first block begins with `tick`."""
        self._loop = asyncio.get_running_loop()
        if isinstance(self._loop, Stalls):
            self._loop.when_stalled(self._stalled)
        self._running = True
        self.at = self._started = self._loop.time()
        return self._started

    def stop(self) -> None:
        """The stream is over: no block begins any more."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if isinstance(self._loop, Stalls):
            self._loop.forget_stalls(self._stalled)

    def tick(self) -> None:
        """Begin the blocks that are due, and set the timer for the next one."""
        # Right after a stall, what had been sent before it is to be read first: this comes back in the next pass.
        self._advance((self._loop.time() if self._sent_by is None else self._sent_by) + _EARLY)
        if self._running:
            self._timer = self._loop.call_at(self._due(), self.tick)

    def come_to(self, at: float) -> None:
        """Something happens at this time: first what was missed in a stall before it."""
        if at > self._due() + _EARLY:
            self._advance(at)
        self.at = at

    def arrival(self) -> float:
        """When what is read now was there, seconds: now, or before the stall that is just over."""
        return self._loop.time() if self._sent_by is None else self._sent_by

    def _due(self) -> float:
        """When the next block begins."""
        return self._started + self._blocks * TICK

    def _advance(self, until: float) -> None:
        while (at := self._due()) <= until:
            self._deliver_before(at)
            if not self._running:
                return
            self.at = at
            self._blocks += 1
            self._begin(self._blocks - 1, at)
            if not self._running:
                return

    def _stalled(self, seconds: float) -> None:
        """The process is about to stand still. This machine is elsewhere: it has what was sent before."""
        self._note(seconds)
        if self._sent_by is None:
            self._sent_by = self._loop.time()
            self._take()
            # Behind the wake-up of the reader, which takes all of that in one go.
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        self._sent_by = None
