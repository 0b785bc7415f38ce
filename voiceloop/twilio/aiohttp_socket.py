"""A WebSocket of aiohttp's that needs no task per message: `voiceloop.twilio.socket.PromptSocket`.

``WebSocketResponse.receive()`` costs a future, a turn of the event loop and a step of a task for each message. Here the
queue behind it offers a message to its taker first, in the very call in which the bytes came in. What is not taken is
queued as ever, so aiohttp's limits, its back-pressure and its handling of closes, pings and errors are untouched.

That queue is no public part of aiohttp. So it is tried out once per process (`prompt`): where it is not as it was, the
socket is a plain ``WebSocketResponse``. Sending uses public parts only.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

__all__ = ["prompt", "socket_for"]

_TEXT: Final = 0x81
"""FIN and the opcode of text (RFC 6455, section 5.2)."""


def socket_for(*, max_msg_size: int) -> web.WebSocketResponse:
    """A server's WebSocket that was not prepared yet, prompt where aiohttp lets it be so.

    Twilio does not speak permessage-deflate; offering it is suspected to break its sockets.

    Args:
        max_msg_size: bytes of a message beyond which the socket is closed.
    """
    kind = _prompt_socket() if prompt() else web.WebSocketResponse
    return kind(compress=False, max_msg_size=max_msg_size)


@cache
def prompt() -> bool:
    """Whether aiohttp's queue of messages is as we know it: a message that is taken is not queued, others are."""
    try:
        _try_out()
    except Exception:
        return False
    return True


def frame(text: str) -> bytes:
    """A text message as a server's frame: neither masked nor compressed (RFC 6455, section 5.2)."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((_TEXT, size)) + data
    if size < 65536:
        return struct.pack("!BBH", _TEXT, 126, size) + data
    return struct.pack("!BBQ", _TEXT, 127, size) + data


@cache
def _prompt_queue() -> type[Any]:
    from aiohttp._websocket.reader import WebSocketDataQueue

    class PromptQueue(WebSocketDataQueue):
        """Offers text messages to a taker, while none is queued before them."""

        take: Callable[[str], bool] | None = None

        def feed_data(self, data: Any, size: int) -> None:
            take = self.take
            if take is None or data[0] is not WSMsgType.TEXT or self._buffer or not take(data[1]):
                super().feed_data(data, size)

    return PromptQueue


@cache
def _prompt_socket() -> type[web.WebSocketResponse]:
    from aiohttp._websocket.reader import WebSocketReader

    class PromptSocket(web.WebSocketResponse):
        """See `voiceloop.twilio.socket.PromptSocket`."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._request: web.BaseRequest | None = None
            self._prompt: Any = None

        async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
            self._request = request
            return await super().prepare(request)

        def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
            connection: Any = request.protocol
            early = bool(connection._message_tail)  # came with the handshake: it is in the queue already
            super()._post_start(request, protocol, writer)
            if not early:
                limit = self._reader._limit // 2  # type: ignore[union-attr]
                queue = _prompt_queue()(connection, limit, loop=asyncio.get_running_loop())
                self._reader = self._prompt = queue
                self._parser = WebSocketReader(queue, self._max_msg_size, compress=False, decode_text=True)
                connection._payload_parser = self._parser

        def hear(self, take: Callable[[str], bool] | None) -> None:
            """Offer each text message to `take`."""
            if self._prompt is not None:
                self._prompt.take = take

        def send_now(self, messages: Sequence[str]) -> bool:
            """Send all of them in one write, unless the other side does not keep up."""
            request = self._request
            if request is None or self.closed or request.protocol.writing_paused:
                return False
            transport = request.transport
            if transport is None or transport.is_closing():
                return False
            transport.write(b"".join(map(frame, messages)) if len(messages) > 1 else frame(messages[0]))
            return True

    return PromptSocket


def _try_out() -> None:
    """Raises anything when aiohttp's internals are not as expected."""
    from aiohttp._websocket.reader import WebSocketReader
    from aiohttp.web_protocol import RequestHandler

    class Connection:
        _reading_paused = False

    taken: list[str] = []

    def take(text: str) -> bool:
        taken.append(text)
        return text == "yes"

    queue = _prompt_queue()(Connection(), 2**16, loop=asyncio.get_running_loop())
    reader = WebSocketReader(queue, 2**20, compress=False, decode_text=True)
    queue.take = take
    for text in ("yes", "no", "yes"):  # the last one is not offered: another one waits
        reader.feed_data(bytes((_TEXT, 0x80 | len(text))) + bytes(4) + text.encode())
    queued = [data.data for data, _ in queue._buffer]
    if (taken, queued, queue._limit) != (["yes", "no"], ["no", "yes"], 2**17):
        raise RuntimeError(f"aiohttp's queue of messages is another one: taken {taken}, queued {queued}")
    slots = {slot for kind in RequestHandler.__mro__ for slot in getattr(kind, "__slots__", ())}
    response = web.WebSocketResponse
    if (
        list(signature(response._post_start).parameters) != ["self", "request", "protocol", "writer"]
        or not {"_message_tail", "_payload_parser"} <= slots
        or not all(hasattr(response(), name) for name in ("_reader", "_parser", "_max_msg_size"))
    ):
        raise RuntimeError("aiohttp's WebSocketResponse is another one than we know")
