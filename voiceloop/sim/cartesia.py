"""Cartesia's speech service: contexts on WebSockets, and the HTTP routes, with all that goes wrong at the real one.

Messages and errors have the form of https://docs.cartesia.ai/api-reference/tts/websocket; the official client reads
them. It speaks artificial words (`Lexicon`), which a test can read back from the audio, or with any voice::

    sim = CartesiaSim(lexicon)
    async with sim.listening() as url:
        tts = CartesiaTTS("any", base_url=url)
"""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from typing import Any

from aiohttp import web

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia_context import ContextRun, Send
from voiceloop.sim.cartesia_record import CartesiaSimOptions, Input, SimContext, SimSocket, Trouble
from voiceloop.sim.cartesia_samples import wav_header
from voiceloop.sim.cartesia_service import Service
from voiceloop.sim.cartesia_socket import SocketRun
from voiceloop.sim.cartesia_wire import STRUCTURED, Refusal, generation, parsed, written
from voiceloop.sim.serving import Listener
from voiceloop.tts.base import TTS

__all__ = ["CartesiaSim", "CartesiaSimOptions", "Input", "SimContext", "SimSocket", "Trouble"]

_SECRETS = ("authorization", "x-api-key")
_LARGEST = 1024 * 1024
"""Bytes of a message."""


class CartesiaSim(Service, Listener):
    """The service.

    Args:
        voice: what it speaks with.
        options: how it behaves.
    """

    def __init__(self, voice: Lexicon | TTS | None = None, options: CartesiaSimOptions | None = None) -> None:
        super().__init__(voice, options)
        self.refusing = 0
        """A status with which every new socket is refused; 0 for none."""

    @property
    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_get("/tts/websocket", self._websocket)
        app.router.add_post("/tts/bytes", self._bytes)
        app.router.add_post("/tts/sse", self._sse)
        return app

    async def down(self) -> None:
        """Cut every connection and refuse new ones."""
        self.drop()
        await super().down()

    def drop(self) -> None:
        """Cut every socket, without a word."""
        for transport in self.open.values():
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    # --- the socket ---------------------------------------------------------------------------------------------

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        try:
            self._let_in(request)
            if self.refusing:
                raise Refusal(self.refusing, None, "Refused", "As scripted.")
            if len(self.open) >= self.options.sockets:
                raise Refusal(429, "concurrency_limited", "Too many connections", "Too many open WebSockets.")
        except Refusal as refusal:
            return self._refused(request, refusal)
        socket = web.WebSocketResponse(max_msg_size=_LARGEST)
        await socket.prepare(request)
        now = asyncio.get_running_loop().time()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _SECRETS}
        record = SimSocket(len(self.sockets), headers, _version(request), now)
        self.sockets.append(record)
        self.open[socket] = request.transport
        served = SocketRun(self, socket, record)
        try:
            with suppress(ConnectionError):
                await served.serve()
        finally:
            served.close()
            del self.open[socket]
            record.closed_at = asyncio.get_running_loop().time()
        return socket

    def _let_in(self, request: web.Request) -> None:
        """The key and the version, by header or by query."""
        if not _version(request):
            raise Refusal(400, None, "Bad request", "The Cartesia-Version header is required.")
        given = request.headers.get("X-API-Key") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = given or request.query.get("api_key", "") or request.query.get("access_token", "")
        if self.options.key is not None and given != self.options.key:
            raise Refusal(401, "unauthorized", "Unauthorized", f"The API key {given!r} is not valid.")

    def _refused(self, request: web.Request, refusal: Refusal) -> web.Response:
        version = _version(request)
        if version < STRUCTURED:
            return web.Response(status=refusal.status, text=str(refusal))
        return web.json_response(refusal.body(version, self.request_id("")), status=refusal.status)

    # --- HTTP ---------------------------------------------------------------------------------------------------

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        """Audio as the body, as it is made."""
        response = web.StreamResponse()

        async def send(event: dict[str, Any]) -> None:
            if event["type"] == "chunk":
                await response.write(base64.b64decode(event["data"]))

        run = await self._requested(request, send, ("raw", "wav"))
        if isinstance(run, web.Response):
            return run
        wav = run.asked.container == "wav"
        response.content_type = "audio/wav" if wav else "audio/octet-stream"
        await self._answer(run, request, response, wav_header(run.asked.encoding, run.asked.rate) if wav else b"")
        return response

    async def _sse(self, request: web.Request) -> web.StreamResponse:
        """Events, as on the socket."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})

        async def send(event: dict[str, Any]) -> None:
            await response.write(f"event: {event['type']}\ndata: {written(event)}\n\n".encode())

        run = await self._requested(request, send, ("raw",))
        if isinstance(run, web.Response):
            return run
        refusal = await self._answer(run, request, response, b"")
        if refusal is not None:
            await send(refusal.event(_version(request), self.request_id("")))
        return response

    async def _requested(
        self, request: web.Request, send: Send, containers: tuple[str, ...]
    ) -> ContextRun | web.Response:
        try:
            self._let_in(request)
            given = generation(parsed(await request.text()), socket=False, containers=containers)
            return self.begin(given, -1, send)
        except Refusal as refusal:
            return self._refused(request, refusal)

    async def _answer(
        self, run: ContextRun, request: web.Request, response: web.StreamResponse, begin: bytes
    ) -> Refusal | None:
        """Run a request to its end; returns what it was refused with on the way."""
        try:
            await response.prepare(request)
            if begin:
                await response.write(begin)
            await run.run()
        except Refusal as refusal:
            run.record.outcome = "refused"
            return refusal
        finally:
            run.record.outcome = run.record.outcome or "lost"
            self.end(run.record)
        return None


def _version(request: web.Request) -> str:
    return request.headers.get("Cartesia-Version") or request.query.get("cartesia_version", "")
