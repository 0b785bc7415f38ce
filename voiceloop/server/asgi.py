"""The phone server as an ASGI application, for FastAPI, Starlette and their kin::

    phone = PhoneASGI(bot)
    app = FastAPI(lifespan=phone.lifespan)
    app.mount("/phone", phone)

Twilio's webhook is then ``https://YOUR-HOST/phone/voice``. Served by itself (``uvicorn module:phone``) it brings its
own lifespan. Uvicorn's ``--proxy-headers`` are not needed: signatures are checked against the public URL.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from multidict import CIMultiDict, MultiDict

from voiceloop.faults import describe
from voiceloop.runtime import Runtime
from voiceloop.server.http import BodyTooLong, Refusal, Reply, Request
from voiceloop.server.keeping import Recordings, can_keep, keeping
from voiceloop.server.opening import open_phone
from voiceloop.server.phone import ROUTES, Phone
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.twilio.media import Bot

__all__ = ["PhoneASGI"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_UNREAD: Final = (400, 408, 413)
"""Answers to requests whose body may be unread."""
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
_TEXT: Final = 1
_BINARY: Final = 2
_CLOSED: Final = 8
"""Types of messages, as in RFC 6455 and `aiohttp.WSMsgType`."""


class PhoneASGI:
    """Answers the phone with a bot behind an ASGI server.

    Args:
        bot: the function ``bot(call)``, or the module that holds it.
        runtime: what the calls share; one of its own when not given.
        options: of the server.
        store: URL of a database for the records of calls; None keeps none.
        recordings: a folder for the sound of every call, or `RecordingOptions`; None keeps none.
    """

    def __init__(
        self,
        bot: Bot | ModuleType,
        *,
        runtime: Runtime | None = None,
        options: PhoneOptions | None = None,
        store: str | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        self.phone: Phone | None = None
        """What answers, while the lifespan is on."""
        self._bot = bot
        self._runtime = runtime
        self._options = options
        self._store = store
        self._recordings = recordings

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        if self.phone is not None:
            raise PhoneError("this PhoneASGI is being served already: use lifespan once")
        await can_keep(self._store, self._recordings)
        async with (
            open_phone(self._bot, runtime=self._runtime, options=self._options) as phone,
            keeping(phone, self._store, self._recordings),
        ):
            self.phone = phone
            try:
                yield
            finally:
                self.phone = None
                await phone.drain(0)

    def lifespan(self, app: object = None) -> AbstractAsyncContextManager[None]:
        """Warm the bot, and end its calls at the end: the ``lifespan`` of an application that mounts this one.

        Raises:
            VoiceloopError: the bot cannot start, something that Twilio needs is missing, or calls cannot be kept.
        """
        return self._open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of the ASGI server."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._life(receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "http":
            reply = await self._http(scope, receive)
            if reply.status in _UNREAD and scope.get("http_version", "1.1").startswith("1"):
                # An ASGI server goes on to read a body that nobody wants, for as long as it comes.
                reply = replace(reply, headers=(*reply.headers, ("Connection", "close")))
            await _reply(send, reply, body=scope["method"] != "HEAD")

    async def _life(self, receive: Receive, send: Send) -> None:
        """Served by itself: start and stop with the server."""
        await receive()
        began = False
        try:
            async with self._open():
                began = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        except Exception as error:
            kind = "lifespan.shutdown.failed" if began else "lifespan.startup.failed"
            await send({"type": kind, "message": describe(error)[0]})

    async def _http(self, scope: Scope, receive: Receive) -> Reply:
        path = _inner(scope)
        methods = ROUTES.get(path)
        if methods is None:
            return Reply("there is nothing here\n", 404)
        if scope["method"] not in methods:
            return Reply(f"expected {', '.join(methods)}\n", 405, headers=(("Allow", ", ".join(methods)),))
        if path == "/media":
            return Reply("expected a WebSocket\n", 426, headers=(("Upgrade", "websocket"),))
        if {name.lower() for name, _ in scope["headers"]} >= _LENGTHS:
            # Where one request ends is then for each to decide: a proxy may see another one behind it (RFC 9112, 6.1).
            return Reply("expected one length of the body\n", 400)
        return await self._answering().answer(path, _request(scope, receive))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = _Socket(receive, send)
        await receive()  # websocket.connect
        if _inner(scope) != "/media":
            await send({"type": "websocket.close", "code": 1000, "reason": "there is nothing here"})
            return
        refused = await self._answering().stream(_request(scope, receive), socket.accept)
        if refused is not None:
            await _refuse(scope, send, refused)
        elif not socket.closed:
            await socket.close()

    def _answering(self) -> Phone:
        if self.phone is None:
            raise PhoneError(
                "the phone has not been opened: give its lifespan to the application that mounts it, "
                "FastAPI(lifespan=phone.lifespan)"
            )
        return self.phone


@dataclass(frozen=True, slots=True)
class _Message:
    type: int
    data: str | bytes


class _Socket:
    """A WebSocket of an ASGI server, as the media stream wants it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._broken: BaseException | None = None
        self.closed = False

    async def accept(self) -> _Socket:
        await self._send({"type": "websocket.accept"})
        return self

    async def receive(self) -> _Message:
        if self.closed:
            return _Message(_CLOSED, b"")
        event = await self._receive()
        if event["type"] != "websocket.receive":
            self.closed = True
            return _Message(_CLOSED, b"")
        text = event.get("text")
        return _Message(_TEXT, text) if text is not None else _Message(_BINARY, event.get("bytes") or b"")

    async def send_str(self, data: str) -> None:
        if self.closed:
            raise ConnectionResetError("the WebSocket is closed")
        try:
            await self._send({"type": "websocket.send", "text": data})
        except OSError as error:  # since version 2.4 of the specification; before, nothing is raised
            self.closed, self._broken = True, error
            raise ConnectionResetError("the WebSocket was closed") from error

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        if self.closed:
            return
        self.closed = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": message.decode(errors="replace")})
        except (OSError, RuntimeError) as error:  # it was closed by the other side meanwhile
            self._broken = error

    def exception(self) -> BaseException | None:
        return self._broken


def _inner(scope: Scope) -> str:
    """The path behind the prefix under which the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def _request(scope: Scope, receive: Receive) -> Request:
    path: str = scope["path"]
    query = scope.get("query_string", b"").decode("latin-1")
    raw = scope.get("raw_path") or quote(path).encode()
    # Behind a mount some frameworks give the whole path, others only what is behind the prefix.
    raw_path = raw.partition(b"?")[0].decode("latin-1")
    headers: CIMultiDict[str] = CIMultiDict(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
    return Request(
        scope.get("method", "GET"),
        path,
        f"{raw_path}?{query}" if query else raw_path,
        MultiDict(_fields(query)),
        headers,
        lambda limit: _read(receive, limit),
        (scope.get("client") or ("",))[0],
    )


def _fields(query: str) -> list[tuple[str, str]]:
    """Those of a query; none when there are more than we have ever asked for."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=200) if len(query) < 16_384 else []
    except ValueError:
        return []


async def _read(receive: Receive, limit: int) -> bytes:
    pieces: deque[bytes] = deque()
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Refusal(400, "the body did not come\n")
        pieces.append(event.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise BodyTooLong
        if not event.get("more_body", False):
            return b"".join(pieces)


async def _reply(send: Send, reply: Reply, *, body: bool = True) -> None:
    data = reply.text.encode()
    headers = [
        (b"content-type", f"{reply.content_type}; charset=utf-8".encode()),
        (b"content-length", str(len(data)).encode()),
        *((name.lower().encode(), value.encode()) for name, value in reply.headers),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": data if body else b""})


async def _refuse(scope: Scope, send: Send, reply: Reply) -> None:
    """Answer a handshake: by its status where the server can (the extension ``websocket.http.response``), else 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1000})
        return
    data = reply.text.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(data)).encode())]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": data})
