"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

Everything that keeps time by the loop (`loop.time()`, `asyncio.sleep`, `asyncio.timeout`) runs unchanged, as fast as
the machine allows and in the same order on every run. `run_virtual` is the way in::

    result = run_virtual(main(), max_time=600.0)

Servers and clients meet at in-memory names, see `voiceloop.sim.memory_sockets`. There is no network: a peer outside
the process lives on another clock.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import math
import selectors
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from voiceloop.sim.line_stalls import Stalls
from voiceloop.sim.memory_sockets import MemoryNetwork

T = TypeVar("T")

_COMPACT_ABOVE = 100  # cancelled timers: up to this many are dropped only when they reach the head of the heap
_STANDSTILL = 500_000  # passes of the loop, some seconds of work, without the clock moving on
_SETTLE_ROUNDS = 50  # passes of the loop, at a standing clock, that finished work gets to clear itself away
_CLEANUP_TIME = 60.0  # virtual seconds that cancelled tasks get to end


class Deadlock(RuntimeError):
    """Nothing can ever happen again: no timer, no ready descriptor and no off-loop work, yet the loop is to run on."""


class Standstill(Deadlock):
    """Something runs again and again at one and the same time, so the clock can never go on."""


class VirtualTimeExceeded(RuntimeError):
    """The next timer lies beyond the virtual time that was allowed."""


class LeftBehind(AssertionError):
    """Tasks, connections or servers outlived the coroutine that was run; `names` has one line for each."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("left behind:\n" + "\n".join(f"  {name}" for name in names))
        self.names = names


class _Timer(asyncio.TimerHandle):
    """A timer that sorts by its time and then by the order in which it was scheduled."""

    __slots__ = ("_sequence",)

    _when: float
    _scheduled: bool
    _cancelled: bool
    _sequence: int

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override]  # a loop's heap holds its own timers only
        if self._when == other._when:
            return self._sequence < other._sequence
        return self._when < other._when


class _OrderedSelector(selectors.DefaultSelector):
    """Reports ready descriptors in the order they were registered, where the system promises no order."""

    def __init__(self) -> None:
        super().__init__()
        self._next = itertools.count()
        self._order: dict[int, int] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        self._order[key.fd] = next(self._next)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        del self._order[key.fd]
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if len(ready) > 1:
            order = self._order
            ready.sort(key=lambda item: order[item[0].fd])
        return ready


class VirtualLoop(Stalls, MemoryNetwork, asyncio.SelectorEventLoop):
    """An event loop on a clock of its own.

    - The clock stands still while anything is ready to run, then jumps exactly to the next timer's time. Timers of
      one time run in the order they were scheduled.
    - It also stands still while off-loop work runs (`run_in_executor`, `asyncio.to_thread`, `clock_held`), so however
      long a thread takes, virtual time is the same. Which of two threads finishes first is still the system's choice.
    - `stall` lets it jump while things are ready, as for a process that stands still.
    - When nothing can happen any more it raises `Deadlock`, and beyond `max_time` virtual seconds
      `VirtualTimeExceeded`. Both name the waiting tasks and where they wait. When things happen for ever without the
      clock moving on it raises `Standstill`, which names them.
    """

    virtual_time = True

    # State of BaseEventLoop that `_run_once` works on. The same names in every CPython since 3.4.
    _ready: deque[asyncio.Handle]
    _scheduled: list[_Timer]
    _stopping: bool
    _timer_cancelled_count: int
    _process_events: Callable[[list[tuple[selectors.SelectorKey, int]]], None]
    _check_closed: Callable[[], None]

    def __init__(self, *, start: float = 0.0, max_time: float | None = None) -> None:
        self._now = start
        # A timer at infinity never fires, so even the loop without a limit has this one.
        self._limit = sys.float_info.max if max_time is None else start + max_time
        self._offloop = 0
        self._sequence = 0
        self._passes = 0  # since the clock moved
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._poll = _OrderedSelector()
        super().__init__(self._poll)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    # -- timers and the pass of the loop -------------------------------------------------------------------------

    def call_at(  # type: ignore[override]  # the stub's TypeVarTuple cannot be forwarded
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` when the clock reads `when`; after all timers of that time that were scheduled before."""
        self._check_closed()
        timer = _Timer(when, callback, args, self, context)
        self._sequence = timer._sequence = self._sequence + 1
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` in `delay` virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _run_once(self) -> None:
        """One pass of the loop: poll, else jump; collect due timers; run what was ready.

        Replaces BaseEventLoop's, which asks a clock how long to wait and rounds timers to that clock's resolution.
        """
        scheduled = self._scheduled
        cancelled = self._timer_cancelled_count
        if cancelled and scheduled and (cancelled > _COMPACT_ABOVE or scheduled[0]._cancelled):
            self._drop_cancelled(scheduled)

        events = self._poll.select(0)
        ready = self._ready
        if not events and not ready and not self._stopping:
            if self._offloop:
                events = self._poll.select(None)
            elif scheduled:
                when = scheduled[0]._when
                if when > self._limit:
                    self._refuse(when)
                if when > self._now:
                    self._now = when
                    self._passes = 0
            else:
                self._refuse(math.inf)
        if events:
            self._process_events(events)

        now = self._now
        while scheduled and scheduled[0]._when <= now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)

        # Only what is ready by now: what these callbacks make ready waits for the next poll.
        self._passes += 1
        if self._passes > _STANDSTILL:
            self._refuse_to_spin()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _drop_cancelled(self, scheduled: list[_Timer]) -> None:
        """Take cancelled timers off the heap: those at its head, or all once they are the greater part."""
        if self._timer_cancelled_count > max(_COMPACT_ABOVE, len(scheduled) // 2):
            alive = []
            for timer in scheduled:
                if timer._cancelled:
                    timer._scheduled = False
                else:
                    alive.append(timer)
            scheduled[:] = alive
            heapq.heapify(scheduled)
            self._timer_cancelled_count = 0
            return
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(scheduled)._scheduled = False

    def _refuse(self, when: float) -> NoReturn:
        waiting = [f"  {describe_task(task)}" for task in self.pending_tasks()]
        listed = "\n".join(["; waiting:", *waiting]) if waiting else "; no task is waiting"
        if when == math.inf:
            raise Deadlock(f"nothing can wake this loop at {self._now:.3f} s of virtual time{listed}")
        raise VirtualTimeExceeded(
            f"the next timer is at {when:.3f} s of virtual time, beyond the limit of {self._limit:.3f} s{listed}"
        )

    def _refuse_to_spin(self) -> NoReturn:
        self._passes = 0
        runs = "\n".join(f"  {handle!r}" for handle in list(self._ready)[:5])
        raise Standstill(
            f"the clock has stood at {self._now!r} s of virtual time for {_STANDSTILL} passes of the loop; "
            f"what runs next:\n{runs or '  nothing'}"
        )

    # -- off-loop work -------------------------------------------------------------------------------------------

    @contextmanager
    def clock_held(self) -> Iterator[None]:
        """Hold the clock while a thread the loop did not start works towards `call_soon_threadsafe`."""
        self._offloop += 1
        try:
            yield
        finally:
            self._offloop -= 1

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run `func` in a thread; the clock stands still until its result has come back."""
        future = super().run_in_executor(executor, func, *args)
        self._offloop += 1
        future.add_done_callback(self._work_done)
        return future

    def _work_done(self, future: asyncio.Future[Any]) -> None:
        self._offloop -= 1

    async def shutdown_default_executor(self, *args: Any, **options: Any) -> None:
        """As in every loop; its helper thread holds the clock."""
        with self.clock_held():
            await super().shutdown_default_executor(*args, **options)

    # -- tasks ---------------------------------------------------------------------------------------------------

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As in every loop; pending tasks are kept in the order they were created."""
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._tasks[task] = None
        task.add_done_callback(self._forget_task)
        return task

    def _forget_task(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)

    def pending_tasks(self) -> list[asyncio.Task[Any]]:
        """Tasks that are not done, in the order they were created."""
        pending = [task for task in self._tasks if not task.done()]
        # Tasks made by `asyncio.Task(...)` pass by `create_task`; the set they are kept in has no order.
        others = [task for task in asyncio.all_tasks(self) if task not in self._tasks]
        return pending + sorted(others, key=lambda task: (len(task.get_name()), task.get_name()))

    def left_behind(self) -> list[str]:
        """One line for each pending task, open in-memory connection and listening in-memory server."""
        return [f"task {describe_task(task)}" for task in self.pending_tasks()] + self.open_connections()

    def close(self) -> None:
        """As in every loop; tasks that are still pending are let go."""
        super().close()
        self._tasks.clear()

    def shut_down(self) -> None:
        """Cancel pending tasks in the order they were created, close connections and servers, then the loop.

        Raises `LeftBehind` when a task outlives its cancellation by 60 virtual seconds.
        """
        try:
            self._limit = self._now + _CLEANUP_TIME
            stuck = self._cancel_tasks()
            self.run_until_complete(self.shutdown_asyncgens())
            self.close_connections()
            self.run_until_complete(settle())
            self.run_until_complete(self.shutdown_default_executor())
        finally:
            self.close()
        if stuck:
            raise LeftBehind([f"cancelled, but still running: {name}" for name in stuck])

    def _cancel_tasks(self) -> list[str]:
        """Cancel, and name the tasks that did not end."""
        while tasks := self.pending_tasks():
            for task in tasks:
                task.cancel()
            try:
                self.run_until_complete(asyncio.wait(tasks))
            except (Deadlock, VirtualTimeExceeded):
                return [describe_task(task) for task in self.pending_tasks() if task in tasks]
            for task in tasks:
                if not task.cancelled() and (error := task.exception()) is not None:
                    self.call_exception_handler(
                        {"message": "task failed when cancelled", "exception": error, "task": task}
                    )
        return []


async def settle() -> None:
    """Let everything that is ready now run, and what that makes ready, without moving the clock."""
    for _ in range(_SETTLE_ROUNDS):
        await asyncio.sleep(0)


def describe_task(task: asyncio.Task[Any]) -> str:
    """The task's name and coroutine, and the file and line where it waits: its own, then the innermost awaited."""
    coro = task.get_coro()
    places = [(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) for frame in task.get_stack()]
    inner: Any = coro
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None) or getattr(inner, "ag_frame", None)
        if frame is not None:
            places.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    outline = f"{task.get_name()!r} ({getattr(coro, '__qualname__', coro)})"
    if not places:
        return outline
    shown = [f"{file}:{line} in {name}" for file, line, name in dict.fromkeys((places[0], places[-1]))]
    return f"{outline} at {', inside it '.join(shown)}"


def run_virtual(
    coro: Coroutine[Any, Any, T], *, start: float = 0.0, max_time: float | None = 3600.0, strict: bool = False
) -> T:
    """Run `coro` to its end on a fresh `VirtualLoop` and return its result.

    `start` is what the clock reads at first and `max_time` how far it may go, both in seconds. Whatever is still
    there afterwards is cancelled in the order of its creation, and closed. With `strict`, that is an error:
    `LeftBehind` names every task, connection and server. When `coro` itself fails, its error is raised, and the
    names are added to it as a note.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        coro.close()
        raise RuntimeError("run_virtual() makes an event loop of its own and cannot be called from within another")
    loop = VirtualLoop(start=start, max_time=max_time)
    main = loop.create_task(coro)
    try:
        result: T = loop.run_until_complete(main)
        if strict:
            loop.run_until_complete(settle())
            if names := loop.left_behind():
                raise LeftBehind(names)
    except BaseException as error:
        if strict and not isinstance(error, LeftBehind | Deadlock | VirtualTimeExceeded):
            loop.run_until_complete(settle())
            for name in loop.left_behind():
                error.add_note(f"left behind: {name}")
        _shut_down_after(loop, error)
        raise
    loop.shut_down()
    return result


def _shut_down_after(loop: VirtualLoop, error: BaseException) -> None:
    """Shut down; what is found then must not hide the error that led here."""
    try:
        loop.shut_down()
    except (LeftBehind, RuntimeError) as late:
        error.add_note(f"then, shutting down: {late}")
