"""Requests and streams as bytes: what Twilio would send, to be spoilt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus

import aiohttp

from voiceloop import Call, Pipeline
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import Serving, serving_phone
from voiceloop.sim.twilio import ACCOUNT, TOKEN
from voiceloop.twilio.signature import SIGNATURE_HEADER, sign

HOST = "agent.example.com"
PUBLIC = f"https://{HOST}"
VOICE = f"{PUBLIC}/voice"
MEDIA = f"wss://{HOST}/media"
SID = "CA" + "1" * 32
OTHER = "CA" + "2" * 32
FORM = {
    "AccountSid": ACCOUNT,
    "CallSid": SID,
    "CallStatus": "ringing",
    "CallerName": "José & Søn",
    "Direction": "inbound",
    "From": "+15550002222",
    "FromCity": "",
    "To": "+15550001111",
}
FORM_TYPE = "application/x-www-form-urlencoded"

Pairs = list[tuple[str, str]]


def encoded(fields: Mapping[str, str] | Pairs) -> bytes:
    """A form as the body of a request."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()


@dataclass(frozen=True)
class Ask:
    """A request, before it is bytes."""

    target: str = "/voice"
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = FORM_TYPE
    host: str = HOST
    chunked: bool = False
    bare: bool = field(default=False)
    """Without a length, and so without a body."""

    def signed(self, signature: str) -> Ask:
        """The same with this signature alone."""
        kept = tuple(header for header in self.headers if header[0] != SIGNATURE_HEADER)
        return replace(self, headers=(*kept, (SIGNATURE_HEADER, signature)))

    def and_(self, name: str, value: str) -> Ask:
        """The same with a further header."""
        return replace(self, headers=(*self.headers, (name, value)))

    def but(self, **changes: Any) -> Ask:
        """The same, but for this."""
        return replace(self, **changes)

    @property
    def signature(self) -> str:
        """Its own."""
        return dict(self.headers)[SIGNATURE_HEADER]

    def as_bytes(self) -> bytes:
        """What goes over the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            pieces = [self.body[at : at + 7] for at in range(0, len(self.body), 7)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        else:
            body = b"" if self.bare else self.body
            if not self.bare:
                lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def genuine(
    url: str = VOICE,
    form: Mapping[str, str] | Pairs = FORM,
    *,
    token: str = TOKEN,
    algorithm: str = "HMAC_SHA1",
) -> Ask:
    """A webhook as Twilio sends it."""
    target = url.partition(HOST)[2]
    target = target.removeprefix(":443") or "/"
    return Ask(target, body=encoded(form)).signed(sign(token, url, form, algorithm=algorithm))


def silent(call: Call) -> Pipeline:
    """A bot that listens."""
    return Pipeline([call.transport])


@asynccontextmanager
async def server(bot: Any = silent, **options: Any) -> AsyncIterator[Serving]:
    """A phone server with Twilio's token."""
    settings = PhoneOptions(**{"public_url": PUBLIC, "auth_token": TOKEN, "account_sid": ACCOUNT, **options})
    async with serving_phone(bot, options=settings) as serving:
        yield serving


def port_of(serving: Serving) -> int:
    """Where it listens."""
    return int(serving.url.rpartition(":")[2])


async def ask(serving: Serving, request: Ask | bytes) -> tuple[int, str]:
    """Status and text of the answer; 0 when there was none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(serving))
    try:
        writer.write(request.as_bytes() if isinstance(request, Ask) else request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        body = b"" if head.startswith(b"HEAD") else await reader.read(length) if length else b""
        return int(head.split()[1]), body.decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, ""
    finally:
        writer.close()
        await writer.wait_closed()


def token_of(twiml: str) -> str:
    """The stream's token in the answer of a webhook."""
    return twiml.partition('name="token" value="')[2].partition('"')[0]


def start(token: str | None, **changes: Any) -> dict[str, Any]:
    """The message that opens a stream."""
    body = {
        "streamSid": "MZ" + "5" * 32,
        "accountSid": ACCOUNT,
        "callSid": SID,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {} if token is None else {"token": token},
    }
    return {"event": "start", "sequenceNumber": "1", "streamSid": "MZ" + "5" * 32, "start": {**body, **changes}}


CONNECTED = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


def handshake(token: str = TOKEN, url: str = MEDIA) -> dict[str, str]:
    """The headers of a WebSocket of Twilio's."""
    return {"Host": HOST, SIGNATURE_HEADER: sign(token, url)}


async def stream(
    serving: Serving, *messages: Any, headers: Mapping[str, str] | None = None, path: str = "/media", wait: float = 1.0
) -> int:
    """Open a stream and say this. Returns the status of the refusal, the code with which the socket was closed within
    a second, or 0 when it is still open then."""
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(serving.url + path, headers=handshake() if headers is None else headers)
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        try:
            for message in messages:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
            async with asyncio.timeout(wait):
                while True:
                    message = await socket.receive()
                    if message.type is aiohttp.WSMsgType.CLOSE:
                        return int(message.data)
                    if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR):
                        return socket.close_code or 1006
        except TimeoutError:
            return 0
        finally:
            await socket.close()
