"""The way to Cartesia: one warm WebSocket for all answers of an event loop, opened again when it is gone."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from voiceloop import wallclock
from voiceloop.errors import ModelError
from voiceloop.tts.cartesia_endpoint import OWN_LIMIT, Endpoint
from voiceloop.tts.cartesia_events import MESSAGE_LIMIT, Refused
from voiceloop.tts.cartesia_options import CartesiaOptions
from voiceloop.tts.cartesia_socket import Context, Socket

__all__ = ["ERRORS", "Link"]

log = logging.getLogger("voiceloop.tts.cartesia")

ERRORS = (ModelError, aiohttp.ClientError, OSError, TimeoutError)
"""What goes wrong on the way."""
_CLOSING = 1.0
"""Seconds that saying goodbye to a server may take."""
_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each attempt to open the socket that was lost; then it is left to the next use."""
_EARLY = 0.002
"""Seconds by which a timer may fire before its time."""


class Link:
    """One address, one key, on one event loop at a time.

    Args:
        endpoint: where Cartesia is.
        options: limits.
        connector: makes the connector of the connections.
    """

    def __init__(
        self, endpoint: Endpoint, options: CartesiaOptions, connector: Callable[[], aiohttp.BaseConnector] | None
    ) -> None:
        self.endpoint = endpoint
        self.epoch = 0
        """How often it was closed."""
        self._options = options
        self._connector = connector
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._socket: Socket | None = None
        self._slots: asyncio.Semaphore | None = None
        self._connecting: asyncio.Task[Socket] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._renewal: asyncio.TimerHandle | None = None

    @property
    def opened(self) -> bool:
        """Whether there is an open socket."""
        return self._socket is not None and self._socket.open

    async def warm(self) -> None:
        """Open the socket, unless it is open.

        Raises: `ERRORS`.
        """
        await self._ready()

    @asynccontextmanager
    async def context(self, news: asyncio.Event, fields: Mapping[str, Any]) -> AsyncIterator[Context]:
        """A context, cancelled at the end if it is not over by then.

        Raises: `ERRORS`; `Refused` when it could not have one in time.
        """
        self._belong()
        slots = self._slots
        if slots is not None:
            await self._wait_for(slots)
        try:
            context = (await self._ready()).context(news, fields)
            try:
                yield context
            finally:
                context.close()
        finally:
            if slots is not None:
                slots.release()

    def suspect(self, context: Context) -> None:
        """Nothing came for a context. If nothing came at all, its socket is held to be dead."""
        since = context.heard_at if context.waiting_since is None else context.waiting_since
        if since is not None and context.socket.heard_at <= since:
            context.socket.drop()

    async def aclose(self) -> None:
        """Close everything, and forget a key that was not given."""
        self.epoch += 1
        session, self._session = self._session, None
        sockets = [self._forget()]
        tasks = [*self._background, *([self._connecting] if self._connecting else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        sockets.append(self._forget())  # one that was being opened
        for socket in sockets:
            if socket is not None:
                await socket.aclose()
        if session is not None:
            await session.close()
        self.endpoint.lock()

    def _forget(self) -> Socket | None:
        if self._renewal is not None:
            self._renewal.cancel()
        socket, self._socket = self._socket, None
        return socket

    # --- the socket ---------------------------------------------------------------------------------------------

    async def _ready(self) -> Socket:
        """The open socket. Opening is shared by all who want one, and goes on when one of them gives up."""
        self._belong()
        if self._socket is not None and self._socket.open:
            return self._socket
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="CartesiaTTS: connecting")
            self._connecting.add_done_callback(self._connected)
        epoch = self.epoch
        try:
            return await asyncio.shield(self._connecting)
        except asyncio.CancelledError:
            if self.epoch != epoch:
                raise ModelError("it was closed, with aclose(), before the answer was complete") from None
            raise

    async def _connect(self) -> Socket:
        session = self._opened()
        limit = self._options.connect
        try:
            async with asyncio.timeout(limit):
                ws = await session.ws_connect(
                    self.endpoint.url,
                    headers=self.endpoint.headers(),
                    max_msg_size=MESSAGE_LIMIT,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSING),
                )
        except BaseException as error:
            if not self.opened and session is self._session:
                self._session = None  # nothing is left open by one who could not get in
                await session.close()
            if isinstance(error, aiohttp.WSServerHandshakeError):
                raise Refused(error.status) from None
            raise
        prefix = f"voiceloop-{os.getpid():x}-{round(wallclock.unix() * 1000):x}"
        return Socket(ws, prefix, self._lost)

    def _connected(self, task: asyncio.Task[Socket]) -> None:
        self._connecting = None
        if task.cancelled() or task.exception() is not None:
            return
        before, self._socket = self._socket, task.result()
        if before is not None and before.open:
            self._later(before.aclose(), "closing the old socket")
        self._renew_in(self._options.renew)

    def _lost(self, socket: Socket) -> None:
        """A socket closed, of its own accord or not. One is kept open all the same."""
        if socket is self._socket and self._session is not None:
            self._later(socket.aclose(), "closing")
            self._later(self._reopen(), "opening again")

    async def _reopen(self) -> None:
        for delay in _AGAIN:
            if self._socket is not None and self._socket.open:
                return
            await asyncio.sleep(delay)
            try:
                await self._ready()
            except Refused as error:
                log.debug("opening again: %s", error)
                if error.final:
                    return
            except ERRORS as error:
                log.debug("opening again: %s", type(error).__name__)

    def _renew_in(self, seconds: float) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        assert self._loop is not None
        self._renewal = self._loop.call_later(seconds, self._renew)

    def _renew(self) -> None:
        """Put a new socket in the place of one that was not used for long, before the server closes it."""
        socket = self._socket
        if socket is None or not socket.open or self._session is None or self._connecting is not None:
            return
        assert self._loop is not None
        left = socket.used_at + self._options.renew - self._loop.time()
        if socket.contexts or left > _EARLY:
            self._renew_in(max(left, 1.0))
            return
        self._connecting = asyncio.create_task(self._connect(), name="CartesiaTTS: renewing")
        self._connecting.add_done_callback(self._connected)
        self._renew_in(30.0)  # in case it fails: the old one may last a little

    def _later(self, work: Any, what: str) -> None:
        task = asyncio.create_task(work, name=f"CartesiaTTS: {what}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # --- the loop and its session -------------------------------------------------------------------------------

    def _belong(self) -> None:
        """See that this is the event loop of the link; the first to be used on is.

        Raises:
            ModelError: it belongs to another one that still runs.
        """
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._session is not None and self._loop is not None and not self._loop.is_closed():
            raise ModelError("this CartesiaTTS belongs to another event loop: close it there first, with aclose()")
        self._loop = loop
        self._session = self._socket = self._connecting = self._renewal = None
        self._background.clear()
        limit = self._options.contexts
        self._slots = asyncio.Semaphore(limit) if limit is not None else None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self.endpoint.unlock()
            trace = aiohttp.TraceConfig()
            trace.on_request_redirect.append(_refuse_redirect)
            self._session = aiohttp.ClientSession(
                connector=self._connector() if self._connector is not None else None,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._options.connect),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self._session

    async def _wait_for(self, slots: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._options.wait):
                await slots.acquire()
        except TimeoutError:
            said = f"none was free for {self._options.wait:g} s of {self._options.contexts}"
            raise Refused(429, OWN_LIMIT, said) from None


async def _refuse_redirect(session: object, context: object, parameters: aiohttp.TraceRequestRedirectParams) -> None:
    raise Refused(parameters.response.status)
