"""What a call runs on: its clock and gate, work and timers that end with it, and what becomes of failures."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from voiceloop.call_record import Record
from voiceloop.eventlog import EventLog
from voiceloop.faults import describe
from voiceloop.frames import Fault, Frame
from voiceloop.journal import Journal
from voiceloop.processor import NotRunning
from voiceloop.registry import Timer, Work
from voiceloop.runtime import Runtime

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.engine import Engine

__all__ = ["Working"]

T = TypeVar("T")


class Working:
    """The part of a `Call` that the others stand on.

    Args:
        id: the carrier's id of the call.
        runtime: what calls share.
    """

    def __init__(self, id: str, runtime: Runtime) -> None:
        self.id = id
        self.runtime = runtime
        self.journal: Journal | None = None
        """Stands at the gate: writes down all that enters the call, or drives it; see `voiceloop.journal`."""
        self.log: EventLog | None = EventLog() if runtime.log_events else None
        self._record = Record(id, console=runtime.console)
        self._engine: Engine | None = None
        self._now = 0.0
        self._fault_counts: Counter[str] = Counter()

    @property
    def now(self) -> float:
        """The time, seconds on the loop's clock. Decisions read this, never the clock.

        While frames are delivered it stands still: all that happens in one wake-up happens at one time.
        """
        engine = self._engine
        return self._now if engine is None or engine.delivering else engine.time()

    def wake(self, kind: str, detail: object = "") -> None:
        """The gate of the call: every wake-up passes here, is stamped, and can be logged."""
        self._now = self._engine.time() if self._engine is not None else asyncio.get_running_loop().time()
        if self.log is not None:
            self.log.add(self.now, kind, detail)

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for something outside of the call: what ``work()`` gives. A journal notes when it came."""
        return await (work() if self.journal is None else self.journal.awaited(work))

    # --- work and timers -----------------------------------------------------------------------------------

    def broadcast(self, frame: Frame) -> None:
        """Send a signal to every processor of the call."""
        engine = self._running("broadcast")
        engine.dispatch(frame, engine.head)

    def work(self, coroutine: Coroutine[Any, Any, T], name: str = "work") -> asyncio.Future[T]:
        """Run something for the caller (a booking, a CRM write) that no interruption cancels. It ends with the call.

        An interruption that cancels the handler which awaits the returned future ends the waiting, not the work.
        """
        if self._engine is None:
            coroutine.close()
        work = self._running("work").spawn(coroutine, name, kept=True, on_done=self._work_done)
        assert work.task is not None
        result: asyncio.Future[T] = asyncio.shield(work.task)
        result.add_done_callback(_seen)
        return result

    def timer(self, when: float, callback: Callable[[], None], name: str = "timer") -> Timer:
        """Call back at a time on the loop's clock, unless the call has ended by then."""
        engine = self._running("timer")
        if engine.closed:
            raise NotRunning(f"The timer {name!r} cannot be set any more: the call has ended.")
        return engine.registry.timer(when, partial(self._guarded, callback, f"timer.{name}"), name)

    def _guarded(self, callback: Callable[[], None], kind: str) -> None:
        try:
            callback()
        except (Exception, asyncio.CancelledError) as error:
            self.fault(kind, *describe(error))

    def _work_done(self, work: Work) -> None:
        if self._engine is not None:
            self._engine.work_ended(work, None)

    # --- faults --------------------------------------------------------------------------------------------

    def fault(self, kind: str, message: str, detail: str = "", answer: Answer | None = None) -> None:
        """Report a failure: it is recorded, broadcast, and counted; too many end the call."""
        self.note_fault(kind, message, detail)
        self._fault_counts[kind] += 1
        engine = self._engine
        if engine is None or engine.closed or self._fault_counts.total() > self.runtime.faults.in_all:
            return  # so many have ended the call already: no handler of faults can feed itself for ever
        engine.dispatch(Fault(kind, message, detail, answer, self.now), engine.head)
        if self.runtime.faults.ends_call(self._fault_counts[kind], self._fault_counts.total()):
            self.fail()

    def note_fault(self, kind: str, message: str, detail: str = "", *, logged: bool = False) -> None:
        """Record a failure that harms nobody: it is not broadcast, and does not count against the call.

        Args:
            logged: whether the log was told once for all calls: they do not repeat it.
        """
        at = self._engine.time() if self._engine is not None else self.now
        self._record.fault(kind, message, detail, at, level=logging.DEBUG if logged else logging.WARNING)

    @abstractmethod
    def fail(self) -> None:
        """Give the call up."""

    def _running(self, what: str) -> Engine:
        if self._engine is None:
            raise NotRunning(f"call.{what} needs a running call: it has not begun, or has ended.")
        return self._engine


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # reported as a fault of the call, so nobody has to fetch it
