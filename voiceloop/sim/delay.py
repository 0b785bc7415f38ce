"""A one-way network path: what is put in comes out later, in order."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["DelayLine"]

T = TypeVar("T")


class DelayLine(Generic[T]):
    """Delivers items to `deliver` after a delay and a random jitter, never out of order, as TCP does.

    Args:
        deliver: called with each item, on the loop.
        delay: seconds every item takes at least.
        jitter: seconds an item may take on top, evenly distributed. An item that is late holds up those behind it,
            which then come in a bunch.
        seed: of the jitter.
        held: what goes wrong on the way: given when an item was sent and when it would arrive, says when it does.
    """

    def __init__(
        self,
        deliver: Callable[[T], None],
        delay: float = 0.0,
        jitter: float = 0.0,
        *,
        seed: int = 0,
        held: Callable[[float, float], float] | None = None,
    ) -> None:
        self.due: float | None = None
        """When the item that is being delivered arrives, seconds; a process that stood still delivers it later. None
        when whoever put it did not say when, on a path without delay."""
        self._deliver = deliver
        self._delay = delay
        self._jitter = jitter
        self._held = held
        self._direct = not delay and not jitter and held is None
        self._broken = False
        self._random = random.Random(seed)
        self._items: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._put_at: float | None = None
        self._late = 0.0

    def put(self, item: T, at: float | None = None) -> None:
        """Send an item on its way. Without delay, jitter and faults it is delivered before this returns.

        Args:
            item: what is delivered.
            at: when it is sent, seconds on the loop's clock; now, when not given.
        """
        if self._broken:
            return
        if self._direct:
            self.due = at
            self._deliver(item)
            return
        loop = asyncio.get_running_loop()
        sent = loop.time() if at is None else at
        if self._jitter and sent != self._put_at:  # what is sent at one time travels together, as in one packet
            self._late = self._jitter * self._random.random()
        self._put_at = sent
        due = sent + self._delay + self._late
        if self._held is not None:
            due = self._held(sent, due)
        if self._items:
            due = max(due, self._items[-1][0])
        elif due <= loop.time() and self._timer is None and not self._delay and not self._jitter:
            self.due = due
            self._deliver(item)
            return
        self._items.append((due, item))
        if self._timer is None:
            self._timer = loop.call_at(due, self._arrive)

    def deliver_before(self, at: float) -> None:
        """Deliver what arrives before a time, seconds, and is still here because the process stood still."""
        while self._items and self._items[0][0] < at:
            self.due, item = self._items.popleft()
            self._deliver(item)

    def _arrive(self) -> None:
        self._timer = None
        if self._items:  # else `deliver_before` was faster
            # What is overdue is one bunch; comparing deadlines, because a timer may fire a hair early.
            until = max(self._items[0][0], asyncio.get_running_loop().time())
            while self._items and self._items[0][0] <= until:
                self.due, item = self._items.popleft()
                self._deliver(item)
        if self._items and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._items[0][0], self._arrive)

    def close(self) -> None:
        """Lose what is under way."""
        self._items.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def break_off(self) -> None:
        """The path is dead from now on: what is under way is lost, and all that is put in later."""
        self.close()
        self._broken = True
