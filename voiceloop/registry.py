"""What a call owns on the event loop: tasks and timers, in the order they were made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from voiceloop.faults import drop_frames, failure_of

if TYPE_CHECKING:
    from voiceloop.answer import Answer

__all__ = ["Handle", "Registry", "TaskJournal", "Timer", "Work"]


class Handle(Protocol):
    """Something that can be called off."""

    def cancel(self) -> None: ...


class TaskJournal(Protocol):
    """The part of a `voiceloop.journal.Journal` that says when tasks and timers of the call go on."""

    def steps(self, coroutine: Coroutine[Any, Any, Any], name: str) -> tuple[Coroutine[Any, Any, Any], int]:
        """A task of the call begins: what it is to run in place of the coroutine, and its number."""

    def finished(self, number: int, failure: BaseException | None, act: Callable[[], None]) -> None:
        """A task is over: act on it."""

    def timer(self, when: float, name: str, act: Callable[[], None]) -> Handle:
        """Act at a time."""


OnDone = Callable[["Work"], None]


class Work:
    """A task of a call, and what it works for."""

    __slots__ = (
        "__weakref__",
        "_on_done",
        "answer",
        "asked",
        "begun",
        "cancelled",
        "failure",
        "kept",
        "name",
        "number",
        "origin",
        "task",
    )

    def __init__(self, name: str, answer: Answer | None, origin: int, kept: bool, on_done: OnDone | None) -> None:
        self.name = name
        self.answer = answer
        """Cancelled when this answer ends early; None for work that no interruption touches."""
        self.begun: dict[Answer, int] = {}
        """Answers the task began and has to finish, and the index of the processor that began each."""
        self.origin = origin
        """Index of the processor it belongs to, -1 for the call itself."""
        self.kept = kept
        """True when no interruption cancels it, not even one of an answer that it began."""
        self.failure: BaseException | None = None
        self.cancelled = False
        """True when it ended by cancellation."""
        self.asked = False
        """True when the engine cancelled it; a task can also end itself by a CancelledError that leaks out."""
        self.number = -1
        """Among the tasks of the call, when a journal counts them."""
        self.task: asyncio.Task[Any] | None = None
        self._on_done = on_done

    def cancel(self) -> None:
        """Cancel the task, if it still runs."""
        if self.task is not None:
            self.asked = True
            self.task.cancel()

    def drop_failure(self) -> None:
        """It has been reported."""
        drop_frames(self.failure)
        self.failure = None


class Timer:
    """A call-back at a time on the loop's clock. Gone once it ran or was cancelled."""

    __slots__ = ("_handle", "_registry", "name")

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry: Registry | None = registry
        self._handle: Handle | None = None
        self.name = name

    def cancel(self) -> None:
        """Do not run. Harmless when it already did."""
        if self._handle is not None:
            self._handle.cancel()
        self._forget()

    def _forget(self) -> None:
        self._handle = None
        if self._registry is not None:
            self._registry.timers.pop(self, None)
            self._registry = None


class Registry:
    """Insertion-ordered owner of a call's tasks and timers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[str, object], None],
        journal: TaskJournal | None = None,
    ) -> None:
        self._loop = loop
        self._wake = wake
        self._journal = journal
        self.tasks: dict[asyncio.Task[Any], Work] = {}
        self.timers: dict[Timer, None] = {}

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        name: str,
        *,
        answer: Answer | None = None,
        origin: int = -1,
        kept: bool = False,
        on_done: OnDone | None = None,
        own: bool = True,
    ) -> Work:
        """Run a coroutine as a task of the call. `on_done` is called with its `Work` when it ended in any way.

        Args:
            own: False for what only observes the call: its journal does not hear of it.
        """
        work = Work(name, answer, origin, kept, on_done)
        if self._journal is not None and own:
            coroutine, work.number = self._journal.steps(coroutine, name)
        task = self._loop.create_task(coroutine, name=name)
        work.task = task
        self.tasks[task] = work
        if answer is not None:
            answer._work[work] = None
        task.add_done_callback(self._done)
        return work

    def _done(self, task: asyncio.Task[Any]) -> None:
        work = self.tasks.pop(task, None)
        if work is None:  # abandoned: the call is over, its outcome is nobody's
            drop_frames(failure_of(task))
            return
        work.task = None
        if work.answer is not None:
            work.answer._work.pop(work, None)
        work.cancelled = task.cancelled()
        work.failure = failure_of(task)
        if self._journal is None or work.number < 0:
            self._tell(work)
        else:
            self._journal.finished(work.number, work.failure, partial(self._tell, work))

    def _tell(self, work: Work) -> None:
        try:
            if work._on_done is not None:
                on_done, work._on_done = work._on_done, None
                self._wake("task", work.name)
                on_done(work)
        finally:
            work.drop_failure()

    def current(self) -> Work | None:
        """The work of the task that is running now, if it is one of this call's."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return None
        return None if task is None else self.tasks.get(task)

    def timer(self, when: float, callback: Callable[[], None], name: str) -> Timer:
        """Call back at a time on the loop's clock."""
        timer = Timer(self, name)

        def run() -> None:
            timer._forget()
            self._wake("timer", name)
            callback()

        journal = self._journal
        timer._handle = self._loop.call_at(when, run) if journal is None else journal.timer(when, name, run)
        self.timers[timer] = None
        return timer

    async def close(self, limit: float) -> list[str]:
        """Cancel everything, oldest first; wait at most `limit` seconds; return the names of what did not end."""
        for timer in list(self.timers):
            timer.cancel()
        own = asyncio.current_task()
        pending = [task for task in self.tasks if task is not own]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=limit)
        abandoned = [work.name for task, work in self.tasks.items() if task is not own and not task.done()]
        for task in list(self.tasks):
            if task is not own:
                work = self.tasks.pop(task)
                work.task = None
                work._on_done = None
                if work.answer is not None:
                    work.answer._work.pop(work, None)
        return abandoned
