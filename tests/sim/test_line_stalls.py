"""A process that stands still while the carrier, elsewhere, goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.frames import CallStart
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.line_faults import Stall
from voiceloop.sim.line_stalls import stall
from voiceloop.sim.loop import Standstill, VirtualLoop, run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.twilio.protocol import MarkEchoed, Media, MediaStream

TONE = b"\x10" * 8000  # 1 s
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."


def virtual() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def now() -> float:
    return asyncio.get_running_loop().time()


# --- the loop --------------------------------------------------------------------------------------------------------


async def test_clock_jumps_in_the_midst_of_a_callback_and_overdue_timers_fire_in_order() -> None:
    loop = virtual()
    fired: list[tuple[str, float]] = []
    for name, delay in (("c", 0.3), ("a", 0.1), ("b", 0.1), ("later", 0.8)):
        loop.call_later(delay, lambda name=name: fired.append((name, loop.time())))
    await asyncio.sleep(0.05)
    loop.stall(0.5)
    assert loop.time() == pytest.approx(0.55)
    assert fired == []
    await asyncio.sleep(0.4)
    assert fired == [("a", 0.55), ("b", 0.55), ("c", 0.55), ("later", pytest.approx(0.8))]


async def test_who_is_elsewhere_is_told_at_the_old_time() -> None:
    loop = virtual()
    told: list[tuple[float, float]] = []

    def listener(seconds: float) -> None:
        told.append((loop.time(), seconds))

    loop.when_stalled(listener)
    loop.stall(0.25)
    loop.forget_stalls(listener)
    loop.stall(0.25)
    assert told == [(0.0, 0.25)]
    with pytest.raises(ValueError, match="expected a stall of 0 seconds or more, got -1"):
        loop.stall(-1)


async def test_timeout_that_ran_out_in_a_stall_has_run_out() -> None:
    async def held_up() -> None:
        async with asyncio.timeout(0.3):
            virtual().stall(0.4)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await held_up()


@pytest.mark.realtime
async def test_ordinary_loop_stands_still_in_earnest() -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    stall(loop, 0.05)
    assert 0.04 < loop.time() - before < 2.0


# --- the carrier -----------------------------------------------------------------------------------------------------


class Agent:
    """Keeps what came, and when."""

    def __init__(self) -> None:
        self.machine = MediaStream()
        self.events: list[tuple[float, Any]] = []
        self.started = asyncio.Event()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = web.WebSocketResponse(compress=False)
        await self.socket.prepare(request)
        async for message in self.socket:
            self.events.append((now(), self.machine.receive(message.data)))
            if len(self.events) == 2:
                self.started.set()
        return self.socket

    async def media(self, audio: bytes) -> None:
        await self.socket.send_str(self.machine.media_message(audio))

    async def mark(self, name: str) -> None:
        await self.socket.send_str(self.machine.mark_message(name))

    def of(self, kind: type[Any]) -> list[tuple[float, Any]]:
        return [(round(at, 6), event) for at, event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def line(**options: Any) -> AsyncIterator[tuple[Carrier, Agent]]:
    agent = Agent()
    app = web.Application()
    app.router.add_get("/media", agent.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    connector = aiohttp.UnixConnector(path="agent")
    try:
        async with Carrier("ws://agent/media", options=CarrierOptions(**options), connector=connector) as carrier:
            await agent.started.wait()
            yield carrier, agent
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("delay", [0.0, 0.05])
async def test_carrier_plays_records_and_echoes_on_while_the_process_stands_still(delay: float) -> None:
    async with line(delay_to_server=delay) as (carrier, agent):
        await asyncio.sleep(carrier.truth.started + 0.1 - now())
        carrier.say(b"\x20" * 1600)
        await agent.media(TONE[:1600])
        await agent.mark("end:1")
        await asyncio.sleep(0.05)
        virtual().stall(0.5)
        assert len(carrier.heard) < 1300  # what it did meanwhile is made up for afterwards
        await asyncio.sleep(0.5)
    assert carrier.heard.find(b"\x10") == 960
    assert carrier.heard.count(0x10) == 1600
    assert carrier.said.find(b"\x20") == 960
    start = carrier.truth.started
    mark = carrier.truth.marks[0]
    assert mark.reached_at == mark.echoed_at == pytest.approx(start + 0.32)  # when it was, not when we learnt of it
    assert [at for at, _ in agent.of(MarkEchoed)] == [pytest.approx(max(start + 0.65, start + 0.32 + delay))]
    media = agent.of(Media)
    assert [event.timestamp_ms for _, event in media] == [20 * index for index in range(len(media))]
    bunch = [event.timestamp_ms for at, event in media if at == pytest.approx(start + 0.65)]
    # 0.15 to 0.65, less what was still on its way then
    assert len(bunch) == pytest.approx((0.5) / 0.02, abs=1)
    entry = next(entry for entry in carrier.truth.log if entry.kind == "stall")
    assert (round(entry.at - start, 3), entry.detail) == (0.15, "0.5")


@pytest.mark.parametrize("delay", [0.0, 0.03])
async def test_what_was_sent_right_before_a_stall_is_played_during_it(delay: float) -> None:
    async with line(delay_from_server=delay) as (carrier, agent):
        await asyncio.sleep(0.085)
        await agent.media(TONE[:3200])
        await agent.mark("end:1")
        virtual().stall(0.5)  # in the same breath: the bytes are in the socket
        await agent.media(TONE[:1600])
        await agent.mark("end:2")
        await asyncio.sleep(1.0)
    started = carrier.truth.started
    first, second = carrier.truth.sounds(gap=0.01)
    assert first == pytest.approx((started + (0.1 if not delay else 0.12), started + (0.5 if not delay else 0.52)))
    assert second[0] == pytest.approx(started + (0.6 if not delay else 0.62))
    assert [round(mark.set_at - started - delay, 6) for mark in carrier.truth.marks] == [0.085, 0.585]


async def test_what_was_on_its_way_before_a_stall_arrives_during_it() -> None:
    async with line(delay_from_server=0.1) as (carrier, agent):
        await asyncio.sleep(0.05)
        await agent.media(TONE[:800])
        await asyncio.sleep(0.05)
        await agent.media(TONE[:800])
        await asyncio.sleep(0.01)
        virtual().stall(0.5)
        await asyncio.sleep(0.1)
    started = carrier.truth.started
    assert [entry.at - started for entry in carrier.truth.log if entry.kind == "media"] == pytest.approx([0.15, 0.2])
    assert carrier.truth.sounds(gap=0.001) == [pytest.approx((started + 0.16, started + 0.36))]


async def test_planned_stall_strikes_at_its_time_and_not_after_the_call() -> None:
    fault = Stall(at=0.333, seconds=0.2)
    async with line(faults=(fault, Stall(at=6.5, seconds=9.0))) as (carrier, _):
        await asyncio.sleep(0.4)
        assert now() == pytest.approx(carrier.truth.started + 0.533)
    assert [(round(at - carrier.truth.started, 3), given) for at, given in carrier.injected] == [(0.333, fault)]
    await asyncio.sleep(10)
    assert now() < 11


async def test_two_stalls_in_one_breath_are_one() -> None:
    async with line() as (carrier, agent):
        await agent.media(TONE[:4000])
        virtual().stall(0.2)
        virtual().stall(0.2)
        await asyncio.sleep(0.2)
    (sound,) = carrier.truth.sounds()
    assert sound == pytest.approx((carrier.truth.started + 0.02, carrier.truth.started + 0.52))
    assert carrier.truth.holes() == []


# --- whole calls -----------------------------------------------------------------------------------------------------


class Blocking(Processor):
    """A handler of the user's own that blocks, once, when the agent has been speaking for a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def on_call_start(self, start: CallStart) -> None:
        self.call.timer(6.5, lambda: virtual().stall(self._seconds), "blocking")


@pytest.mark.parametrize("how", ["planned", "handler"])
@pytest.mark.parametrize(
    ("seconds", "delay", "hole"),
    [(0.05, 0.0, 0.0), (0.5, 0.0, 0.0), (0.5, 0.1, 0.0), (1.3, 0.0, 0.3), (1.3, 0.06, 0.3), (2.0, 0.0, 1.0)],
)
async def test_lead_covers_a_stall_and_what_is_longer_is_a_hole(
    dial: Any, how: str, seconds: float, delay: float, hole: float
) -> None:
    lexicon = Lexicon()
    stt, llm, tts = ScriptedSTT(lexicon), ScriptedLLM([LONG]), ScriptedTTS(lexicon)

    def talker(call: Call) -> Pipeline:
        blocking = [Blocking(seconds)] if how == "handler" else []
        hearing = [call.transport, *blocking, EnergyVAD(), stt]
        return Pipeline([*hearing, TurnTaking("Hello."), LLMAggregator(llm), tts, AudioStreamer()])

    faults = (Stall(at=6.5, seconds=seconds),) if how == "planned" else ()
    options = CarrierOptions(delay_to_server=delay, delay_from_server=delay, faults=faults)
    async with dial(talker, stt=stt, llm=llm, tts=tts, lexicon=lexicon, carrier=options, silence=2.5) as caller:
        await caller.hears("Hello.")
        await caller.says("what do you have")
        reply = await caller.hears(timeout=60)
        truth = caller.carrier.truth
        assert reply.started < 5.0
        assert reply.ended > 8.0
        holes = truth.holes(30)
        report = await caller.hangs_up()
    assert report.turns[-1].heard == LONG
    assert hole or reply.text == LONG
    if hole:
        assert hole - 0.02 <= sum(each for _, each in holes) <= hole + 0.42  # the lead is filled up by steps of 0.4 s
    else:
        assert holes == []


def test_stalled_call_is_the_same_on_every_run() -> None:
    async def run() -> list[tuple[float, str, Any]]:
        options = {"jitter": 0.03, "delay_to_server": 0.04, "delay_from_server": 0.04, "seed": 9}
        faults = tuple(Stall(at=0.3 * index, seconds=0.17) for index in range(1, 8))
        async with line(**options, faults=faults) as (carrier, agent):
            for index in range(5):
                await agent.media(TONE[:4000])
                await agent.mark(f"end:{index}")
                await asyncio.sleep(0.5)
        return [(entry.at, entry.kind, entry.detail) for entry in carrier.truth.log]

    assert run_virtual(run()) == run_virtual(run())


def test_timer_that_comes_back_at_the_same_time_for_ever_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceloop.sim.loop._STANDSTILL", 1000)

    async def spin() -> None:
        loop = virtual()

        def once_more() -> None:
            if loop.is_running() and spinning:
                loop.call_at(loop.time(), once_more)

        once_more()
        try:
            await asyncio.sleep(1)
        finally:
            spinning.clear()

    spinning = [True]
    with pytest.raises(Standstill, match=r"stood at 0\.0 s of virtual time for 1000 passes(?s:.)*once_more"):
        run_virtual(spin())
    spinning = [True]

    async def busy() -> None:
        for _ in range(100):
            for _ in range(900):
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)

    run_virtual(busy())
