"""A local page to talk to a bot: the browser speaks Media Streams to the same ``GET /media`` as Twilio does."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from voiceloop.offload import offload
from voiceloop.record.timeline import Timeline
from voiceloop.server.assets import Assets
from voiceloop.server.bot_file import BotFile, Loaded
from voiceloop.server.guard import PICTURE_POLICY, guard, put_headers
from voiceloop.server.talk_calls import LiveCall, TalkCalls
from voiceloop.twilio.media import media_handler

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["MAX_CALLS", "talk_app"]

MAX_CALLS = 4
"""Calls at a time."""
MAX_READERS = 32
"""Event streams at a time."""
RELOAD_WAIT = 8.0
"""Seconds that a call waits for the bot to be loaded; the page waits 15 s for an answer."""
SHUTDOWN = 3.0
"""Seconds that running calls get to end when the server stops."""
TRY_LATER = 1013
"""WebSocket close code "try again later" (IANA registry; RFC 6455, section 7.4.2)."""
_SID = re.compile(r"CA[0-9a-f]{32}")


def talk_app(bot_file: BotFile, *, host: str = "127.0.0.1", max_calls: int = MAX_CALLS) -> web.Application:
    """The application of ``voiceloop talk``.

    Routes: ``/`` and the page's files; ``/media``, Twilio's media stream; ``/events?call=SID``, what happens in a call,
    as server-sent events; ``/state`` of the bot file; ``/calls``, the latest; ``/picture/SID`` and
    ``/picture/SID.png`` of a finished call; ``POST /load``, load the bot file again.

    Args:
        bot_file: the bot; started and closed with the application.
        host: what the server listens on: requests for any other name are refused.
        max_calls: calls at a time; a further one is told so.
    """
    from aiohttp import web

    app = web.Application(middlewares=[guard(host)])
    app.on_response_prepare.append(put_headers)
    _Talk(bot_file, max_calls).add_to(app)
    return app


class _Talk:
    """The handlers, and what they share."""

    def __init__(self, bot_file: BotFile, max_calls: int) -> None:
        self._bot = bot_file
        self._max_calls = max_calls
        self._sockets = 0
        self._readers = 0
        self._calls = TalkCalls()
        self._assets = Assets()
        self._stopping = asyncio.Event()

    def add_to(self, app: web.Application) -> None:
        """Register everything."""
        app.router.add_get("/", self._page)
        app.router.add_get("/media", self._media)
        app.router.add_get("/events", self._events)
        app.router.add_get("/state", self._state)
        app.router.add_get("/calls", self._latest)
        app.router.add_get("/picture/{name}", self._picture)
        app.router.add_post("/load", self._load)
        app.router.add_get("/{name}", self._asset)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        app.on_cleanup.append(self._close)

    async def _start(self, app: web.Application) -> None:
        self._bot.start()

    async def _stop(self, app: web.Application) -> None:
        """End the calls; the pages are told why."""
        for live in self._calls.running():
            if live.call is not None:
                live.call.end("server stopped")
        with suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN):
                for live in self._calls.running():
                    await live.ended.wait()
        self._stopping.set()

    async def _close(self, app: web.Application) -> None:
        await self._bot.aclose()

    # --- the page ------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        return self._assets.serve(request, "index.html")

    async def _asset(self, request: web.Request) -> web.Response:
        return self._assets.serve(request, request.match_info["name"])

    async def _state(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response({**self._bot.as_dict(), "calls": self._sockets, "most_calls": self._max_calls})

    async def _load(self, request: web.Request) -> web.Response:
        from aiohttp import web

        self._bot.load_again()
        return web.Response(status=202)

    async def _latest(self, request: web.Request) -> web.Response:
        from aiohttp import web

        return web.json_response([live.as_dict() for live in self._calls.latest()])

    # --- a call --------------------------------------------------------------------------------------------

    async def _media(self, request: web.Request) -> web.StreamResponse:
        """Twilio's own handler, once there is room and a bot."""
        if self._sockets >= self._max_calls:
            return await _refuse(request, f"{self._max_calls} calls run already: end one first")
        self._sockets += 1
        try:
            loaded = await self._ready()
            if loaded is None:
                return await _refuse(request, "the bot has an error" if self._bot.error else "the bot is still loading")
            try:
                handle = media_handler(loaded.module.bot, loaded.runtime, on_call=self._calls.begin)
                return await handle(request)
            finally:
                await loaded.leave()
        finally:
            self._sockets -= 1

    async def _ready(self) -> Loaded | None:
        """What a call runs on. A file that was saved a moment ago is waited for: edit and call again is one move."""
        loop = asyncio.get_running_loop()
        until = loop.time() + RELOAD_WAIT
        while True:
            loaded = self._bot.enter()
            if loaded is not None or self._bot.error is not None or loop.time() >= until:
                return loaded
            await asyncio.sleep(0.05)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        id = request.query.get("call", "")
        if not _SID.fullmatch(id):
            raise web.HTTPBadRequest(text="expected /events?call=CA and 32 hexadecimal digits\n")
        if self._readers >= MAX_READERS:
            raise web.HTTPServiceUnavailable(text=f"{MAX_READERS} event streams are open already\n")
        last = request.headers.get("Last-Event-ID", "")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
        live = self._calls.expect(id)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self._readers += 1
        live.readers += 1
        try:
            await response.prepare(request)
            sending = asyncio.ensure_future(_send_events(response, live, after))
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait([sending, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, stopping):
                    task.cancel()
                    with suppress(asyncio.CancelledError, ConnectionError):
                        await task
        finally:
            self._readers -= 1
            live.readers -= 1
            self._calls.forget(live)
        return response

    async def _picture(self, request: web.Request) -> web.Response:
        from aiohttp import web

        id, dot, kind = request.match_info["name"].partition(".")
        live = self._calls.find(id)
        if live is None or live.timeline is None or kind not in ("", "png") or (dot and not kind):
            raise web.HTTPNotFound(text="there is no picture of this call: it has not ended, or is too long ago\n")
        if kind:
            return await _png(live.timeline)
        from voiceloop.record.picture import picture_html

        html = await offload(picture_html, live.timeline)
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": PICTURE_POLICY})


async def _refuse(request: web.Request, why: str) -> web.WebSocketResponse:
    """Take the socket and close it with a reason: a page cannot see why a handshake was refused."""
    from aiohttp import web

    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    await socket.close(code=TRY_LATER, message=why.encode())
    return socket


async def _send_events(response: web.StreamResponse, live: LiveCall, after: int) -> None:
    await response.write(b"retry: 500\n: a call's events\n\n")
    async for event in live.events(after):
        await response.write(f"id: {event[0]}\ndata: {event[1]}\n\n".encode() if event else b": still here\n\n")
    await response.write(b"event: over\ndata: {}\n\n")


async def _png(timeline: Timeline) -> web.Response:
    import tempfile
    from pathlib import Path

    from aiohttp import web

    from voiceloop.errors import MissingExtra
    from voiceloop.record.png import picture_png

    def draw() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "call.png"
            picture_png(timeline, path)
            return path.read_bytes()

    try:
        return web.Response(body=await offload(draw), content_type="image/png")
    except MissingExtra as error:
        raise web.HTTPNotFound(text=f"{error}\n") from None
