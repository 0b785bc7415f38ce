"""Everything that can be sent, by seed: no crash, no hang, no growth, and a call works after it.

Some hundred messages and requests by default; 100,000 of each with ``--long``, or as many as ``VOICELOOP_FUZZ`` says.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.security.asking import CONNECTED, FORM, PUBLIC, SID, Ask, ask, encoded, genuine, port_of, server, start
from tests.security.test_limits import UPGRADE, takes_a_call
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.server.admission import WebhookOptions
from voiceloop.server.serve import Serving
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.line_frames import BINARY, TEXT, client_frame
from voiceloop.sim.line_rubbish import RUBBISH, rubbish
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.twilio import TOKEN
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign
from voiceloop.twilio.token import StreamTokens

FEW, MANY = 400, 100_000
AT_ONCE = 20
MZ = "MZ" + "5" * 32
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 1e308, float("nan"), "", " ", "0", "\0", "\ud800", "é" * 50, "9" * 40, "A" * 5000,
    [], {}, [[]], {"": {}}, "MZ" + "0" * 32, "inbound", "outbound", SID, "'; --", "<Response/>", "%s%n", "../../x",
)  # fmt: skip
SMALL = [name for name in RUBBISH if "huge" not in name and "deeply" not in name]


def lexicon_bot() -> Callable[[Call], Pipeline]:
    """A bot with all stages, so that what gets through meets all of them."""
    lexicon = Lexicon()
    stt, llm, tts = ScriptedSTT(lexicon), script(*["One tea."] * 50), ScriptedTTS(lexicon)

    def bot(call: Call) -> Pipeline:
        ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello.")]
        return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])

    return bot


# --- how things are spoilt ------------------------------------------------------------------------------------


def spoil_value(rng: random.Random, value: Any) -> Any:
    """A JSON value with something else somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        name = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.15:
            return {key: each for key, each in value.items() if key != name}
        if kind < 0.25:
            return {**value, str(rng.choice(STRANGE)): rng.choice(STRANGE)}
        return {**value, name: spoil_value(rng, value[name])}
    if isinstance(value, str) and value and rng.random() < 0.3:
        return spoil_text(rng, value)
    return rng.choice(STRANGE)


def spoil_text(rng: random.Random, text: str) -> str:
    """A text cut, doubled, or with other letters."""
    at, kind = rng.randrange(len(text)), rng.random()
    if kind < 0.25:
        return text[:at]
    if kind < 0.4:
        return text[:at] + text[at:] * 2
    if kind < 0.7:
        return text[:at] + chr(rng.choice((0, 34, 44, 92, 123, 125, 233, 0x1F642, rng.randrange(32, 127)))) + text[at:]
    return text[:at] + text[at + 1 + rng.randrange(5) :]


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes with a few of them changed, cut or doubled."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at, kind = rng.randrange(len(spoilt) + 1), rng.random()
        if kind < 0.4 and at < len(spoilt):
            spoilt[at] = rng.randrange(256)
        elif kind < 0.6:
            del spoilt[at : at + rng.choice((1, 2, 30))]
        elif kind < 0.8:
            spoilt[at:at] = rng.choice((b"\r\n", b"\0", b": ", b"\r\n\r\n", b"\xff", b"%", b"&", b"=", b"A" * 300))
        else:
            spoilt[at:at] = spoilt[at : at + 40]
    return bytes(spoilt)


def real_messages(rng: random.Random) -> list[Any]:
    """What Twilio says once a stream has begun."""
    payload = b64encode(rng.randbytes(160)).decode()
    at = str(rng.randrange(0, 10_000, 20))
    media = {"track": "inbound", "chunk": "1", "timestamp": at, "payload": payload}
    return [
        {"event": "media", "sequenceNumber": "4", "streamSid": MZ, "media": media},
        {"event": "dtmf", "sequenceNumber": "5", "streamSid": MZ, "dtmf": {"track": "inbound_track", "digit": "4"}},
        {"event": "mark", "sequenceNumber": "6", "streamSid": MZ, "mark": {"name": "end:1"}},
        {"event": "stop", "sequenceNumber": "7", "streamSid": MZ, "stop": {"accountSid": "AC", "callSid": SID}},
        CONNECTED,
    ]


def frame(rng: random.Random, message: Any) -> bytes:
    """A message as it goes over the wire, spoilt in one of many ways."""
    kind = rng.random()
    if kind < 0.5:
        text = json.dumps(spoil_value(rng, message))
    elif kind < 0.75:
        text = spoil_text(rng, json.dumps(message))
    elif kind < 0.9:
        made = rubbish(rng.choice(SMALL), MZ)
        if isinstance(made, bytes):
            return made
        text = made
    elif kind < 0.93:
        return client_frame(BINARY, spoil_bytes(rng, json.dumps(message).encode()))
    elif kind < 0.95:
        return spoil_bytes(rng, client_frame(TEXT, json.dumps(message).encode()))
    else:
        text = json.dumps(message)
    return client_frame(TEXT, text.encode("utf-8", "replace"))


# --- the flood ------------------------------------------------------------------------------------------------


@dataclass
class Flood:
    """What is sent, and what became of it."""

    serving: Serving
    rng: random.Random
    sent: int = 0
    ends: Counter[str] = field(default_factory=Counter)

    async def stream(self) -> None:
        """One WebSocket, with as many messages as it bears."""
        rng = self.rng
        sid = f"CA{rng.getrandbits(128):032x}"
        token = StreamTokens(TOKEN, asyncio.get_running_loop().time).make(sid)
        opening = start(token, callSid=sid)
        frames = [client_frame(TEXT, json.dumps(opening).encode())] if rng.random() < 0.8 else [frame(rng, opening)]
        for _ in range(rng.randrange(1, 60)):
            # A stop ends the stream, so it comes seldom.
            messages = real_messages(rng)
            frames.append(frame(rng, rng.choices(messages, (10, 3, 3, 0.2, 1))[0]))
        self.sent += len(frames)
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(self.serving))
        writer.write(f"{UPGRADE}\r\n".encode())
        self.ends[(await reader.readuntil(b"\r\n\r\n"))[9:12].decode()] += 1
        try:
            for data in frames:
                writer.write(data)
                await asyncio.sleep(0.005)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 30)
        except ConnectionError:
            self.ends["closed by the server"] += 1

    async def request(self) -> None:
        """One request; it is answered, or its connection ends."""
        rng = self.rng
        self.sent += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(self.serving))
        writer.write(self.spoilt_request())
        if rng.random() < 0.7:
            writer.write_eof()
        try:
            async with asyncio.timeout(60):
                answer = await reader.read(64)
                self.ends[answer[9:12].decode() if answer.startswith(b"HTTP/") else "nothing"] += 1
        except ConnectionError:
            self.ends["reset"] += 1
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def spoilt_request(self) -> bytes:
        """A request of Twilio's that is spoilt; half of them are signed again, so that they get further."""
        rng = self.rng
        sid = f"CA{rng.getrandbits(128):032x}"
        route = rng.choice(("/voice", "/voice", "/status", "/voice?again=1", "/voice?out=e30", "/media", "/healthz"))
        request = genuine(PUBLIC + route, {**FORM, "CallSid": sid})
        if rng.random() < 0.5:
            body = spoil_bytes(rng, request.body)
            route += rng.choice(("", "", "?" if "?" not in route else "&")) + ("" if rng.random() < 0.7 else "a=%ff&b")
            request = Ask(route, body=body, chunked=rng.random() < 0.2)
            try:
                fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
                request = request.signed(sign(TOKEN, PUBLIC + route, fields))
            except ValueError:
                request = request.and_(SIGNATURE_HEADER, "A" * 28)
            return request.as_bytes()
        if rng.random() < 0.2:
            fields = [(str(rng.choice(STRANGE)), str(rng.choice(STRANGE))) for _ in range(rng.randrange(260))]
            fields = [(n.encode("utf-8", "replace").decode(), v.encode("utf-8", "replace").decode()) for n, v in fields]
            fields += [*FORM.items()]
            return request.but(body=encoded(fields)).signed(sign(TOKEN, PUBLIC + route, fields)).as_bytes()
        return spoil_bytes(rng, request.as_bytes())

    async def run(self, one: Callable[[Flood], Any], until: int) -> None:
        """Have so many sent."""
        while self.sent < until:
            await asyncio.gather(*(one(self) for _ in range(AT_ONCE)))
        await asyncio.sleep(120)
        line = await takes_a_call(self.serving)  # now what was remembered for a while is forgotten
        await line.__aexit__(None, None, None)
        await asyncio.sleep(1)

    def weigh(self) -> tuple[int, int]:
        """Objects and blocks of memory that there are."""
        for _ in range(3):
            gc.collect()
        return len(gc.get_objects()), sys.getallocatedblocks()


async def flooded(one: Callable[[Flood], Any], count: int, seed: int = 7) -> Flood:
    """Send it all, and see that nothing has come of it."""
    remembered = WebhookOptions(remembered=60.0, most=500)
    async with server(lexicon_bot(), webhooks=remembered, returns=1) as serving:
        flood = Flood(serving, random.Random(seed))
        await flood.run(one, count // 3)
        before = flood.weigh()
        await flood.run(one, count)
        after = flood.weigh()
        grown = [late - early for early, late in zip(before, after, strict=True)]
        # What is remembered of so many calls may not be full yet; one thing kept of each would be more.
        assert grown[0] < max(1_500, count // 20), "objects"
        assert grown[1] < max(12_000, count // 10), "blocks of memory"
        assert serving.phone.calls == {}
        assert serving.phone.manager.calls == []
        assert len(asyncio.all_tasks()) < 20
        line = await takes_a_call(serving)
        await asyncio.sleep(3)
        assert line.end == ""
        assert line.truth.first_sound_after(0.0) is not None
        await line.__aexit__(None, None, None)
        assert (await ask(serving, genuine()))[0] == 200
        return flood


def count(config: pytest.Config) -> int:
    """How many are sent."""
    return int(os.environ.get("VOICELOOP_FUZZ", MANY if config.getoption("--long") else FEW))


class Errors(logging.Handler):
    """What is logged as an error, but for parameters of an outgoing call that were spoilt before they were signed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if "the parameters in the URL of an outgoing call cannot be read" not in text:
            self.said.append(text)


@contextmanager
def errors() -> Iterator[list[str]]:
    """The errors that are logged, and nothing else: pytest would keep each line of the flood."""
    root, handler = logging.getLogger(), Errors()
    before, root.handlers[:] = root.handlers[:], [handler]
    try:
        yield handler.said
    finally:
        root.handlers[:] = before


def test_fuzzed_messages_on_a_socket(request: pytest.FixtureRequest) -> None:
    many = count(request.config)
    with errors() as said:
        flood = run_virtual(flooded(Flood.stream, many), strict=True, max_time=None)
    assert flood.sent >= many
    assert set(flood.ends) <= {"101", "closed by the server"}
    assert said == []


def test_fuzzed_webhooks(request: pytest.FixtureRequest) -> None:
    many = count(request.config)
    with errors() as said:
        flood = run_virtual(flooded(Flood.request, many), strict=True, max_time=None)
    assert flood.sent >= many
    assert set(flood.ends) <= {"200", "204", "400", "403", "404", "405", "408", "413", "426", "nothing", "reset"}
    assert min(flood.ends[status] for status in ("200", "204", "400", "403", "404")) > many / 1000, flood.ends
    assert said == []
