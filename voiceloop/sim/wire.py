"""The client's end of a WebSocket with one writer and one reader; used by the simulated carrier."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import aiohttp

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
    ) -> None:
        self._url = url
        self._on_message = on_message
        self._on_closed = on_closed
        self._connector = connector
        self._session = session
        self._headers = headers
        self._outbox: deque[str | None] = deque()  # None: close
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

    def send(self, text: str | None) -> None:
        """Send a text behind all others; None closes the socket once those are sent."""
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
        self.send(None)

    async def wait_closed(self, limit: float | None = None) -> None:
        """Wait until the socket is closed, whoever closes it; after `limit` seconds cut it."""
        if not self._tasks:
            return
        _, pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION, timeout=limit)
        if pending:  # too slow, or one of the two has failed
            self.cut()
            await asyncio.wait(pending)
        for task in self._tasks:
            task.result()
        await self._close_session()

    async def _close_session(self) -> None:
        if self._session is None:
            await self._http.close()

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
                    await self._ws.send_str(text)
                self._wake = loop.create_future()
                await self._wake
        except ConnectionError:
            pass  # the peer is gone; the reader says so

    async def _read_all(self) -> None:
        async for message in self._ws:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                self._on_message(message.data)
        self._on_closed(self._ws.close_code or 1006)
        self.send(None)
