"""What a caller may do on the line: break off, hang up in a word, talk on and on, cough, press keys while speaking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from voiceloop.audio.levels import level
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.line_sounds import cough, hum
from voiceloop.twilio.protocol import Dtmf, Event, Media, MediaStream

TONE = b"\x10" * 8000  # 1 s


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Caller, list[Event]]]:
    events: list[Event] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket, machine = web.WebSocketResponse(compress=False), MediaStream()
        await socket.prepare(request)
        async for message in socket:
            if (event := machine.receive(message.data)) is not None:
                events.append(event)
        return socket

    app = web.Application()
    app.router.add_get("/media", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    async with Carrier("ws://agent/media", connector=aiohttp.UnixConnector(path="agent")) as carrier:
        yield Caller(carrier), events
    await runner.cleanup()


def heard(events: list[Event]) -> bytes:
    return b"".join(event.payload for event in events if isinstance(event, Media))


async def test_breaks_off_in_the_middle_of_a_word() -> None:
    async with line() as (caller, events):
        said = await caller.says(TONE, until=0.5)
        assert said.cut
        assert said.ended == said.speech_ended == now() == pytest.approx(said.started + 0.5)
        again = await caller.says(TONE[:800], until=5.0)
        assert not again.cut
        await caller.waits(0.1)
    assert heard(events).count(0x10) == pytest.approx(4000 + 800, abs=161)


async def test_does_other_things_while_speaking() -> None:
    async with line() as (caller, events):
        said = await caller.begins(TONE)
        assert now() <= said.started < now() + 0.021
        await caller.waits(0.2)
        await caller.presses("4#", interval=0.1)
        await caller.waits(0.2)
        caller.breaks_off()
        assert said.cut
        assert said.speech_ended == pytest.approx(now())
        await caller.waits(0.5)
    kinds = [
        type(event)
        for event in events
        if isinstance(event, Dtmf) or (isinstance(event, Media) and 0x10 in event.payload)
    ]
    assert [kind is Dtmf for kind in kinds].count(True) == 2
    assert kinds[0] is kinds[-1] is Media
    assert heard(events).count(0x10) == pytest.approx(4000, abs=321)


async def test_hangs_up_so_far_into_an_utterance() -> None:
    async with line() as (caller, events):
        await caller.hangs_up(while_saying=TONE, after=0.7)
        said = caller.utterances[0]
        assert said.cut
        assert said.speech_ended == pytest.approx(said.started + 0.7)
        assert caller.carrier.end == "hung up"
    assert heard(events).count(0x10) == pytest.approx(5600, abs=161)


async def test_keeps_talking_without_an_end() -> None:
    async with line() as (caller, events):
        said = await caller.keeps_talking(TONE[:3000], 20.0)
        assert not said.cut
        assert now() == pytest.approx(said.started + 20)
        with pytest.raises(ValueError, match="needs something to say"):
            await caller.keeps_talking(b"", 1.0)
    assert heard(events).count(0x10) == pytest.approx(160_000, abs=161)


async def test_coughs_and_hums_are_loud_and_no_words() -> None:
    lexicon = Lexicon()
    lexicon.sound("hello")
    async with line() as (caller, events):
        coughed = await caller.coughs()
        hummed = await caller.hums()
        await caller.waits(0.1)
    assert coughed.speech_ended - coughed.speech_started > 0.2
    assert hummed.speech_ended - hummed.speech_started == pytest.approx(0.8, abs=0.01)
    assert lexicon.listen(heard(events)) == []
    assert cough(seed=1) == cough(seed=1) != cough(seed=2)
    assert level(cough()[80:160]) == pytest.approx(-22.0, abs=3.0)
    assert level(hum(level=-30.0)) == pytest.approx(-30.0, abs=0.5)
