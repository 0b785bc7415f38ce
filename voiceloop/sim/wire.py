"""The client's end of a WebSocket with one writer and one reader; used by the simulated carrier.

It can break as the worst of networks does: after any byte of either direction.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp

from voiceloop.faults import drop_frames
from voiceloop.sim.line_frames import TEXT, client_frame, frame_size

__all__ = ["Wire"]

CLOSE_LIMIT: Final = 15.0
"""Seconds a peer may take to read the rest and to answer the close; then the connection is cut."""
_MAX_MESSAGE: Final = 16 * 1024 * 1024  # bytes; 10 minutes of audio in base64 are 6.4 MB


class Wire:
    """A WebSocket to `url`: sends texts in order, hands on what comes, says once when it is over.

    Args:
        on_message: called on the loop with the text, or the bytes, of each message.
        on_closed: called on the loop with the close code when nothing more will come; 1006 without a close frame.
        connector: of aiohttp, owned from here on.
        session: of aiohttp, instead of a connector; stays the caller's own.
        cut_after: bytes of frames the other side gets, of those sent here; then the connection breaks.
        cut_after_received: bytes of frames that are taken from the other side; likewise.
        on_cut: called when one of these breaks the connection, before `on_closed`; with whether it was the second.
    """

    def __init__(
        self,
        url: str,
        on_message: Callable[[str | bytes], None],
        on_closed: Callable[[int], None],
        *,
        connector: aiohttp.BaseConnector | None = None,
        session: aiohttp.ClientSession | None = None,
        headers: Mapping[str, str] | None = None,
        cut_after: int | None = None,
        cut_after_received: int | None = None,
        on_cut: Callable[[bool], None] | None = None,
    ) -> None:
        self._url = url
        self._on_message = on_message
        self._on_closed = on_closed
        self._connector = connector
        self._session = session
        self._headers = headers
        self._to_send = cut_after
        self._to_receive = cut_after_received
        self._on_cut = on_cut
        self._deaf = False
        self._outbox: deque[str | bytes | None] = deque()  # bytes: frames as they are; None: close
        self._wake: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def unsent(self) -> int:
        """Messages that wait because the peer does not read."""
        return len(self._outbox)

    async def open(self) -> None:
        """Connect. Raises what aiohttp raises when the server refuses."""
        self._http = self._session or aiohttp.ClientSession(connector=self._connector)
        try:
            # Twilio negotiates no compression.
            self._ws = await self._http.ws_connect(
                self._url, headers=self._headers, compress=0, max_msg_size=_MAX_MESSAGE
            )
        except BaseException:
            await self._close_session()
            raise
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._send_all(), name="carrier sends"),
            loop.create_task(self._read_all(), name="carrier reads"),
        ]

    def send(self, text: str | bytes | None) -> None:
        """Send a text behind all others; bytes go out as they are, frames or not; None closes the socket once those
        are sent."""
        self._outbox.append(text)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def cut(self) -> None:
        """Break the connection: no close frame, what is unsent is lost."""
        self._outbox.clear()
        line = self._ws.get_extra_info("socket")
        if line is not None and line.fileno() >= 0:
            with suppress(OSError):  # the peer was faster
                line.shutdown(socket.SHUT_RDWR)
        if self._deaf and (transport := self._transport()) is not None:
            transport.abort()  # who does not read does not notice the end
        self.send(None)

    async def wait_closed(self, limit: float | None = None) -> None:
        """Wait until the socket is closed, whoever closes it; after `limit` seconds cut it."""
        if not self._tasks:
            return
        try:
            await self._wait_closed(limit)
        finally:
            await self._close_session()

    async def _wait_closed(self, limit: float | None) -> None:
        _, pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION, timeout=limit)
        if pending:  # too slow, or one of the two has failed
            self.cut()
            await asyncio.wait(pending)
        drop_frames(self._ws.exception())  # it keeps what ended it, whose traceback keeps the socket
        for error in [task.exception() for task in self._tasks]:  # asked of both: asyncio complains of what nobody saw
            if error is not None:
                raise error

    async def abandon(self) -> None:
        """Break the connection and close all, and tell nobody: who opened it has failed."""
        self._on_message = lambda _: None
        self._on_closed = lambda _: None
        self.cut()
        with suppress(Exception):  # that failure is the one to tell
            await self.wait_closed()

    async def _close_session(self) -> None:
        if self._session is None:
            await self._http.close()

    def take(self) -> None:
        """Read what has arrived by now, before a stall begins that the machine played here knows nothing of."""
        line = self._ws.get_extra_info("socket")
        if line is not None and line.fileno() >= 0:
            loop: Any = asyncio.get_running_loop()
            loop.read_now(line.fileno())

    def stop_reading(self) -> None:
        """Read nothing more: the other side's bytes stay where they are, its close too."""
        self._deaf = True
        if (transport := self._transport()) is not None and not transport.is_closing():
            transport.pause_reading()

    def _transport(self) -> Any:
        # aiohttp has no public way from its WebSocket to the transport below.
        connection = self._ws._response.connection
        return None if connection is None else connection.transport

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        outbox = self._outbox
        try:
            while True:
                while outbox:
                    text = outbox.popleft()
                    if text is None:
                        await self._ws.close()
                        return
                    if self._to_send is not None and self._cut_sending(text):
                        return
                    if isinstance(text, str):
                        await self._ws.send_str(text)
                    elif (transport := self._transport()) is not None:
                        transport.write(text)
                self._wake = loop.create_future()
                await self._wake
        except ConnectionError:
            pass  # the peer is gone; the reader says so

    def _cut_sending(self, text: str | bytes) -> bool:
        """Whether the connection has to break before or inside this; then it has."""
        assert self._to_send is not None
        size = frame_size(len(text.encode()), masked=True) if isinstance(text, str) else len(text)
        if size <= self._to_send:
            self._to_send -= size
            return False
        if (transport := self._transport()) is not None:
            frame = client_frame(TEXT, text.encode()) if isinstance(text, str) else text
            transport.write(frame[: self._to_send])
            transport.close()  # what is written still goes out: that many bytes, and then the end
        self._outbox.clear()
        self._was_cut(False)
        return True

    def _was_cut(self, received: bool) -> None:
        self._to_send = self._to_receive = None
        if self._on_cut is not None:
            self._on_cut(received)

    def _cut_receiving(self, data: str | bytes) -> bool:
        """Whether the connection broke before the end of this message; from now on it has."""
        assert self._to_receive is not None
        self._to_receive -= frame_size(len(data.encode() if isinstance(data, str) else data), masked=False)
        if self._to_receive >= 0:
            return False
        self.cut()
        self._was_cut(True)
        return True

    async def _read_all(self) -> None:
        async for message in self._ws:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                if self._to_receive is not None and self._cut_receiving(message.data):
                    break
                self._on_message(message.data)
        self._on_closed(self._ws.close_code or 1006)
        self.send(None)
