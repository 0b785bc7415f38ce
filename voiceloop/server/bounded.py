"""An aiohttp server with bounds that aiohttp lacks: on its connections, and on what strangers put into its log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from voiceloop.server.admission import Connections

__all__ = ["BoundedRunner"]

_LINES: Final = 10
_PERIOD: Final = 60.0
"""Lines of the log, within seconds, for requests that are no HTTP."""


class BoundedRunner(web.AppRunner):
    """An `aiohttp.web.AppRunner` that serves so many connections at a time. When one more comes, the one that has
    waited longest for a request, or for the rest of one, is cut; when none is waiting, the newcomer is.

    Args:
        app: what is served.
        most: connections at a time.
        header_wait: seconds for a request's headers, and that an idle connection is kept.
        linger: seconds that the rest of a refused request is read, so that its sender gets to read the refusal.
        cleanup: seconds that requests get to end when the server stops.
    """

    def __init__(
        self, app: web.Application, *, most: int, header_wait: float = 20.0, linger: float = 1.0, cleanup: float = 5.0
    ) -> None:
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=cleanup)
        self.connections: Connections[RequestHandler] = Connections(most)
        """What is open."""
        self._asking: dict[RequestHandler, web.BaseRequest] = {}
        self._of_a_connection = {
            "keepalive_timeout": header_wait,
            "lingering_time": linger,
            "access_log": None,
            # Twilio compresses nothing, and what is not unpacked is no bomb.
            "auto_decompress": False,
            "logger": _sparing_log(),
        }
        app.middlewares.insert(0, self._watch())

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _BoundedServer(self, made.request_handler, request_factory=made.request_factory, **self._of_a_connection)

    def _watch(self) -> Any:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            protocol = request.protocol
            self.connections.asks(protocol)
            self._asking[protocol] = request
            try:
                return await handler(request)
            finally:
                del self._asking[protocol]
                self.connections.answered(protocol)

        return watch

    def make_room(self) -> bool:
        """Have one go that waits, if one more is too many. Returns whether there is room now."""
        if not self.connections.full:
            return True
        victim = self.connections.victim(self._is_incomplete)
        if victim is None:
            return False
        self.connections.gone(victim)
        if victim.transport is not None:
            victim.transport.abort()
        return True

    def _is_incomplete(self, protocol: RequestHandler) -> bool:
        request = self._asking.get(protocol)
        return request is not None and not request.content.is_eof()


class _BoundedServer(web.Server):
    """Knows which connections there are: each says so to the server it belongs to."""

    def __init__(self, runner: BoundedRunner, handler: Any, **options: Any) -> None:
        super().__init__(handler, **options)
        self._runner = runner

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if self._runner.make_room():
            self._runner.connections.opened(handler)
        else:
            transport.abort()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._runner.connections.gone(handler)


def _sparing_log() -> logging.Logger:
    """Where aiohttp tells what went wrong with a request: without a traceback, and seldom, if the request is to blame.

    Each server has a filter of its own, so the logger is none that others find by its name.
    """
    log = logging.Logger("voiceloop.http")
    log.parent = logging.getLogger("voiceloop")
    log.addFilter(_Sparing())
    return log


class _Sparing(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._until = 0.0
        self._left = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not isinstance(error, (HttpProcessingError, ConnectionError, web.RequestPayloadError)):
            return True
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._until, self._left = now + _PERIOD, _LINES
        self._left -= 1
        # What the request holds is not shown: it may be anything, and somebody's secret.
        record.msg, record.args, record.exc_info = "a request was refused: %s", (type(error).__name__,), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return self._left >= 0
