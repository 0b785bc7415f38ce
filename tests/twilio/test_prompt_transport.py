"""A transport on a prompt socket: no task for a message either way, and every limit as on any other socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Digit
from voiceloop.log_context import CALL, logged_as
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.twilio.protocol import MediaStream, Started
from voiceloop.twilio.transport import BREATH, MOST_AT_ONCE, TransportOptions, TwilioTransport


class Message:
    """As aiohttp's."""

    def __init__(self, data: str = "", type: int = 1) -> None:
        self.data = data
        self.type = type


class Prompt:
    """A prompt socket in memory: `comes` is what its connection does when bytes come in."""

    def __init__(self) -> None:
        self.closed = False
        self.take: Callable[[str], bool] | None = None
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.writes: list[list[str]] = []
        self.keeps_up = True
        self.room = asyncio.Event()

    def comes(self, text: str) -> bool:
        if self.queue.empty() and self.take is not None and self.take(text):
            return True
        self.queue.put_nowait(Message(text))
        return False

    def hear(self, take: Callable[[str], bool] | None) -> None:
        self.take = take

    def send_now(self, messages: Sequence[str]) -> bool:
        if self.keeps_up:
            self.writes.append(list(messages))
        return self.keeps_up

    async def receive(self) -> Message:
        return await self.queue.get()

    async def send_str(self, data: str) -> None:
        await self.room.wait()
        self.writes.append([data])

    async def close(self) -> None:
        self.closed = True

    def exception(self) -> None:
        pass


class Ear(Processor):
    """Notes what comes, when, and in which context."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, float]] = []
        self.contexts: set[str] = set()
        self.wants: Callable[[bytes], object] = len

    def on_caller_audio(self, audio: CallerAudio) -> None:
        self.heard.append((audio.audio, self.call.now))
        self.contexts.add(CALL.get())
        self.wants(audio.audio)

    def on_digit(self, digit: Digit) -> None:
        raise RuntimeError("a handler that fails")


class Slow(Processor):
    async def start(self) -> None:
        await asyncio.sleep(1.0)


def media(number: int) -> str:
    payload = base64.b64encode(number.to_bytes(2, "big")).decode()
    body = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number), "payload": payload}
    return json.dumps({"event": "media", "sequenceNumber": str(number), "streamSid": "MZ1", "media": body})


@asynccontextmanager
async def calling(
    *stages: Processor, options: TransportOptions | None = None, runtime: Runtime | None = None
) -> AsyncIterator[tuple[Prompt, TwilioTransport, Ear]]:
    stream = MediaStream()
    started = stream.receive('{"event": "start", "start": {"streamSid": "MZ1", "callSid": "CA1"}}')
    assert isinstance(started, Started)
    socket: Any = Prompt()
    ear = Ear()
    transport = TwilioTransport(socket, stream, started, options)
    call = Call(transport, id="CA1", runtime=runtime)
    with logged_as("CA1"):
        running = asyncio.ensure_future(Pipeline([transport, ear, *stages]).run(call))
    await asyncio.sleep(0.001)
    try:
        yield socket, transport, ear
    finally:
        call.end()
        await running
        assert socket.take is None
        assert socket.closed


async def test_a_message_is_heard_in_the_very_call_that_brings_it_and_in_the_context_of_its_call() -> None:
    async with calling() as (socket, _, ear):
        assert CALL.get() == ""
        for number in range(5):
            assert socket.comes(media(number))
            assert len(ear.heard) == number + 1
            await asyncio.sleep(0.02)
    assert ear.contexts == {"CA1"}
    assert [number for number, _ in ear.heard] == [number.to_bytes(2, "big") for number in range(5)]


async def test_before_the_call_begins_messages_wait_for_the_reader_and_none_overtakes_another() -> None:
    async with calling(Slow()) as (socket, _, ear):
        for number in range(10):
            assert not socket.comes(media(number))
        await asyncio.sleep(1.0)
        assert socket.comes(media(10))
    assert [int.from_bytes(audio, "big") for audio, _ in ear.heard] == list(range(11))


async def test_so_many_messages_at_once_leave_others_their_turn_and_stay_in_order() -> None:
    turns: list[int] = []
    async with calling() as (socket, _, ear):
        taken = [socket.comes(media(number)) for number in range(4 * MOST_AT_ONCE)]
        assert taken.count(True) == taken.index(False) == len(ear.heard) < MOST_AT_ONCE
        while len(ear.heard) < len(taken):
            turns.append(len(ear.heard))
            await asyncio.sleep(0)
        await asyncio.sleep(BREATH)
        assert socket.comes(media(len(taken)))
    assert [int.from_bytes(audio, "big") for audio, _ in ear.heard] == list(range(len(taken) + 1))
    assert max(after - before for before, after in pairwise(turns)) <= MOST_AT_ONCE


async def test_a_flood_of_messages_that_take_long_leaves_others_their_turn_too() -> None:
    async with calling() as (socket, transport, ear):
        assert transport._engine is not None
        clock = [transport._engine.time()]
        transport._engine.time = lambda: clock[0]
        ear.wants = lambda _: clock.append(clock.pop() + 0.001)
        taken = [socket.comes(media(number)) for number in range(4 * MOST_AT_ONCE)]
        assert taken.index(False) <= MOST_AT_ONCE
        for _ in range(20):
            await asyncio.sleep(0)
        clock.append(clock.pop() + 0.02)
    assert len(ear.heard) == len(taken)


async def test_a_handler_that_fails_costs_its_fault_and_not_the_line() -> None:
    async with calling() as (socket, transport, ear):
        assert socket.comes('{"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "1"}}')
        assert socket.comes(media(1))
        assert len(ear.heard) == 1
        assert [fault.kind for fault in transport.call.faults] == ["Ear.on_digit"]


async def test_what_breaks_the_transport_itself_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async with calling() as (socket, transport, _):
        monkeypatch.setattr(transport, "receive", lambda data: 1 / 0)
        assert socket.comes(media(1))
        call = transport.call
        assert call.ending == "disconnected"
        assert [(fault.kind, fault.message) for fault in call.faults] == [
            ("twilio reader", "ZeroDivisionError: division by zero")
        ]


async def test_a_stream_of_rubbish_ends_the_call_at_its_limit() -> None:
    async with calling(options=TransportOptions(refusals=20)) as (socket, transport, _):
        call = transport.call
        for _ in range(20):
            socket.comes("rubbish")
        await asyncio.sleep(0.1)
        assert call.ending == "protocol"


async def test_a_socket_that_is_closed_ends_the_call() -> None:
    async with calling() as (socket, transport, _):
        call = transport.call
        socket.queue.put_nowait(Message(type=257))
        await asyncio.sleep(0)
        assert not socket.comes(media(1))  # the close is before it
        await asyncio.sleep(0.1)
        assert call.ending == "disconnected"


async def test_what_is_sent_in_one_go_is_one_write_and_a_clear_takes_back_its_audio() -> None:
    async with calling() as (socket, transport, _):
        before = len(asyncio.all_tasks())
        transport.send_mark("a")
        transport.send_media(b"\0")
        transport.send_mark("b")
        assert socket.writes == []
        await asyncio.sleep(0)
        assert [json.loads(message)["event"] for message in socket.writes.pop()] == ["mark", "media", "mark"]
        assert len(asyncio.all_tasks()) == before
        transport.send_mark("c")
        transport.send_media(b"\0")
        transport.send_clear()
        await asyncio.sleep(0)
        assert [json.loads(message)["event"] for message in socket.writes.pop()] == ["mark", "clear"]
        assert socket.writes == []


async def test_what_is_said_before_the_call_begins_is_written_when_it_does() -> None:
    class Early(Processor):
        async def start(self) -> None:
            self.call.transport.send_mark("early")  # type: ignore[attr-defined]

    async with calling(Early(), Slow()) as (socket, _, _ear):
        assert socket.writes == []
        await asyncio.sleep(1.0)
        assert [json.loads(message)["mark"]["name"] for (message,) in socket.writes] == ["early"]


async def test_to_one_who_does_not_read_a_task_writes_in_order_and_the_bound_holds() -> None:
    async with calling(options=TransportOptions(unsent=2000)) as (socket, transport, _):
        call = transport.call
        before = len(asyncio.all_tasks())
        transport.send_mark("a")
        await asyncio.sleep(0)
        socket.keeps_up = False
        transport.send_mark("b")
        transport.send_mark("c")
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before + 1
        transport.send_mark("d")
        socket.keeps_up = True
        socket.room.set()
        await asyncio.sleep(0.1)
        transport.send_mark("e")
        await asyncio.sleep(0.1)
        assert [json.loads(message)["mark"]["name"] for write in socket.writes for message in write] == list("abcde")
        socket.room.clear()
        for _ in range(3):
            transport.send_media(bytes(800))
        assert call.ending == "disconnected"
        assert [fault.kind for fault in call.faults] == ["twilio.unsent"]


@pytest.mark.parametrize("keeps_up", [True, False])
@pytest.mark.parametrize("ends_first", [True, False])
async def test_at_the_end_what_is_left_is_written(keeps_up: bool, ends_first: bool) -> None:
    async with calling() as (socket, transport, _):
        socket.keeps_up = keeps_up
        socket.room.set()
        if ends_first:
            transport.call.end()
            await asyncio.sleep(0)
        transport.send_mark("last")
        transport.call.end()
    assert [json.loads(message)["mark"]["name"] for write in socket.writes for message in write] == ["last"]


async def test_a_connection_that_is_lost_at_the_end_is_closed_and_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(data: str) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    async with calling() as (socket, transport, _):
        call = transport.call
        monkeypatch.setattr(socket, "send_str", lost)
        socket.keeps_up = False
        call.end()
        transport.send_mark("last")
    assert socket.closed
    assert [(fault.kind, fault.message) for fault in call.faults] == []


async def test_every_message_is_in_the_log_of_the_call() -> None:
    async with Runtime(log_events=True) as runtime, calling(runtime=runtime) as (socket, transport, _):
        log = transport.call.log
        assert log is not None
        assert socket.comes(media(1))
        transport.send_mark("a")
        await asyncio.sleep(0)
        assert [(kind, json.loads(detail)["event"]) for _, kind, detail in log.events if kind in ("in", "out")] == [
            ("in", "media"),
            ("out", "mark"),
        ]
