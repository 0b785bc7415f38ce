"""Calls end in every way they can, and leave nothing behind. (Every test fails when a task or socket is left.)"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallEnd, UserTurn
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import Dialled, ScriptedLLM, ScriptedSTT, ScriptedTTS, dial, script

Phone = Callable[..., Any]
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."


@pytest.fixture
def slow(lexicon: Lexicon) -> dict[str, Any]:
    """Providers that take their time, so that something is going on at any moment."""
    return {
        "stt": ScriptedSTT(lexicon, delay=0.3),
        "llm": ScriptedLLM([LONG], first=0.5, rate=5),
        "tts": ScriptedTTS(lexicon, first=0.3),
    }


MOMENTS = [0.0, 0.02, 0.31, 0.6, 1.2, 1.7, 2.1, 2.5, 2.9, 3.4, 3.7, 4.2, 5.5, 8.0]
"""In the greeting, in the caller's words, while these are recognised, while the model and the voice work, in the
middle of the answer, behind it."""


async def conversation(caller: Dialled) -> None:
    """The caller talks until cancelled."""
    await caller.waits(1.0)
    await caller.says("what do you have for me today")
    await caller.waits(60)


async def talk_until(caller: Dialled, moment: float) -> None:
    """The caller talks up to a moment of the call, in seconds."""
    talk = asyncio.ensure_future(conversation(caller))
    await caller.waits(moment)
    talk.cancel()
    await asyncio.wait([talk])


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_caller_may_hang_up_at_any_moment(phone: Phone, slow: dict[str, Any], moment: float) -> None:
    async with phone(greeting="Hello!", delay=0.03, **slow) as caller:
        await talk_until(caller, moment)
        before = asyncio.get_running_loop().time()
        await caller.carrier.hang_up()
        if moment > 0.1:
            report = await caller.report()
            assert report.reason == "caller hung up"
            assert asyncio.get_running_loop().time() - before < 0.5
            assert report.faults == []
            assert report.abandoned == []


@pytest.mark.parametrize("moment", [0.6, 1.7, 2.5, 3.7, 5.5])
async def test_a_missing_stop_ends_the_call_all_the_same(phone: Phone, slow: dict[str, Any], moment: float) -> None:
    async with phone(greeting="Hello!", carrier=CarrierOptions(drop_stop=True), **slow) as caller:
        await talk_until(caller, moment)
        report = await caller.hangs_up()
        assert report.reason == "disconnected"
        assert report.faults == []
        assert report.abandoned == []


@pytest.mark.parametrize("moment", [0.02, 0.6, 1.7, 2.5, 3.7, 5.5])
async def test_a_broken_connection_ends_the_call(phone: Phone, slow: dict[str, Any], moment: float) -> None:
    async with phone(greeting="Hello!", **slow) as caller:
        await talk_until(caller, moment)
        await caller.carrier.cut()
        report = await caller.report()
        assert report.reason == "disconnected"
        assert report.abandoned == []
        assert [fault for fault in report.faults if fault.kind != "twilio.protocol"] == []


async def test_what_was_heard_up_to_the_hang_up_is_kept(phone: Phone, lexicon: Lexicon) -> None:
    async with phone(llm=script(LONG)) as caller:
        await caller.says("what do you have")
        await caller.waits(2.51)
        report = await caller.hangs_up()
        truth = lexicon.text(bytes(caller.carrier.heard))
    (turn,) = report.turns
    assert truth.startswith(turn.heard)
    assert len(truth.split()) - len(turn.heard.split()) <= 1
    assert f"{turn.heard} {turn.unheard}" == LONG
    assert turn.interrupted
    assert report.conversation[-1].text == turn.heard


@pytest.mark.parametrize("takes", [0.5, 30.0])
async def test_a_caller_may_hang_up_while_the_processors_start(phone: Phone, takes: float) -> None:
    stopped: list[str] = []

    class Slow(Processor):
        async def start(self) -> None:
            await asyncio.sleep(takes)

        async def stop(self) -> None:
            stopped.append("slow")

    async with phone(greeting="Hello!", more=lambda: [Slow()]) as caller:
        await caller.waits(0.2)
        await caller.carrier.hang_up()
        report = await caller.report()
        assert report.duration <= min(takes, 10.0) + 0.1
        assert report.abandoned == []
    assert stopped == ["slow"]


async def test_a_server_that_shuts_down_ends_its_calls_and_their_sockets(raw: Callable[..., Any]) -> None:
    before = asyncio.get_running_loop().time()
    async with raw(llm=script(LONG), greeting="Hello!") as line:
        await line.start()
        await line.says("what do you have")
        await line.runner.cleanup()
        report = await line.over(1.0)
        assert asyncio.get_running_loop().time() - before < 10.0
        assert line.socket.closed or (await line.socket.receive()).type.name in ("CLOSE", "CLOSED")
    assert report.reason == "cancelled"
    assert report.turns[0].interrupted
    assert report.faults == []
    assert report.abandoned == []


@contextmanager
def no_collector() -> Iterator[None]:
    """Nothing is freed but by counting references."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("how", ["hang up", "cut", "interrupted", "failed"])
async def test_nothing_of_a_call_survives_it_and_no_collector_is_needed(
    plain_bot: Callable[..., Any], lexicon: Lexicon, how: str
) -> None:
    refs: list[weakref.ref[Any]] = []
    bot = plain_bot("Hello!")

    def noting(call: Call) -> Pipeline:
        pipeline: Pipeline = bot(call)
        refs.extend(weakref.ref(each) for each in (call, pipeline, *pipeline.processors))
        return pipeline

    llm = script(LONG, LookupError("lost"), LONG) if how == "failed" else ScriptedLLM([LONG], rate=10)
    with no_collector():
        async with dial(noting, lexicon=lexicon, llm=llm, silence=0.4) as caller:
            await caller.hears()
            await caller.says("what do you have")
            if how == "interrupted":
                await caller.interrupts("no no stop", after=0.7)
            else:
                await caller.waits(2.0)
            if how == "cut":
                await caller.carrier.cut()
            else:
                await caller.hangs_up()
            await caller.report()
            caller._call = None
        await asyncio.sleep(0.1)
        left = [ref() for ref in refs if ref() is not None]
        assert [type(each).__name__ for each in left] == []


async def test_a_busy_call_has_at_most_eight_tasks(phone: Phone, slow: dict[str, Any]) -> None:
    most: list[str] = []
    other = {"carrier sends", "carrier reads"}
    async with phone(greeting="Hello!", **slow) as caller:
        loop: Any = asyncio.get_running_loop()
        talk = asyncio.ensure_future(conversation(caller))
        first = {task for task in loop.pending_tasks() if "twilio" not in task.get_name()}
        for _ in range(300):
            await asyncio.sleep(0.02)
            names = [t.get_name() for t in loop.pending_tasks() if t not in first and t.get_name() not in other]
            most = max(most, names, key=len)
        talk.cancel()
        await asyncio.wait([talk])
        await caller.hangs_up()
    assert len(most) <= 6  # and the one that runs the whole call
    assert {"twilio reader", "llm provider", "tts provider"} <= set(most)


async def test_the_end_of_a_call_is_told_to_every_processor_once(phone: Phone) -> None:
    told: list[str] = []

    class Listener(Processor):
        def on_call_end(self, end: CallEnd) -> None:
            told.append(end.reason)

        async def stop(self) -> None:
            told.append("stop")

    async with phone(more=lambda: [Listener()]) as caller:
        await caller.says("hello there")
        await caller.hangs_up()
    assert told == ["caller hung up", "stop"]


async def test_a_booking_that_is_under_way_when_the_caller_hangs_up_is_cancelled_and_not_hung_on(phone: Phone) -> None:
    states: list[str] = []

    class Books(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.work(self.book(), "booking")

        async def book(self) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                states.append("cancelled")
                raise

    async with phone(more=lambda: [Books()]) as caller:
        await caller.says("book a table")
        await caller.waits(1.0)
        report = await caller.hangs_up()
    assert states == ["cancelled"]
    assert report.abandoned == []
