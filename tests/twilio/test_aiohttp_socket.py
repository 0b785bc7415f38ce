"""A prompt socket hands messages over as they come and sends without a task; all else is aiohttp's as ever."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp._websocket import reader

from voiceloop.twilio import aiohttp_socket
from voiceloop.twilio.aiohttp_socket import frame, prompt, socket_for
from voiceloop.twilio.socket import PromptSocket

NAMES = itertools.count(1)
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Handler = Callable[[Any], Awaitable[None]]
Serving = Callable[[Handler], AbstractAsyncContextManager[str]]


def masked(text: str, opcode: int = 0x81) -> bytes:
    """A client's frame of up to 125 bytes; the mask is of zeros."""
    data = text.encode()
    return bytes((opcode, 0x80 | len(data))) + bytes(4) + data


@pytest.fixture
def serving() -> Serving:
    """``serving(handler)``: a server whose sockets a handler gets; gives its name."""

    @asynccontextmanager
    async def serve(handler: Handler) -> AsyncIterator[str]:
        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = socket_for(max_msg_size=100_000)
            await socket.prepare(request)
            await handler(socket)
            return socket

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await runner.setup()
        path = f"prompt-{next(NAMES)}"
        await web.UnixSite(runner, path).start()
        try:
            yield path
        finally:
            await runner.cleanup()

    return serve


@asynccontextmanager
async def client(path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=path)) as session,
        session.ws_connect("http://localhost/") as socket,
    ):
        yield socket


@asynccontextmanager
async def raw(path: str, first: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that writes what it likes."""
    reading, writing = await asyncio.open_unix_connection(path)
    writing.write(HANDSHAKE + first)
    assert (await reading.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    try:
        yield reading, writing
    finally:
        writing.close()
        await writing.wait_closed()


class Ear:
    """Takes messages, as long as it likes, and notes what the socket brings otherwise."""

    def __init__(self, takes: int = 1000) -> None:
        self.takes = takes
        self.taken: list[str] = []
        self.received: list[Any] = []
        self.socket: Any = None

    def take(self, message: str) -> bool:
        if len(self.taken) >= self.takes:
            return False
        self.taken.append(message)
        return True

    async def __call__(self, socket: Any) -> None:
        self.socket = socket
        socket.hear(self.take)
        while (message := await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.received.append(message.data)
        self.received.append(message.type)


async def test_the_installed_aiohttp_is_as_we_know_it() -> None:
    assert prompt()
    assert isinstance(socket_for(max_msg_size=1), PromptSocket)


async def test_text_is_taken_as_it_comes_and_everything_else_is_received(serving: Serving) -> None:
    ear = Ear()
    async with serving(ear) as path, client(path) as socket:
        for text in ("one", "two", "ü" * 40_000):
            await socket.send_str(text)
        await socket.send_bytes(b"three")
        await asyncio.sleep(0.1)
        await socket.send_str("four")
        await socket.close()
    assert ear.taken == ["one", "two", "ü" * 40_000, "four"]
    assert ear.received == [b"three", WSMsgType.CLOSE]


async def test_no_message_overtakes_one_that_waits(serving: Serving) -> None:
    ear = Ear(takes=2)
    async with serving(ear) as path, raw(path) as (_, writing):
        writing.write(b"".join(masked(str(number)) for number in range(10)))
        await asyncio.sleep(0.1)
        ear.takes = 1000
        writing.write(masked("later"))
        await asyncio.sleep(0.1)
    assert ear.taken == ["0", "1", "later"]
    assert ear.received[:8] == [str(number) for number in range(2, 10)]


async def test_what_came_with_the_handshake_is_received(serving: Serving) -> None:
    ear = Ear()
    cut = masked("second")
    async with serving(ear) as path, raw(path, masked("first") + cut[:3]) as (_, writing):
        writing.write(cut[3:] + masked("third"))
        await asyncio.sleep(0.1)
        assert ear.socket.send_now(["answer"])
    assert ear.taken == []
    assert ear.received[:3] == ["first", "second", "third"]


async def test_fragments_make_one_message_and_a_ping_among_them_is_answered(serving: Serving) -> None:
    ear = Ear()
    async with serving(ear) as path, raw(path) as (reading, writing):
        writing.write(masked("hel", 0x01) + masked("hi", 0x89) + masked("lo", 0x80))
        assert await reading.readexactly(4) == b"\x8a\x02hi"
    assert ear.taken + ear.received[:-1] == ["hello"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [(masked("x" * 10, 0x83), 1002), (b"\x81\x81\0\0\0\0\xff", 1007), (b"\x81\xff\0\0\0\0\0\x10\0\0", 1009)],
    ids=["no such opcode", "not UTF-8", "too long"],
)
async def test_what_is_no_message_closes_the_socket_with_its_code(serving: Serving, sent: bytes, code: int) -> None:
    ear = Ear()
    async with serving(ear) as path, raw(path) as (reading, writing):
        writing.write(masked("good") + sent)
        assert (await reading.readexactly(4))[2:] == code.to_bytes(2, "big")
        await asyncio.sleep(0.1)
    assert ear.taken == ["good"]
    assert ear.received == [WSMsgType.ERROR]


async def test_a_flood_that_nobody_takes_stays_in_the_senders_socket(serving: Serving) -> None:
    goes_on = asyncio.Event()
    sockets = []

    async def idle(socket: Any) -> None:
        sockets.append(socket)
        socket.hear(lambda message: False)
        await goes_on.wait()

    async with serving(idle) as path, raw(path) as (_, writing):
        for _ in range(200):
            writing.write(masked("x" * 100) * 1000)
        await asyncio.sleep(1.0)
        assert sockets[0]._reader._size < 2_000_000
        assert writing.transport.get_write_buffer_size() > 10_000_000
        goes_on.set()
        writing.transport.abort()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 90_000])
async def test_what_is_sent_at_once_arrives_in_order_with_what_is_sent_otherwise(serving: Serving, size: int) -> None:
    async def speak(socket: Any) -> None:
        assert socket.send_now(["x" * size, "ü"])
        await socket.send_str("awaited")
        assert socket.send_now(["last"])

    async with serving(speak) as path, client(path) as socket:
        assert [await socket.receive_str() for _ in range(4)] == ["x" * size, "ü", "awaited", "last"]
        assert (await socket.receive()).type == WSMsgType.CLOSE


async def test_nothing_is_sent_at_once_to_one_who_does_not_read_or_is_gone(serving: Serving) -> None:
    done = asyncio.Event()
    said: list[bool] = []

    async def speak(socket: Any) -> None:
        while socket.send_now(["x" * 10_000]):
            said.append(True)
        said.append(socket.send_now(["more"]))
        await socket.close(drain=False)
        said.append(socket.send_now(["after the close"]))
        done.set()

    async with serving(speak) as path, raw(path) as (_, writing):
        await asyncio.sleep(0.1)
        writing.transport.abort()
        await done.wait()
    assert 5 < len(said) < 200
    assert said[-2:] == [False, False]


def test_a_frame_has_the_head_of_its_length() -> None:
    assert frame("a" * 125)[:3] == b"\x81\x7da"
    assert frame("a" * 126)[:5] == b"\x81\x7e\x00\x7ea"
    assert frame("a" * 65_536)[:11] == b"\x81\x7f\0\0\0\0\0\1\0\0a"
    assert frame("ü") == b"\x81\x02\xc3\xbc"


class Other:
    """A queue that calls its method otherwise."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._buffer: list[Any] = []

    def feed(self, data: Any) -> None:
        self._buffer.append(data)


@pytest.mark.parametrize("change", ["queue", "signature", "slots"])
async def test_an_aiohttp_that_is_another_one_gets_a_plain_socket(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    if change == "queue":
        monkeypatch.setattr(reader, "WebSocketDataQueue", Other)
    elif change == "signature":
        monkeypatch.setattr(web.WebSocketResponse, "_post_start", lambda self, request: None)
    else:
        monkeypatch.setattr("aiohttp.web_protocol.RequestHandler", object)
    caches = (prompt, aiohttp_socket._prompt_queue, aiohttp_socket._prompt_socket)
    for cached in caches:
        cached.cache_clear()
    try:
        assert not prompt()
        assert type(socket_for(max_msg_size=1)) is web.WebSocketResponse
    finally:
        monkeypatch.undo()
        for cached in caches:
            cached.cache_clear()
