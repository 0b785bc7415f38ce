"""When a call is over nothing of it is left, without help from the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

import pytest

from voiceloop.call import Call
from voiceloop.faults import FaultPolicy
from voiceloop.frames import Digit, Fault, Text
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Limits, Runtime
from voiceloop.stream import Stream


@pytest.fixture(autouse=True)
def _no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Agent(Processor):
    """Does what a digit says."""

    release: asyncio.Event

    async def on_digit(self, digit: Digit) -> None:
        answer = self.begin_answer()
        self.write(answer, "hello")
        if digit.digit == "1":
            raise ValueError("no")
        if digit.digit == "2":
            while not self.release.is_set():
                try:
                    await self.release.wait()
                except asyncio.CancelledError:
                    continue
        await asyncio.sleep(10)


class Voice(Processor):
    async def on_text(self, text: Stream[Text]) -> None:
        async for piece in text:
            await asyncio.sleep(1)
            self.push(piece)


class Clumsy(Processor):
    def on_text(self, text: Text) -> None:
        raise ValueError("no")

    def on_fault(self, fault: Fault) -> None:
        raise ValueError("again")


class Watched:
    """A call, and weak references to all that it is made of."""

    def __init__(self, limits: Limits | None = None, start: type[Processor] = Processor) -> None:
        self.agent = Agent()
        self.agent.release = asyncio.Event()
        policy = FaultPolicy(per_kind=1000, in_all=1000)
        stages = [start(), self.agent, Voice(), Clumsy()]
        pipeline = Pipeline(stages)
        self.call = Call(stages[0], runtime=Runtime(limits=limits or Limits(), faults=policy))
        call = self.call
        self.call.on_turn(lambda turn: call)  # a closure that leads back
        self.call.on_end(lambda report: call)
        self.task = asyncio.create_task(pipeline.run(self.call))
        self.refs = [weakref.ref(thing) for thing in (self.call, pipeline, *stages)]

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        self.refs += [weakref.ref(answer) for answer in self.call._engine.unheard]
        if self.call._engine not in [ref() for ref in self.refs]:
            self.refs.append(weakref.ref(self.call._engine))

    def alive(self) -> list[object]:
        """Let go of the call, and tell what is left of it."""
        del self.call, self.agent, self.task
        return [thing for ref in self.refs if (thing := ref()) is not None]


async def test_call_that_spoke_leaves_nothing():
    watched = Watched()
    await watched.settle()
    watched.call.say("one")
    watched.agent.push(Digit("0", 0.0))
    await watched.settle()
    await asyncio.sleep(5)
    watched.call.timer(1e6, lambda: None)
    watched.call.hang_up()
    watched.call.end()
    await watched.task
    assert watched.alive() == []


async def test_call_with_faults_and_failed_work_leaves_nothing():
    async def work() -> None:
        raise ValueError("no")

    watched = Watched()
    await watched.settle()
    watched.agent.push(Digit("1", 0.0))
    watched.call.work(work())
    await watched.settle()
    watched.call.say("x")
    await asyncio.sleep(2)
    assert len(watched.call.faults) >= 3
    watched.call.end()
    await watched.task
    assert watched.alive() == []


class Failing(Processor):
    """Fails in ways that leave circles: exception, traceback, frame, and what the frame holds."""

    async def on_digit(self, digit: Digit) -> None:
        if digit.digit == "1":  # the time-out's frame knows the task, which keeps the exception
            async with asyncio.timeout(0.1):
                await asyncio.sleep(10)
        elif digit.digit == "3":
            try:
                async with asyncio.timeout(0.1):
                    await asyncio.sleep(10)
            except TimeoutError:
                raise ValueError("too late") from None
        else:
            booking = self.call.work(self.book())  # the exception is the future's, and its frame knows the future
            await booking

    async def book(self) -> None:
        raise LookupError("no table")

    async def stop(self) -> None:
        async with asyncio.timeout(0.1):
            await asyncio.sleep(10)


async def test_failures_that_hold_themselves_do_not_hold_the_call():
    watched = Watched(start=Failing)
    await watched.settle()
    for digit in "134":
        watched.call.broadcast(Digit(digit, 0.0))
    await asyncio.sleep(1)
    watched.call.end()
    report = await watched.task
    kinds = {fault.message for fault in report.faults if fault.kind.startswith(("Failing", "work"))}
    assert kinds == {"TimeoutError", "ValueError: too late", "LookupError: no table"}
    assert watched.alive() == []


async def test_interrupted_call_leaves_nothing():
    watched = Watched()
    await watched.settle()
    watched.call._engine.head.engine.processors[0].push_up(Digit("0", 0.0))
    watched.call.broadcast(Digit("0", 0.0))
    watched.call.say("two")
    await watched.settle()
    watched.call.interrupt()
    watched.call.end("caller hung up")
    await watched.task
    assert watched.alive() == []


async def test_ended_answer_is_let_go_while_its_call_goes_on():
    watched = Watched()
    await watched.settle()
    gone = []
    for end in (watched.call.interrupt, watched.call.discard):
        answer = watched.call.say("one")
        await watched.settle()
        end(answer)
        gone.append(weakref.ref(answer))
        del answer
    watched.call.broadcast(Digit("0", 0.0))
    await watched.settle()
    gone += [weakref.ref(answer) for answer in watched.call._engine.answers]
    watched.call.interrupt()
    await watched.settle()
    assert [ref() for ref in gone] == [None] * 3
    watched.call.end()
    await watched.task


async def test_stuck_task_holds_its_call_only_until_it_ends():
    watched = Watched(Limits(close=1.0))
    await watched.settle()
    watched.call.broadcast(Digit("2", 0.0))
    await watched.settle()
    watched.call.end()
    assert (await watched.task).abandoned == ["Agent.on_digit"]
    release = watched.agent.release
    release.set()
    await asyncio.sleep(11)
    del release
    assert watched.alive() == []


class HangsAtStart(Processor):
    async def start(self) -> None:
        await asyncio.sleep(1e6)


class FailsAtStart(Processor):
    async def start(self) -> None:
        raise ValueError("no")


@pytest.mark.parametrize("start", [HangsAtStart, FailsAtStart])
async def test_call_that_never_began_leaves_nothing(start):
    watched = Watched(Limits(start=2.0), start)
    await watched.settle()
    await asyncio.sleep(1)
    watched.call.end()
    await watched.task
    assert watched.alive() == []


async def test_cancelled_call_leaves_nothing():
    watched = Watched()
    await watched.settle()
    watched.call.say("one")
    await watched.settle()
    watched.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watched.task
    await asyncio.sleep(0)  # the event loop itself holds the error while it is thrown into this test
    assert watched.alive() == []
