"""Strangers who send slowly, nothing at all, too much, or nonsense; and calls beside them."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import pytest

from tests.security.asking import HOST, ask, genuine, handshake, port_of, server, start, token_of
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.serve import Serving
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio import ACCOUNT
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign

UPGRADE = (
    f"GET /media HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
"""The handshake of a WebSocket, but for the empty line at its end."""
CALLS = itertools.count(1)


class Stranger:
    """A connection that does as it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.got = b""
        """What has come back."""
        self._reading = asyncio.create_task(self._read(reader))

    @property
    def cut(self) -> bool:
        """Whether the other side has ended it."""
        return self._reading.done()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(10_000):
                self.got += data

    async def go(self) -> None:
        """Hang up."""
        self._reading.cancel()
        self.writer.close()
        await asyncio.gather(self._reading, self.writer.wait_closed(), return_exceptions=True)


Strangers = Callable[[bytes], Awaitable[Stranger]]


@asynccontextmanager
async def strangers(serving: Serving) -> AsyncIterator[Strangers]:
    """Connections that send something and then nothing."""
    opened: list[Stranger] = []

    async def come(data: bytes) -> Stranger:
        stranger = Stranger(*await asyncio.open_connection("127.0.0.1", port_of(serving)))
        opened.append(stranger)
        stranger.writer.write(data)
        return stranger

    try:
        yield come
    finally:
        for stranger in opened:
            await stranger.go()


async def takes_a_call(serving: Serving, *, signed: bool = True) -> Carrier:
    """A genuine new call: its webhook, and its stream."""
    sid = f"CA{next(CALLS):032x}"
    status, twiml = await ask(serving, genuine(form={"AccountSid": ACCOUNT, "CallSid": sid, "CallStatus": "ringing"}))
    assert status == 200, twiml
    carrier = Carrier(
        f"{serving.url}/media",
        parameters={"token": token_of(twiml)},
        call_sid=sid,
        account_sid=ACCOUNT,
        headers=handshake() if signed else {"Host": HOST},
    )
    await carrier.__aenter__()
    await asyncio.sleep(0.5)
    assert carrier.end == ""
    assert sid in serving.phone.manager
    return carrier


def logged(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


# --- slowly ---------------------------------------------------------------------------------------------------


async def test_headers_that_come_byte_by_byte_are_not_waited_for() -> None:
    async with server() as serving, strangers(serving) as come:
        stranger = await come(b"")
        began = asyncio.get_running_loop().time()
        for byte in itertools.cycle(b"POST /voice HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 100):
            stranger.writer.write(bytes([byte]))
            await asyncio.sleep(0.5)
            if stranger.cut:
                break
        assert asyncio.get_running_loop().time() - began == pytest.approx(20.0, abs=1.0)


async def test_a_body_that_comes_byte_by_byte_is_not_waited_for() -> None:
    async with server() as serving, strangers(serving) as come:
        stranger = await come(b"POST /voice HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        began = asyncio.get_running_loop().time()
        while not stranger.cut:
            stranger.writer.write(b"a")
            await asyncio.sleep(0.25)
        assert asyncio.get_running_loop().time() - began == pytest.approx(6.0, abs=0.5)
        assert stranger.got.startswith(b"HTTP/1.1 408")


async def test_a_kept_connection_that_asks_nothing_more_is_closed() -> None:
    async with server() as serving, strangers(serving) as come:
        stranger = await come(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(19)
        stranger.writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(19)
        assert not stranger.cut
        await asyncio.sleep(2)
        assert stranger.cut
        assert stranger.got.count(b"200 OK") == 2


async def test_a_connection_that_is_lost_while_its_body_is_read_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with server() as serving, strangers(serving) as come:
        for _ in range(50):
            stranger = await come(b"POST /voice HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nCallSid")
            await asyncio.sleep(0.01)
            stranger.writer.transport.abort()
        await asyncio.sleep(10)
        assert (await ask(serving, genuine()))[0] == 200
    assert [record.exc_info for record in logged(caplog) if record.exc_info] == []
    assert len(logged(caplog)) <= 10


# --- many -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what",
    [
        b"",
        b"POST /voice HTTP/1.1\r\nHost: x\r\n",
        b"POST /voice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nCallSid=",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        UPGRADE.encode(),
    ],
    ids=["nothing", "half of the headers", "half of the body", "a request, and then nothing", "half of a handshake"],
)
async def test_connections_that_wait_make_room_for_a_call(what: bytes) -> None:
    async with server(most_calls=4, spare_connections=6) as serving, strangers(serving) as come:
        lines = [await takes_a_call(serving)]
        crowd = []
        for _ in range(60):
            crowd.append(await come(what))
            await asyncio.sleep(0.01)
        lines.append(await takes_a_call(serving))
        assert sum(not stranger.cut for stranger in crowd) <= 10
        assert [line.end for line in lines] == ["", ""]
        assert len(serving.phone.calls) == 2
        for line in lines:
            await line.__aexit__(None, None, None)


@pytest.mark.parametrize("signed", [True, False])
async def test_silent_sockets_make_room_for_a_call(signed: bool) -> None:
    async with server(most_handshakes=5) as serving, strangers(serving) as come:
        crowd = [await come(f"{UPGRADE}\r\n".encode()) for _ in range(40)]
        await asyncio.sleep(0.1)
        assert sum(not stranger.cut for stranger in crowd) == 5
        assert serving.phone.counts["media.dropped"] == 35
        line = await takes_a_call(serving, signed=signed)
        crowd += [await come(f"{UPGRADE}\r\n".encode()) for _ in range(40)]
        await asyncio.sleep(0.1)
        assert line.end == "", "who has shown a token has no place to lose"
        await line.__aexit__(None, None, None)


async def test_silent_sockets_that_have_somebodys_signature_are_bounded_too() -> None:
    signature = sign("f" * 32, "wss://agent.example.com/media")
    async with server(most_handshakes=5) as serving, strangers(serving) as come:
        forged = f"{UPGRADE}{SIGNATURE_HEADER}: {signature}\r\n\r\n".encode()
        real = f"{UPGRADE}{SIGNATURE_HEADER}: {handshake()[SIGNATURE_HEADER]}\r\n\r\n".encode()
        crowd = [await come(data) for _ in range(20) for data in (forged, real)]
        await asyncio.sleep(0.1)
        assert sum(not stranger.cut for stranger in crowd) == 10
        await asyncio.sleep(7)
        assert sum(not stranger.cut for stranger in crowd) == 0, "nobody has answered the close either"


async def test_sockets_that_are_refused_and_do_not_hang_up_do_not_pile_up() -> None:
    async with server(most_calls=2, most_handshakes=5, spare_connections=12) as serving, strangers(serving) as come:
        message = str(start("forged")).replace("'", '"').encode()
        frame = bytes([0x81, 0xFE, *len(message).to_bytes(2, "big"), 0, 0, 0, 0]) + message
        crowd = []
        for _ in range(100):
            crowd.append(await come(f"{UPGRADE}\r\n".encode() + frame))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        assert sum(not stranger.cut for stranger in crowd) <= 5
        line = await takes_a_call(serving)
        await asyncio.sleep(2)
        assert sum(not stranger.cut for stranger in crowd) == 0
        await line.__aexit__(None, None, None)


# --- nonsense -------------------------------------------------------------------------------------------------


async def test_requests_that_are_no_http_are_told_of_seldom_and_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    nonsense = [b"\x16\x03\x01\x02\x00\x01\xfc", b"HELLO\r\n\r\n", b"POST /voice HTTP/1.1\r\nHost x\r\n\r\n"]
    nonsense += [b"POST /voice HTTP/1.1\r\nX-Twilio-Signature: hush\r\nX: \x00\r\n\r\n", b"\r\n" * 50 + b"\0" * 9000]
    async with server() as serving:
        for data in nonsense * 20:
            assert (await ask(serving, data + b"\r\n\r\n"))[0] in (0, 400)
        assert (await ask(serving, genuine()))[0] == 200
    assert 0 < len(logged(caplog)) <= 10
    assert all("\n" not in record.getMessage() and not record.exc_info for record in logged(caplog))
    assert "hush" not in caplog.text


async def test_a_socket_that_says_too_much_before_its_start_is_closed() -> None:
    async with server() as serving, aiohttp.ClientSession() as session:
        for text in ("x" * 600_000, "[" * 300_000):
            socket = await session.ws_connect(f"{serving.url}/media", headers=handshake())
            with suppress(ConnectionError, aiohttp.ClientError):
                await socket.send_str(text)
            assert not isinstance((await socket.receive()).data, str), "nothing is said to it"
            assert socket.closed
            await socket.close()
        assert serving.phone.calls == {}


# --- 500 of them beside 50 calls ------------------------------------------------------------------------------


def talker() -> Callable[[Call], Pipeline]:
    """A bot that has much to say."""
    lexicon = Lexicon()
    long = " ".join(f"We have tea number {number}." for number in range(40))

    def bot(call: Call) -> Pipeline:
        ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(long)]
        return Pipeline([*ears, LLMAggregator(script("Yes.")), ScriptedTTS(lexicon), AudioStreamer()])

    return bot


CROWD = [
    b"",
    b"POST /voice HTTP/1.1\r\nHost: x\r\n",
    b"POST /voice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nCallSid=",
    f"{UPGRADE}\r\n".encode(),
]


async def beside_a_crowd(calls: int, crowd: int, seconds: float) -> None:
    """Calls whose agents speak, a crowd that comes and is silent, calls that come then; no audio has a hole."""
    async with AsyncExitStack() as stack:
        few = {"most_calls": calls + 5, "most_handshakes": crowd // 10, "spare_connections": crowd // 2}
        serving = await stack.enter_async_context(server(talker(), **few))
        come = await stack.enter_async_context(strangers(serving))
        lines = list(await asyncio.gather(*(takes_a_call(serving) for _ in range(calls))))
        for number in range(crowd):
            await come(CROWD[number % len(CROWD)])
            if number % 10 == 9:
                await asyncio.sleep(0.02)
        late = [await takes_a_call(serving), await takes_a_call(serving, signed=False)]
        await asyncio.sleep(seconds)
        for line in [*lines, *late]:
            assert line.end == ""
            assert line.truth.first_sound_after(0.0) is not None
            assert line.truth.holes() == []
        heard = [line.truth.played_bytes_at(asyncio.get_running_loop().time()) / 8000 for line in late]
        assert min(heard) > 0.8 * seconds, "the agent has spoken all the time"
        for line in [*lines, *late]:
            await line.__aexit__(None, None, None)


async def test_calls_beside_a_silent_crowd_stay_whole() -> None:
    await beside_a_crowd(calls=5, crowd=150, seconds=8.0)


@pytest.mark.long
@pytest.mark.realtime
async def test_50_calls_beside_500_who_are_silent_stay_whole_and_new_ones_are_taken() -> None:
    await beside_a_crowd(calls=50, crowd=500, seconds=10.0)
