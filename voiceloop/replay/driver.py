"""Drives a call from its recording: lets each thing happen when the recording has it, and compares what comes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, TypeVar

from voiceloop.call import Call
from voiceloop.flight.entries import PROBABILITY, TURNS, Entry, Kind
from voiceloop.flight.items import from_json
from voiceloop.flight.reader import Flight
from voiceloop.journal import Judged
from voiceloop.registry import Handle
from voiceloop.replay.loop import ReplayLoop
from voiceloop.replay.outside import arguments_of
from voiceloop.replay.read_back import failure_of_entry, message_of
from voiceloop.replay.steps import HeldSteps
from voiceloop.replay.tape import Parted, Tape

__all__ = ["Driver"]

log = logging.getLogger("voiceloop.replay")

R = TypeVar("R")
T = TypeVar("T")

EARLY: Final = 0.005
"""Seconds by which a timer of other code may have fired before its time."""


class _Timer:
    def __init__(self, driver: Driver, number: int, name: str, act: Callable[[], None]) -> None:
        self.driver, self.number, self.name, self.act = driver, number, name, act

    def cancel(self) -> None:
        """Do not fire."""
        self.driver.timers.pop(self.number, None)


class Driver(Tape):
    """Lets the tasks, timers and messages of a call go on as its recording says.

    Args:
        flight: the recording.
        loop: on which the call runs.
    """

    def __init__(self, flight: Flight, loop: ReplayLoop) -> None:
        super().__init__(flight)
        self.loop = loop
        self.inside = False
        self.running = -1
        """The number of the task that runs, or ran last."""
        self.messages = 0
        """Messages to the carrier that were the same."""
        self.timers: dict[int, _Timer] = {}
        self._call: Call | None = None
        self._tasks: dict[int, HeldSteps] = {}
        self._held: dict[int, HeldSteps] = {}
        self._over: dict[int, Callable[[], None]] = {}
        self._arrivals: dict[int, asyncio.Future[None]] = {}
        self._moments: dict[str, asyncio.Future[None]] = {}
        self._numbers: dict[str, int] = {}
        self._judging: dict[int, Judged] = {}
        loop.set_time(self._zero)
        loop.advance = self.advance

    def _end(self) -> None:
        """Let what is left of the call run by itself to its end."""
        if self.free:
            return
        self.free = True
        for task in list(self._held.values()):
            task.grant()
        self._held.clear()
        waiting = [*self._arrivals.values(), *self._moments.values(), *self._asks.values()]
        for future in waiting:
            if not future.done():
                future.set_result(None)
        over, self._over = self._over, {}
        for act in over.values():
            self.loop.call_soon(act)
        if self._call is not None and self._call.ending is None:
            self.loop.call_soon(self._give_up)

    def _give_up(self) -> None:
        if self._call is not None and self._call._ended is not None:
            self._call.end("replay ended")

    # --- driving ---

    def advance(self) -> bool:
        """Nothing is ready to run: let the next thing happen. False when the recording is over."""
        if self.free:
            return False
        entry = self.peek()
        if entry is None or entry.kind is Kind.REPORT:
            self._end()
            return True
        due = self.loop.next_timer()
        if due is not None and due <= entry.at:
            self.loop.set_time(due)
            return True
        self.loop.set_time(entry.at)
        try:
            if entry.kind not in TURNS:
                self._differ(entry, "nothing", "something that came to pass does not any more")
            _DRIVE[entry.kind](self, entry)
        except Parted:
            pass
        return True

    def _later(self) -> bool:
        """Something is not ready when it should be: have timers of other code fire that may have been early."""
        due = self.loop.next_timer()
        if due is not None and due <= self.loop.time() + EARLY:
            self.loop.set_time(due)
            return True
        return False

    def _step(self, entry: Entry) -> None:
        number = entry.number
        task = self._held.pop(number, None)
        if task is not None:
            self.take()
            task.grant()
            return
        following = self._behind()
        if following is None or following.kind in TURNS:  # nothing came of it
            self.take()
            return
        if (arrival := self._arrivals.pop(number, None)) is not None:
            arrival.set_result(None)
        elif not self._later():
            name = self.names.get(number, f"task {number}")
            self._differ(entry, f"{name} still waits", f"{name} went on and does not any more")

    def _done(self, entry: Entry) -> None:
        number = entry.number
        if (act := self._over.pop(number, None)) is not None:
            self._enter(entry, act)
            return
        task = self._tasks.get(number)
        if task is not None and not task.free:  # what it waits for outside does not come: its end is known
            task.free = True
            task_held = self._held.pop(number, None)
            if task_held is not None:
                task_held.grant()
            if (arrival := self._arrivals.pop(number, None)) is not None:
                arrival.set_result(None)
            return
        if not self._later():
            name = self.names.get(number, f"task {number}")
            self._differ(entry, f"{name} still runs", f"{name} was over here and is not any more")

    def _timer_fires(self, entry: Entry) -> None:
        timer = self.timers.pop(entry.number, None)
        if timer is None:
            self._differ(entry, "no such timer is set", f"the timer {entry.text!r} fired and is not set any more")
        elif timer.name != entry.text:
            self._differ(entry, f"timer {timer.name!r}", "another timer is set")
        else:
            self._enter(entry, timer.act)

    def _window_judged(self, entry: Entry) -> None:
        take = self._judging.get(entry.number)
        if take is None:
            self._differ(entry, "no stage waits for it", "a window of audio was judged here, and is not any more")
            return
        (probability,) = PROBABILITY.unpack_from(entry.content)
        told = replace(entry, content=entry.content[PROBABILITY.size :])
        self._enter(entry, lambda: take(probability, failure_of_entry(told) if told.content else None))

    def _moment(self, entry: Entry) -> None:
        future = self._moments.pop(entry.text, None)
        if future is not None:
            self.take()
            future.set_result(None)
        elif not self._later():
            self._differ(entry, "it is not there yet", f"the call went on here: {entry.text}")

    def _api(self, entry: Entry) -> None:
        name, arguments, options = from_json(entry.content)
        call = self._call
        assert call is not None
        given, named = arguments_of(arguments, options, call)
        method = getattr(call, name)

        def act() -> None:
            try:
                method(*given, **named)
            except Exception as error:  # as it was for whoever did it
                log.debug("call.%s: %s", name, error)

        self._enter(entry, act)

    def _message(self, entry: Entry) -> None:
        call = self._call
        assert call is not None
        transport: Any = call.transport
        self._enter(entry, lambda: transport.receive(message_of(entry, transport.started.stream_sid)))

    def _enter(self, entry: Entry, act: Callable[[], None]) -> None:
        self.take()
        self._within(act)

    def _within(self, act: Callable[[], R]) -> R:
        self.inside = True
        try:
            return act()
        finally:
            self.inside = False

    # --- tasks and timers of the call ---

    def hold(self, task: HeldSteps) -> None:
        """A task could go on."""
        self._held[task.number] = task

    def number(self, kind: str) -> int:
        """The next of its kind."""
        number = self._numbers.get(kind, 0)
        self._numbers[kind] = number + 1
        return number

    def steps(self, coroutine: Coroutine[Any, Any, Any], name: str) -> tuple[Coroutine[Any, Any, Any], int]:
        """A task begins."""
        number = self.number("task")
        self.names[number] = name
        try:
            self._expect(Kind.SPAWN, number, name.encode(), "another task begins")
        except Parted:
            coroutine.close()
            raise
        task = self._tasks[number] = HeldSteps(coroutine, number, self)
        return task, number

    def finished(self, number: int, failure: BaseException | None, act: Callable[[], None]) -> None:
        """It is over."""
        if self.free:
            self._within(act)
        else:
            self._over[number] = act

    def timer(self, when: float, name: str, act: Callable[[], None]) -> Handle:
        """The recording says when."""
        number = self.number("timer")
        if self.free:
            return self.loop.call_at(when, lambda: self._within(act))
        timer = self.timers[number] = _Timer(self, number, name, act)
        return timer

    async def moment(self, name: str, act: Callable[[], T]) -> T:
        """The recording says when."""
        if not self.free:
            self._moments[name] = self.loop.create_future()
            await self._moments[name]
        done = self._within(act)
        if name == "end":  # nothing goes out any more: in which order what is left ends is nobody's concern
            self._end()
        return done

    def outside(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any], act: Callable[[], R]) -> R:
        """Code that is no part of the call does something to it now: the recording has that already, or never had."""
        if self.free:
            return self._within(act)
        entry = self.peek()
        today = f"call.{name}() from outside of the call"
        if entry is None:
            raise Parted(today)
        self._differ(entry, today, f"{today}: in a replay only the recording does that")
        raise AssertionError

    async def arrival(self) -> None:
        """Wait, in a task of the call, until the recording has something for it."""
        if self.free:
            return
        number = self.running
        future = self._arrivals[number] = self.loop.create_future()
        try:
            await future
        finally:  # it may have been given up
            if self._arrivals.get(number) is future:
                del self._arrivals[number]

    @property
    def leaving(self) -> bool:
        """Whether the task that runs is to end: nothing more comes for it."""
        task = self._tasks.get(self.running)
        return self.free or (task is not None and task.free)


_DRIVE: Final[dict[Kind, Callable[[Driver, Entry], None]]] = {
    Kind.STEP: Driver._step,
    Kind.DONE: Driver._done,
    Kind.TIMER: Driver._timer_fires,
    Kind.MOMENT: Driver._moment,
    Kind.API: Driver._api,
    Kind.JUDGED: Driver._window_judged,
    Kind.MEDIA_IN: Driver._message,
    Kind.OTHER_IN: Driver._message,
}
