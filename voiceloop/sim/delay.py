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
    """

    def __init__(self, deliver: Callable[[T], None], delay: float = 0.0, jitter: float = 0.0, *, seed: int = 0) -> None:
        self._deliver = deliver
        self._delay = delay
        self._jitter = jitter
        self._random = random.Random(seed)
        self._items: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._put_at: float | None = None
        self._late = 0.0

    def put(self, item: T) -> None:
        """Send an item on its way. Without delay and jitter it is delivered before this returns."""
        if not self._delay and not self._jitter:
            self._deliver(item)
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._jitter and now != self._put_at:  # what is sent at one time travels together, as in one packet
            self._late = self._jitter * self._random.random()
        self._put_at = now
        due = now + self._delay + self._late
        if self._items:
            due = max(due, self._items[-1][0])
        self._items.append((due, item))
        if self._timer is None:
            self._timer = loop.call_at(due, self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        due = self._items[0][0]
        # What is due at the same time is one bunch; comparing deadlines, because a timer may fire a hair early.
        while self._items and self._items[0][0] <= due:
            self._deliver(self._items.popleft()[1])
        if self._items and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._items[0][0], self._arrive)

    def close(self) -> None:
        """Lose what is under way."""
        self._items.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
