"""Process stalls in virtual time: the clock jumps while nothing runs, as for a process that is not scheduled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Any

__all__ = ["Stalls", "stall"]

if TYPE_CHECKING:
    _Base = asyncio.SelectorEventLoop
else:
    _Base = object

_READS = 16  # buffers that may wait in one connection when a stall begins


class Stalls(_Base):
    """The part of the virtual loop that can stand still."""

    _now: float
    _poll: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        # What plays a machine elsewhere, in the order it came: it does not stand still with this process.
        self._elsewhere: dict[Callable[[float], object], None] = {}
        super().__init__(*args, **options)

    def stall(self, seconds: float) -> None:
        """Let the process stand still: the clock jumps by `seconds` while nothing runs.

        To be called from any callback or task, like a handler that blocks; the rest of it runs afterwards. Then
        timers that are overdue fire in their order, and what has arrived meanwhile is there in a bunch. Those who
        play a machine elsewhere (`when_stalled`) are told first, at the old time.
        """
        if not seconds >= 0:
            raise ValueError(f"expected a stall of 0 seconds or more, got {seconds!r}")
        for listener in list(self._elsewhere):
            listener(seconds)
        self._now += seconds

    def when_stalled(self, listener: Callable[[float], object]) -> None:
        """Call `listener` with the length of each stall, in seconds, before it begins."""
        self._elsewhere[listener] = None

    def forget_stalls(self, listener: Callable[[float], object]) -> None:
        """Call it no more. Harmless when it was never called."""
        self._elsewhere.pop(listener, None)

    def read_now(self, fileno: int) -> None:
        """Hand what waits at a descriptor to its reader, now instead of in the next pass of the loop."""
        for _ in range(_READS):
            ready = [key for key, _ in self._poll.select(0) if key.fd == fileno and key.data[0] is not None]
            if not ready:
                return
            ready[0].data[0]._run()


def stall(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let a loop stand still: a virtual one by its clock, any other by blocking it."""
    if isinstance(loop, Stalls):
        loop.stall(seconds)
    else:
        Event().wait(seconds)
