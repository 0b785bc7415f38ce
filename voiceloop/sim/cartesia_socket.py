"""One WebSocket of the simulated Cartesia, and the contexts on it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

from voiceloop.sim.cartesia_context import ContextRun
from voiceloop.sim.cartesia_record import SimSocket
from voiceloop.sim.cartesia_service import Service
from voiceloop.sim.cartesia_wire import Refusal, generation, parsed, written

__all__ = ["SocketRun"]

_EARLY = 0.002
"""Seconds by which a timer may fire before its time."""
_CLOSED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


class SocketRun:
    """One socket and its contexts."""

    def __init__(self, service: Service, socket: web.WebSocketResponse, record: SimSocket) -> None:
        self._service = service
        self._socket = socket
        self._record = record
        self._runs: dict[str, ContextRun] = {}
        self._over: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._used = asyncio.get_running_loop().time()

    async def serve(self) -> None:
        """Read until the socket closes.

        Raises:
            ConnectionError: it was cut, as scripted.
        """
        while (message := await self._receive()) is not None:
            if self._service.cuts_received():
                self._cut()
            self._record.received += 1
            try:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise Refusal(400, None, "Invalid request", "expected JSON text, got a binary message")
                self._take(parsed(message.data))
            except Refusal as refusal:
                await self._refuse(refusal)

    def close(self) -> None:
        """End what is left."""
        for task in self._tasks.values():
            task.cancel()

    async def _receive(self) -> aiohttp.WSMessage | None:
        """The next message; None when the socket is closed, by the client or for being idle."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self._used + self._service.options.idle):
                    message = await self._socket.receive()
            except TimeoutError:
                if self._runs:
                    self._used = loop.time()
                if self._used + self._service.options.idle > loop.time() + _EARLY:
                    continue
                await self._socket.close(code=1000, message=b"connection idle timeout")
                return None
            if message.type in _CLOSED:
                return None
            self._used = loop.time()
            return message

    def _take(self, body: dict[str, Any]) -> None:
        if body.get("cancel") is True:
            run = self._runs.get(body.get("context_id", ""))
            if run is not None:
                run.cancel()
            return
        given = generation(body, socket=True)
        run = self._runs.get(given.context)
        if given.context in self._over or (run is not None and run.over):
            if self._service.options.late_input == "error":
                message = f"The context {given.context!r} is over: input to it is not supported."
                raise Refusal(400, None, "Context closed", message, given.context)
            return
        if run is not None:
            run.take(given)
            return
        try:
            run = self._service.begin(given, self._record.number, self._send)
        except Refusal:
            self._over.add(given.context)
            raise
        self._runs[given.context] = run
        task = asyncio.create_task(self._run(run), name=f"cartesia context {given.context}")
        self._tasks[given.context] = task
        task.add_done_callback(lambda _: self._ended(given.context, run))

    async def _run(self, run: ContextRun) -> None:
        try:
            await run.run()
        except Refusal as refusal:
            run.record.outcome = "refused"
            with suppress(ConnectionError, RuntimeError):
                await self._send_refusal(refusal)
        except (ConnectionError, RuntimeError):
            run.record.outcome = "lost"

    def _ended(self, context: str, run: ContextRun) -> None:
        run.record.outcome = run.record.outcome or "lost"
        self._over.add(context)
        del self._runs[context], self._tasks[context]
        self._service.end(run.record)

    async def _refuse(self, refusal: Refusal) -> None:
        """Send an error, which ends its context."""
        if (run := self._runs.get(refusal.context or "")) is not None:
            run.record.outcome = "refused"
            self._tasks[run.asked.context].cancel()
        await self._send_refusal(refusal)

    async def _send_refusal(self, refusal: Refusal) -> None:
        self._record.refused.append(str(refusal))
        await self._send(refusal.event(self._record.version, self._service.request_id(refusal.context or "")))

    async def _send(self, event: dict[str, Any]) -> None:
        if self._service.cuts_sent():
            self._cut()
        if self._socket.closed:
            raise ConnectionResetError("the socket is closed")
        self._used = asyncio.get_running_loop().time()
        await self._socket.send_str(written(event))

    def _cut(self) -> None:
        transport = self._service.open.get(self._socket)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        raise ConnectionResetError("cut, as scripted")
