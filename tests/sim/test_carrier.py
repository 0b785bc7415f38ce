"""The carrier and the caller against a tiny agent, over a real WebSocket in memory, in virtual time."""

from __future__ import annotations

import asyncio
import re
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop.sim.caller import CallEnded, Caller, GaveUp, speech_bounds
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.twilio.protocol import Dtmf, Event, MarkEchoed, Media, MediaStream, Started, Stopped

TONE = b"\x10" * 8000  # 1 s
HELLO = b"\xff" * 800 + b"\x20" * 4000 + b"\xff" * 1600  # 0.1 s of silence, 0.5 s of speech, 0.2 s of silence


def now() -> float:
    return asyncio.get_running_loop().time()


class Agent:
    """The server's side of one call: keeps what came, with times, and lets a test send."""

    def __init__(self) -> None:
        self.machine = MediaStream()
        self.events: list[tuple[float, Event]] = []
        self.close_code: int | None = None
        self.started = asyncio.Event()
        self.done = asyncio.Event()
        self.on_event: Callable[[Agent, Event], Awaitable[None]] | None = None

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = web.WebSocketResponse(compress=False)
        await self.socket.prepare(request)
        async for message in self.socket:
            event = self.machine.receive(message.data)
            assert event is not None
            self.events.append((now(), event))
            if isinstance(event, Started):
                self.started.set()
            if self.on_event is not None:
                await self.on_event(self, event)
        self.close_code = self.socket.close_code
        self.done.set()
        return self.socket

    async def media(self, audio: bytes) -> None:
        await self.socket.send_str(self.machine.media_message(audio))

    async def mark(self, name: str) -> None:
        await self.socket.send_str(self.machine.mark_message(name))

    async def clear(self) -> None:
        await self.socket.send_str(self.machine.clear_message())

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def times(self, kind: type[Any]) -> list[float]:
        return [at for at, event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def call(**options: Any) -> AsyncIterator[tuple[Carrier, Agent]]:
    agent = Agent()
    app = web.Application()
    app.router.add_get("/media", agent.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    carrier = Carrier(
        "ws://agent/media",
        parameters={"tenant": "t-42"},
        options=CarrierOptions(**options),
        connector=aiohttp.UnixConnector(path="agent"),
    )
    try:
        async with carrier:
            await agent.started.wait()
            yield carrier, agent
        await agent.done.wait()
    finally:
        await runner.cleanup()


async def test_stream_opens_and_ends_as_twilio_does() -> None:
    async with call(seed=3) as (carrier, agent):
        await asyncio.sleep(0.1)
    started = agent.of(Started)[0]
    assert started.stream_sid == carrier.stream.stream_sid
    assert len(started.stream_sid) == len(started.call_sid) == 34
    assert started.parameters == {"tenant": "t-42"}
    assert [type(event).__name__ for _, event in agent.events] == ["Connected", "Started", *["Media"] * 5, "Stopped"]
    assert (agent.close_code, carrier.end, carrier.errors) == (1000, "hung up", {})


async def test_same_seed_gives_same_ids_and_other_seed_others() -> None:
    sids = [Carrier("ws://x", options=CarrierOptions(seed=seed)).stream.stream_sid for seed in (1, 1, 2)]
    assert sids[0] == sids[1] != sids[2]


async def test_media_comes_every_20_ms_on_an_absolute_clock() -> None:
    async with call(first_timestamp=140) as (carrier, agent):
        await asyncio.sleep(60.01)
    media = agent.of(Media)
    assert len(media) == 3000
    assert [event.timestamp_ms for event in media] == [140 + 20 * i for i in range(3000)]
    assert [event.chunk for event in media] == list(range(1, 3001))
    assert all(event.payload == b"\xff" * 160 for event in media)
    start = carrier.truth.started
    assert agent.times(Media) == pytest.approx([start + 0.02 * (i + 1) for i in range(3000)], abs=1e-9)


async def test_after_a_stall_what_was_missed_comes_in_a_bunch_with_right_timestamps() -> None:
    loop: Any = asyncio.get_running_loop()
    async with call() as (_, agent):
        await asyncio.sleep(0.1)
        loop.stall(1.0)
        await asyncio.sleep(0.1)
    media = agent.of(Media)
    assert [event.timestamp_ms for event in media] == [20 * i for i in range(60)]
    times = agent.times(Media)
    assert times[5:54] == pytest.approx([times[5]] * 49)
    assert times[-1] - times[0] == pytest.approx(59 * 0.02)


async def test_audio_is_heard_and_marks_are_echoed_when_it_was_played() -> None:
    async with call() as (carrier, agent):
        await asyncio.sleep(0.05)
        await agent.media(TONE[:1600])
        await agent.mark("end:1")
        await asyncio.sleep(0.5)
    assert carrier.heard[:2240] == b"\xff" * 480 + TONE[:1600] + b"\xff" * 160
    start = carrier.truth.started
    assert agent.times(MarkEchoed) == pytest.approx([start + 0.26])
    assert agent.of(MarkEchoed)[0].name == "end:1"
    assert [(mark.name, mark.flushed) for mark in carrier.truth.marks] == [("end:1", False)]
    assert carrier.truth.first_sound_after(0.0) == pytest.approx(start + 0.06)
    assert [(part.message, part.size, part.flushed) for part in carrier.truth.segments] == [(0, 1600, False)]
    assert len(carrier.heard) == len(carrier.said)


async def test_clear_flushes_and_its_echoes_come_in_the_fence_burst() -> None:
    async with call() as (carrier, agent):
        await asyncio.sleep(0.05)
        for name in ("w1", "w2", "w3"):
            await agent.media(TONE[:1600])
            await agent.mark(name)
        await asyncio.sleep(0.3)
        await agent.clear()
        await agent.mark("fence")
        await asyncio.sleep(0.3)
    echoes = agent.of(MarkEchoed)
    assert [echo.name for echo in echoes] == ["w1", "w2", "w3", "fence"]
    assert [echo.sequence - echoes[1].sequence for echo in echoes[1:]] == [0, 1, 2]
    assert echoes[1].sequence > echoes[0].sequence + 1
    assert [mark.flushed for mark in carrier.truth.marks] == [False, True, True, False]
    assert [clear.dropped for clear in carrier.truth.clears] == [2400]
    assert carrier.truth.played_bytes_at(now()) == 2400
    kinds = [entry.kind for entry in carrier.truth.log]
    assert kinds == ["start", *["media", "mark"] * 3, "echo", "clear", "echo", "echo", "mark", "echo", "end"]


async def test_clear_without_echo() -> None:
    async with call(echo_on_clear=False) as (carrier, agent):
        await asyncio.sleep(0.05)
        await agent.media(TONE)
        await agent.mark("lost")
        await agent.clear()
        await asyncio.sleep(0.5)
    assert agent.of(MarkEchoed) == []
    assert (carrier.truth.marks[0].echoed_at, carrier.truth.marks[0].flushed) == (None, True)


async def test_what_twilio_drops_is_dropped_with_a_warning_and_the_stream_lives() -> None:
    async with call(buffer_seconds=1.0) as (carrier, agent):
        await asyncio.sleep(0.05)
        await agent.socket.send_bytes(b"\xff" * 160)
        await agent.socket.send_str('{"event":"clear","stream_sid":"x"}')
        await agent.media(TONE * 2)
        await asyncio.sleep(0.1)
    assert carrier.errors == {31950: 1, 31951: 1, 31931: 8000}
    assert carrier.playback.sound_end > 0


async def test_delay_is_kept_both_ways() -> None:
    async with call(delay_to_server=0.05, delay_from_server=0.03) as (carrier, agent):
        await asyncio.sleep(0.1)
        await agent.mark("m")
        sent = now()
        await asyncio.sleep(0.2)
    assert agent.times(Media)[0] == pytest.approx(carrier.truth.started + 0.07)
    assert carrier.truth.marks[0].set_at == pytest.approx(sent + 0.03)
    assert agent.times(MarkEchoed) == pytest.approx([sent + 0.08])


async def test_jitter_keeps_order_and_is_the_same_on_every_run() -> None:
    arrivals = []
    for seed in (5, 5, 6):
        async with call(jitter=0.1, seed=seed) as (carrier, agent):
            await asyncio.sleep(2.0)
        assert [event.sequence for event in agent.of(Media)] == sorted(event.sequence for event in agent.of(Media))
        delays = [at - carrier.truth.started - 0.02 * (i + 1) for i, at in enumerate(agent.times(Media))]
        assert all(-1e-9 <= delay <= 0.1 + 1e-9 for delay in delays)
        assert max(delays) > 0.05
        arrivals.append([round(delay, 9) for delay in delays])
    assert arrivals[0] == arrivals[1] != arrivals[2]


async def test_stop_may_be_dropped_and_the_socket_cut() -> None:
    async with call(drop_stop=True) as (carrier, agent):
        await asyncio.sleep(0.1)
    assert agent.of(Stopped) == []
    assert (agent.close_code, carrier.end) == (1000, "hung up")
    async with call() as (carrier, agent):
        await asyncio.sleep(0.1)
        await carrier.cut()
    assert agent.of(Stopped) == []
    assert (agent.close_code, carrier.end) == (1006, "cut")


async def test_server_may_end_the_call() -> None:
    async with call() as (carrier, agent):
        await asyncio.sleep(0.1)
        await agent.media(TONE)
        await asyncio.sleep(0.1)
        await agent.socket.close()
        await carrier.wait_ended()
        assert carrier.end == "closed by the server (1000)"
        with pytest.raises(RuntimeError, match="expected a call, but there is none"):
            carrier.press("1")
    assert sum(part.size for part in carrier.truth.segments if part.flushed) > 6000


async def test_goodbye_that_is_under_way_is_heard_before_the_servers_close_arrives() -> None:
    async with call(delay_from_server=0.2) as (carrier, agent):
        await agent.media(TONE)
        await asyncio.sleep(0.5)
        await agent.socket.close()
        closed = now()
        await carrier.wait_ended()
        assert carrier.end == "closed by the server (1000)"
        assert now() == pytest.approx(closed + 0.2)
    assert carrier.playback.sound_end / 8000 == pytest.approx(0.7, abs=0.021)


async def test_server_that_refuses_raises_and_leaves_nothing_behind() -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    carrier = Carrier("ws://agent/media", connector=aiohttp.UnixConnector(path="agent"))
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await carrier.connect()
    await runner.cleanup()


async def test_server_that_does_not_read_loses_caller_audio_and_does_not_hold_up_the_hang_up() -> None:
    gate = asyncio.Event()

    async def deaf(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await gate.wait()
        return socket

    app = web.Application()
    app.router.add_get("/media", deaf)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    async with Carrier("ws://agent/media", connector=aiohttp.UnixConnector(path="agent")) as carrier:
        await asyncio.sleep(600)
        before = now()
    assert carrier.errors[31930] > 1000
    assert now() - before < 16
    assert len(carrier.heard) == 600 * 8000 + 160
    gate.set()
    await runner.cleanup()


async def test_recording_has_caller_left_and_agent_right(tmp_path: Path) -> None:
    async with call() as (carrier, agent):
        await asyncio.sleep(0.05)
        carrier.say(b"\x20" * 800)
        await agent.media(TONE[:1600])
        await asyncio.sleep(0.5)
    path = tmp_path / "call.wav"
    carrier.save_recording(path)
    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getframerate(), recording.getsampwidth()) == (2, 8000, 2)
        assert recording.getnframes() == len(carrier.heard)
        recording.setpos(500)
        frame = recording.readframes(1)
    assert frame == (-7932).to_bytes(2, "little", signed=True) + (-15996).to_bytes(2, "little", signed=True)


@pytest.mark.realtime
async def test_same_carrier_over_loopback_in_real_time() -> None:
    agent = Agent()
    app = web.Application()
    app.router.add_get("/media", agent.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    began = asyncio.get_running_loop().time()
    async with aiohttp.ClientSession() as session:
        async with Carrier(f"ws://{host}:{port}/media", session=session) as carrier:
            await agent.started.wait()
            await agent.media(TONE[:800])
            await agent.mark("end:1")
            await asyncio.sleep(0.25)
        lasted = asyncio.get_running_loop().time() - began  # on a busy machine longer than was slept
        await agent.done.wait()
        assert not session.closed  # it is ours
    await runner.cleanup()
    assert bytes(carrier.heard).strip(b"\xff") == TONE[:800]
    assert [mark.name for mark in agent.of(MarkEchoed)] == ["end:1"]
    assert 10 <= len(agent.of(Media)) <= lasted / 0.02 + 1


# --- the caller --------------------------------------------------------------------------------------------------


async def echo_digits(agent: Agent, event: Event) -> None:
    """An agent that answers each key with half a second of sound."""
    if isinstance(event, Dtmf):
        await agent.media(TONE[:4000])
        await agent.mark("end:x")


async def test_says_reports_when_speech_left_the_mouth() -> None:
    async with call() as (carrier, agent):
        caller = Caller(carrier)
        await caller.waits(0.05)
        said = await caller.says(HELLO)
        ended = now()
    start = carrier.truth.started
    assert (said.started, said.ended) == pytest.approx((start + 0.06, start + 0.86))
    assert (said.speech_started, said.speech_ended) == pytest.approx((start + 0.16, start + 0.66))
    assert caller.speech_end == said.speech_ended
    assert ended == pytest.approx(start + 0.86)
    assert carrier.said[480 : 480 + len(HELLO)] == HELLO
    assert b"".join(event.payload for event in agent.of(Media)).startswith(carrier.said[: 480 + len(HELLO)])


async def test_hears_each_answer_once() -> None:
    async with call() as (carrier, agent):
        agent.on_event = echo_digits
        caller = Caller(carrier)
        for digit in "1#":
            await caller.presses(digit)
            pressed = now()
            heard = await caller.hears()
            assert heard.audio == TONE[:4000]
            assert pressed <= heard.started <= pressed + 0.0201
            assert heard.ended - heard.started == pytest.approx(0.5)
            assert now() - heard.ended == pytest.approx(0.8, abs=0.021)
        await caller.presses("12", interval=2.0)
        await caller.waits(3.0)
        first, second = await caller.hears(), await caller.hears()
        assert second.started - first.started == pytest.approx(2.0, abs=0.021)
    assert [event.digit for event in agent.of(Dtmf)] == ["1", "#", "1", "2"]
    assert carrier.truth.holes() == []


async def test_hears_gives_up_in_words() -> None:
    async with call() as (carrier, agent):
        caller = Caller(carrier, patience=5.0)
        with pytest.raises(GaveUp, match=r"from 0\.00 s to 5\.00 s .* the agent is silent, mute"):
            await caller.hears()
        await agent.media(TONE * 10)
        with pytest.raises(GaveUp, match="still speaking"):
            await caller.hears(timeout=3.0)


async def test_hears_ends_with_the_call() -> None:
    async with call() as (carrier, agent):
        caller = Caller(carrier)
        await agent.media(TONE)
        asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(agent.socket.close()))
        heard = await caller.hears()
        assert len(heard.audio) == pytest.approx(4000, abs=320)
        with pytest.raises(CallEnded, match=r"closed by the server \(1000\)"):
            await caller.hears()
        with pytest.raises(CallEnded, match="before the caller could speak"):
            await caller.says(HELLO)


async def test_interrupts_speaks_over_the_agent_and_sees_when_it_stops() -> None:
    async def stop_when_spoken_to(agent: Agent, event: Event) -> None:
        if isinstance(event, Media) and b"\x20" in event.payload:
            await agent.clear()

    async with call() as (carrier, agent):
        agent.on_event = stop_when_spoken_to
        caller = Caller(carrier)
        await agent.media(TONE * 10)
        result = await caller.interrupts(HELLO, after=2.0)
        assert result.speech.started - result.agent_started == pytest.approx(2.0, abs=0.021)
        assert result.agent_stopped - result.speech.speech_started == pytest.approx(0.02, abs=0.021)
        await agent.media(TONE)
        assert (await caller.hears()).audio == TONE


async def test_interrupting_too_late_is_an_error() -> None:
    async with call() as (carrier, agent):
        caller = Caller(carrier)
        await agent.media(TONE)
        said = "speak for 3.33 s, but it fell silent after 1.00 s: give it more words, or a smaller after"
        with pytest.raises(GaveUp, match=re.escape(said)):
            await caller.interrupts(HELLO, after=10 / 3)


async def test_hangs_up_in_the_middle_of_a_word() -> None:
    async with call() as (carrier, agent):
        caller = Caller(carrier)
        speaking = asyncio.ensure_future(caller.says(TONE))
        await caller.waits(0.3)
        hung_up = now()
        await caller.hangs_up()
        said = await speaking
    assert said.cut
    assert said.speech_ended == said.ended == pytest.approx(hung_up)
    assert sum(event.payload.count(0x10) for event in agent.of(Media)) == pytest.approx(2400, abs=320)
    assert isinstance(agent.events[-1][1], Stopped)


async def test_plays_wav_of_any_rate(tmp_path: Path) -> None:
    import numpy as np

    from voiceloop.audio.wav import write_wav

    path = tmp_path / "tone.wav"
    tone = np.zeros(24000, np.int16)
    tone[8000:16000] = 8000 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 16000)
    write_wav(path, tone, 16000)
    async with call() as (carrier, _):
        caller = Caller(carrier)
        said = await caller.plays(str(path))
    assert len(said.audio) == 12000
    assert said.speech_started - said.started == pytest.approx(0.5, abs=0.005)
    assert said.speech_ended - said.started == pytest.approx(1.0, abs=0.005)


async def test_text_needs_a_voice_and_is_rendered_once() -> None:
    from collections.abc import AsyncGenerator

    from voiceloop.tts.base import TTS, Speech

    class Voice(TTS):
        spoken: tuple[str, ...] = ()

        async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
            async for piece in text:
                self.spoken += (piece,)
                yield Speech(HELLO)

    async with call() as (carrier, _):
        with pytest.raises(ValueError, match="needs a voice"):
            await Caller(carrier).says("hello")
        voice = Voice()
        caller = Caller(carrier, voice)
        assert (await caller.says("hello")).audio == HELLO
        assert (await caller.says("hello")).audio == HELLO
        assert voice.spoken == ("hello",)


def test_speech_bounds_leave_out_silence_and_room_noise() -> None:
    noise = bytes([0xF0, 0x70]) * 400  # amplitude 120
    assert speech_bounds(HELLO) == (800, 4800)
    assert speech_bounds(noise + b"\x10" * 100 + noise) == (800, 900)
    assert speech_bounds(b"\xff" * 100) == (0, 0)
    assert speech_bounds(b"") == (0, 0)


async def test_five_minute_call_is_the_same_on_every_run() -> None:
    logs = []
    for _ in range(2):
        async with call(jitter=0.03, delay_to_server=0.04, delay_from_server=0.04, seed=9) as (carrier, agent):
            agent.on_event = echo_digits
            caller = Caller(carrier)
            start = carrier.truth.started
            for _ in range(20):
                await caller.says(HELLO)
                await caller.presses("5")
                await caller.hears()
            await caller.waits(300 - (now() - start))
        logs.append([(round(entry.at - start, 6), entry.kind, entry.detail) for entry in carrier.truth.log])
    assert logs[0] == logs[1]
    assert len(logs[0]) > 80
