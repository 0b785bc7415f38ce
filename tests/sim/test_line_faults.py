"""Faults of the line, one by one, as they show on the wire."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from voiceloop.audio.levels import level
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.line_faults import (
    BY_KIND,
    Bunched,
    Closed,
    CutFromServer,
    CutToServer,
    Doubled,
    HalfOpen,
    Late,
    LineEcho,
    LineFault,
    Lost,
    MarksDoubled,
    MarksEarly,
    MarksLate,
    MarksNever,
    MarksSwapped,
    Noise,
    NoStop,
    Rubbish,
    Stall,
    StrayMark,
    draw_fault,
    fault_from_dict,
)
from voiceloop.sim.line_frames import TEXT, client_frame, frame_size
from voiceloop.sim.line_rubbish import FATAL, RUBBISH, rubbish

TONE = b"\x10" * 8000  # 1 s


class _Counting(asyncio.Protocol):
    """Between a connection and its protocol: counts the bytes that come."""

    def __init__(self, agent: Agent, inner: Any) -> None:
        self._agent = agent
        self._inner = inner

    def data_received(self, data: bytes) -> None:
        self._agent.received += len(data)
        self._inner.data_received(data)

    def eof_received(self) -> Any:
        return self._inner.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class Agent:
    """The server's side: keeps each message and when it came, and the bytes of the connection."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.raw: list[tuple[float, Any]] = []
        self.started = asyncio.Event()
        self.done = asyncio.Event()
        self.close_code: int | None = None
        self.sid = ""
        self.received = 0

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await self.socket.prepare(request)
        transport = request.transport
        assert transport is not None
        transport.set_protocol(_Counting(self, transport.get_protocol()))
        async for message in self.socket:
            now = asyncio.get_running_loop().time()
            if message.type is not aiohttp.WSMsgType.TEXT:
                self.raw.append((now, message.data))
                continue
            try:
                data = json.loads(message.data)
            except (ValueError, RecursionError):
                self.raw.append((now, message.data))
                continue
            self.messages.append((now, data))
            if isinstance(data, dict) and data.get("event") == "start":
                self.sid = data["streamSid"]
                self.started.set()
        self.close_code = self.socket.close_code
        self.done.set()
        return self.socket

    async def send(self, event: str, **body: Any) -> None:
        message = {"event": event, "streamSid": self.sid, **({event: body} if body else {})}
        await self.socket.send_str(json.dumps(message, separators=(",", ":")))

    async def media(self, audio: bytes) -> None:
        from base64 import b64encode

        await self.send("media", payload=b64encode(audio).decode())

    async def mark(self, name: str) -> None:
        await self.send("mark", name=name)

    def of(self, event: str) -> list[tuple[float, dict[str, Any]]]:
        return [
            (round(at, 6), data) for at, data in self.messages if isinstance(data, dict) and data.get("event") == event
        ]

    def marks(self) -> list[tuple[str, float]]:
        return [(data["mark"]["name"], at) for at, data in self.of("mark")]

    def timestamps(self) -> list[int]:
        return [int(data["media"]["timestamp"]) for _, data in self.of("media")]


@asynccontextmanager
async def line(*faults: LineFault, **options: Any) -> AsyncIterator[tuple[Carrier, Agent]]:
    agent = Agent()
    app = web.Application()
    app.router.add_get("/media", agent.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, "agent").start()
    connector = aiohttp.UnixConnector(path="agent")
    carrier = Carrier("ws://agent/media", options=CarrierOptions(faults=faults, **options), connector=connector)
    try:
        async with carrier:
            yield carrier, agent
        await agent.done.wait()
    finally:
        await runner.cleanup()


def struck(carrier: Carrier) -> list[tuple[float, LineFault]]:
    """What was injected, and when, from the start of the stream."""
    return [(round(at - carrier.truth.started, 3), fault) for at, fault in carrier.injected]


# --- messages on their way -------------------------------------------------------------------------------------------


async def test_late_messages_come_later_in_order_and_hold_up_those_behind() -> None:
    fault = Late(at=0.1, length=0.1, by=0.3)
    async with line(fault) as (carrier, agent):
        await asyncio.sleep(1.005)
    assert agent.timestamps() == list(range(0, 1000, 20))
    late = {
        timestamp: at - (timestamp + 20) / 1000
        for timestamp, (at, _) in zip(agent.timestamps(), agent.of("media"), strict=True)
    }
    assert late[60] == pytest.approx(0.0, abs=1e-6)
    assert [late[timestamp] for timestamp in range(80, 180, 20)] == pytest.approx([0.3] * 5)
    assert late[180] == pytest.approx(0.28)  # not late itself, but behind one that is due at 0.48
    assert late[480] == pytest.approx(0.0, abs=1e-6)
    assert struck(carrier) == [(0.1, fault)]


async def test_bunched_messages_come_at_once_at_the_end_of_the_window() -> None:
    async with line(Bunched(at=0.11, length=0.3), delay_to_server=0.05) as (_, agent):
        await asyncio.sleep(0.805)
    at = [at for at, _ in agent.of("media")]
    assert at[:5] == pytest.approx([0.07, 0.09, 0.11, 0.13, 0.15])
    assert at[5:18] == pytest.approx([0.41] * 13)
    assert at[18:20] == pytest.approx([0.43, 0.45])
    assert agent.timestamps() == sorted(agent.timestamps())


async def test_the_agents_messages_may_be_late_and_bunched_too() -> None:
    faults = Late(at=0.19, length=0.1, by=0.25, way="from server"), Bunched(at=1.0, length=0.5, way="from server")
    async with line(*faults) as (carrier, agent):
        for _ in range(70):
            await asyncio.sleep(0.02)
            await agent.media(TONE[:160])
        await asyncio.sleep(0.5)
        at = [entry.at for entry in carrier.truth.log if entry.kind == "media"]
    assert at[:9] == pytest.approx([0.02 * (index + 1) for index in range(9)])
    assert at[9:14] == pytest.approx([0.02 * (index + 1) + 0.25 for index in range(9, 14)])
    assert [round(time, 3) for time in at].count(1.5) == pytest.approx(21, abs=1)
    assert agent.timestamps()[-1] == 1880  # the other direction knows nothing of it
    assert [fault for _, fault in carrier.injected] == list(faults)


@pytest.mark.parametrize("numbered", [True, False])
async def test_lost_messages_leave_a_gap_in_the_timestamps(numbered: bool) -> None:
    async with line(Lost(at=0.1, count=3, numbered=numbered)) as (_, agent):
        await asyncio.sleep(0.301)
    assert agent.timestamps() == [0, 20, 40, 60, *range(140, 300, 20)]
    chunks = [int(data["media"]["chunk"]) for _, data in agent.of("media")]
    sequence = [int(data["sequenceNumber"]) for _, data in agent.of("media")]
    assert chunks == ([1, 2, 3, 4, *range(8, 16)] if numbered else list(range(1, 13)))
    assert sequence == [chunk + 1 for chunk in chunks]


async def test_doubled_messages_are_the_same_to_the_letter() -> None:
    async with line(Doubled(at=0.1, count=2)) as (_, agent):
        await asyncio.sleep(0.201)
    assert agent.timestamps() == [0, 20, 40, 60, 80, 80, 100, 100, 120, 140, 160, 180]
    media = [data for _, data in agent.of("media")]
    assert media[4] == media[5] != media[6] == media[7]


# --- the connection --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 5, 100, 444, 1000, 5001])
async def test_connection_breaks_after_any_byte_to_the_server(after: int) -> None:
    fault = CutToServer(after)
    async with line(fault) as (carrier, agent):
        await agent.done.wait()
        await carrier.wait_ended()
        assert carrier.end == "cut"
        assert carrier.ended
    assert agent.received == after
    assert agent.close_code == 1006
    assert agent.of("stop") == []
    assert [given for _, given in carrier.injected] == [fault]


@pytest.mark.realtime
async def test_connection_breaks_after_any_byte_over_loopback_too() -> None:
    agent = Agent()
    app = web.Application()
    app.router.add_get("/media", agent.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    options = CarrierOptions(faults=(CutToServer(2001), Stall(at=0.03, seconds=0.05)))
    async with Carrier(f"ws://{host}:{port}/media", options=options) as carrier:
        await agent.done.wait()
        await carrier.wait_ended()
    await runner.cleanup()
    assert (agent.received, agent.close_code, carrier.end) == (2001, 1006, "cut")
    assert [fault.kind for _, fault in carrier.injected] == ["stall", "cut to server"]


async def test_connection_breaks_after_any_byte_from_the_server() -> None:
    whole = frame_size(
        len(json.dumps({"event": "clear", "streamSid": "MZ" + "0" * 32}, separators=(",", ":"))), masked=False
    )
    for after, taken in ((0, 0), (whole - 1, 0), (whole, 1), (3 * whole, 3), (4 * whole - 1, 3)):
        async with line(CutFromServer(after)) as (carrier, agent):
            await agent.started.wait()
            for _ in range(5):
                await asyncio.sleep(0.1)
                if not agent.done.is_set():
                    await agent.send("clear")
            await carrier.wait_ended()
            assert carrier.end == "cut"
        assert len(carrier.truth.clears) == taken
        assert agent.close_code == 1006


async def test_cut_beyond_the_end_of_the_call_is_none() -> None:
    async with line(CutToServer(10**9), CutFromServer(10**9)) as (carrier, agent):
        await asyncio.sleep(0.5)
    assert (carrier.end, carrier.injected, agent.close_code) == ("hung up", [], 1000)


async def test_closed_is_a_polite_close_without_a_stop() -> None:
    async with line(Closed(at=0.3)) as (carrier, agent):
        await carrier.wait_ended()
        assert asyncio.get_running_loop().time() == pytest.approx(0.3)
    assert (carrier.end, agent.close_code, agent.of("stop")) == ("closed", 1000, [])


async def test_no_stop_when_the_caller_hangs_up() -> None:
    async with line(NoStop()) as (carrier, agent):
        await asyncio.sleep(0.1)
    assert (carrier.end, agent.close_code, agent.of("stop")) == ("hung up", 1000, [])
    assert struck(carrier) == [(0.1, NoStop())]


async def test_half_open_delivers_nothing_either_way_and_tells_nobody() -> None:
    async with line(HalfOpen(at=0.3)) as (carrier, agent):
        await asyncio.sleep(1.0)
        await agent.media(TONE)
        await asyncio.sleep(1.0)
        assert agent.timestamps()[-1] == 280
        assert not carrier.ended
        assert carrier.playback.sound_end == 0
        assert len(carrier.heard) > 2 * 8000 - 320  # the line to the caller is open
        assert not agent.done.is_set()
        begun = asyncio.get_running_loop().time()
    assert carrier.end == "hung up"
    assert asyncio.get_running_loop().time() - begun < 16
    assert agent.of("stop") == []


# --- what an outsider can send ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", list(RUBBISH))
async def test_rubbish_is_sent_in_the_midst_of_the_stream(what: str) -> None:
    async with line(Rubbish(at=0.2, what=what)) as (carrier, agent):
        await asyncio.sleep(0.5)
        ended = carrier.ended
    assert ended is (what in FATAL)
    if what in FATAL:
        assert carrier.end == f"closed by the server ({FATAL[what]})"
    else:
        assert agent.of("media")[-1][0] == pytest.approx(carrier.truth.started + 0.5)
        assert len(agent.of("stop")) == (2 if what == "stop of another stream" else 1)


def test_rubbish_of_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of empty text, .*got 'silly'"):
        Rubbish(at=1.0, what="silly")


def test_frames_have_the_sizes_that_are_counted() -> None:
    for size in (0, 125, 126, 65535, 65536):
        assert len(client_frame(TEXT, b"x" * size)) == frame_size(size, masked=True)
    assert frame_size(10, masked=False) == 12


def test_rubbish_is_not_too_big_to_be_sent() -> None:
    assert max(len(rubbish(what, "MZ" + "1" * 32)) for what in RUBBISH) == 5_000_000


# --- marks -----------------------------------------------------------------------------------------------------------


async def marks(*faults: LineFault) -> tuple[Carrier, Agent]:
    """Three marks, each behind 0.2 s of audio that starts at 0.12 s, and an end mark 0.2 s later."""
    async with line(*faults) as (carrier, agent):
        await asyncio.sleep(0.11)
        for name in ("a", "b", "c", "end:1"):
            await agent.media(TONE[:1600])
            await agent.mark(name)
        await asyncio.sleep(3.0)
    start = carrier.truth.started
    agent.messages = [(at - start, data) for at, data in agent.messages]
    for mark in carrier.truth.marks:
        mark.reached_at = None if mark.reached_at is None else mark.reached_at - start
        mark.echoed_at = None if mark.echoed_at is None else mark.echoed_at - start
    reached = [mark.reached_at for mark in carrier.truth.marks]
    assert reached == pytest.approx([0.32, 0.52, 0.72, 0.92])  # whatever the echoes say
    return carrier, agent


def echoes(*expected: tuple[str, float]) -> list[tuple[str, Any]]:
    return [(name, pytest.approx(at, abs=0.011)) for name, at in expected]


async def test_early_marks_are_echoed_before_their_audio() -> None:
    carrier, agent = await marks(MarksEarly(first=1, count=2, by=0.3))
    assert agent.marks() == echoes(("b", 0.22), ("a", 0.32), ("c", 0.42), ("end:1", 0.92))
    assert [mark.echoed_at for mark in carrier.truth.marks] == pytest.approx([0.32, 0.22, 0.42, 0.92], abs=0.02)


async def test_early_marks_are_not_echoed_before_they_are_set() -> None:
    _, agent = await marks(MarksEarly(by=5.0))
    assert agent.marks() == echoes(*((name, 0.12) for name in ("a", "b", "c", "end:1")))


async def test_late_marks_may_be_overtaken() -> None:
    _, agent = await marks(MarksLate(first=0, count=1, by=0.5))
    assert agent.marks() == echoes(("b", 0.52), ("c", 0.72), ("a", 0.82), ("end:1", 0.92))
    _, agent = await marks(MarksLate(by=1.0))
    assert agent.marks() == echoes(("a", 1.32), ("b", 1.52), ("c", 1.72), ("end:1", 1.92))


async def test_marks_never_echoed_are_known_to_be_so() -> None:
    carrier, agent = await marks(MarksNever(first=2))
    assert [name for name, _ in agent.marks()] == ["a", "b"]
    assert [mark.echoed_at is None for mark in carrier.truth.marks] == [False, False, True, True]


async def test_marks_echoed_twice_and_swapped() -> None:
    _, agent = await marks(MarksDoubled(first=1, count=1))
    assert [name for name, _ in agent.marks()] == ["a", "b", "b", "c", "end:1"]
    _, agent = await marks(MarksSwapped(first=1, count=1))
    assert [name for name, _ in agent.marks()] == ["a", "c", "b", "end:1"]
    assert agent.marks()[2][1] == pytest.approx(0.72)


async def test_mark_that_was_never_set() -> None:
    carrier, agent = await marks(StrayMark(at=0.2, name="f:1"))
    name, at = agent.marks()[0]
    assert (name, round(at, 3)) == ("f:1", 0.2)
    assert len(carrier.truth.marks) == 4


async def test_early_mark_that_a_clear_flushes_is_not_echoed_again() -> None:
    async with line(MarksEarly(by=0.5)) as (carrier, agent):
        await agent.started.wait()
        await agent.media(TONE)
        await agent.mark("a")
        await asyncio.sleep(0.7)
        await agent.send("clear")
        await asyncio.sleep(0.5)
    assert [name for name, _ in agent.marks()] == ["a"]
    assert [(mark.flushed, mark.reached_at) for mark in carrier.truth.marks] == [(True, None)]


# --- what is heard on the line ---------------------------------------------------------------------------------------


async def sent_audio(*faults: LineFault) -> tuple[Carrier, bytes]:
    from base64 import b64decode

    async with line(*faults) as (carrier, agent):
        await agent.started.wait()
        await agent.media(TONE[:4000])
        await asyncio.sleep(1.505)
    return carrier, b"".join(b64decode(data["media"]["payload"]) for _, data in agent.of("media"))


async def test_agents_voice_comes_back_later_and_softer() -> None:
    carrier, audio = await sent_audio(LineEcho(delay=0.2, level=-20.0))
    first = carrier.heard.find(b"\x10")
    assert audio[: first + 1600].strip(b"\xff") == b""
    echo = audio[first + 1600 : first + 1600 + 4000]
    assert level(TONE[:4000]) - level(echo) == pytest.approx(20.0, abs=0.3)
    assert audio[first + 5600 :].strip(b"\xff") == b""
    assert bytes(carrier.said).strip(b"\xff") == b""  # the caller said nothing


async def test_noise_has_its_level_within_its_window_and_is_the_same_for_a_seed() -> None:
    carrier, audio = await sent_audio(Noise(level=-45.0, at=0.5, length=0.5, seed=3))
    assert audio[:4000].strip(b"\xff") == b""
    assert level(audio[4000:8000]) == pytest.approx(-45.0, abs=0.5)
    assert audio[8000:].strip(b"\xff") == b""
    assert struck(carrier) == [(0.5, Noise(level=-45.0, at=0.5, length=0.5, seed=3))]
    assert (await sent_audio(Noise(level=-45.0, at=0.5, length=0.5, seed=3)))[1] == audio
    assert (await sent_audio(Noise(level=-45.0, at=0.5, length=0.5, seed=4)))[1] != audio


# --- as data ---------------------------------------------------------------------------------------------------------


def test_every_fault_is_drawn_by_seed_and_goes_through_json() -> None:
    for kind in BY_KIND:
        drawn = [draw_fault(random.Random(f"fault {seed}"), 30.0, (kind,)) for seed in range(50)]
        again = [draw_fault(random.Random(f"fault {seed}"), 30.0, (kind,)) for seed in range(50)]
        assert drawn == again
        assert all(fault_from_dict(json.loads(json.dumps(fault.as_dict()))) == fault for fault in drawn)
        assert {fault.kind for fault in drawn} == {kind}
        assert kind == "no stop" or len(set(drawn)) > 5


def test_what_is_no_fault_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"expected a fault of kind late, bunched, .* got 'flood'"):
        fault_from_dict({"kind": "flood"})
    with pytest.raises(ValueError, match="a fault of kind 'lost' has the fields at, count, numbered"):
        fault_from_dict({"kind": "lost", "when": 3})
    with pytest.raises(ValueError, match="Late: expected by of 0 or more, got -1"):
        Late(at=1.0, length=1.0, by=-1)
    with pytest.raises(ValueError, match="expected way to be one of to server, from server; got 'up'"):
        fault_from_dict({"kind": "bunched", "at": 1.0, "length": 1.0, "way": "up"})


async def test_call_with_all_faults_is_the_same_on_every_run() -> None:
    draws = random.Random("all faults")
    kinds = [kind for kind in BY_KIND if kind not in ("cut to server", "cut from server", "closed", "half-open")]
    faults = [BY_KIND[kind].draw(draws, 1.5) for kind in kinds for _ in range(2)]
    faults = [fault for fault in faults if not (isinstance(fault, Rubbish) and fault.fatal)]
    logs = []
    for _ in range(2):
        async with line(*faults, jitter=0.01) as (carrier, agent):
            start = carrier.truth.started
            for index in range(10):
                await asyncio.sleep(0.3)
                await agent.media(TONE[:1600])
                await agent.mark(f"end:{index}")
        logs.append([(round(entry.at - start, 6), entry.kind, entry.detail) for entry in carrier.truth.log])
    assert logs[0] == logs[1]
    assert len(carrier.injected) > 15
