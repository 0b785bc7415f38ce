"""``GET /media``: a WebSocket of Twilio's becomes a call through a bot's pipeline."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from voiceloop.call import Call
from voiceloop.faults import describe
from voiceloop.log_context import logged_as
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.twilio.connections import ConnectionManager, TooManyCalls
from voiceloop.twilio.transport import HandshakeError, TwilioTransport

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Bot", "media_app", "media_handler"]

log = logging.getLogger("voiceloop.twilio")

Bot = Callable[[Call], Pipeline | Awaitable[Pipeline]]
"""What a bot file defines as ``bot``: called once per call, sync or async."""

TRY_AGAIN_LATER = 1013
"""Close code of a WebSocket (IANA registry): the server is full."""
MAX_SOCKET_MESSAGE = 4 * 1024 * 1024
"""Bytes of a WebSocket message beyond which the socket is closed. Below it the protocol machine refuses politely."""


def media_app(
    bot: Bot,
    runtime: Runtime,
    *,
    on_call: Callable[[Call], object] | None = None,
    manager: ConnectionManager | None = None,
) -> web.Application:
    """An aiohttp application with the one route ``GET /media``, which runs `bot` for every stream: `media_handler`."""
    from aiohttp import web

    app = web.Application()
    app.router.add_get("/media", media_handler(bot, runtime, on_call=on_call, manager=manager))
    return app


def media_handler(
    bot: Bot,
    runtime: Runtime,
    *,
    on_call: Callable[[Call], object] | None = None,
    manager: ConnectionManager | None = None,
) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """The handler of the route, for an application that has others too.

    Args:
        bot: makes the pipeline of a call.
        runtime: what the calls share; closed by whoever made it.
        on_call: called with every new `Call`, before the bot.
        manager: where the live calls are found; a new one when not given. A call too many is refused.
    """
    from voiceloop.twilio.aiohttp_socket import socket_for

    connections = ConnectionManager() if manager is None else manager

    async def media(request: web.Request) -> web.WebSocketResponse:
        socket = socket_for(max_msg_size=MAX_SOCKET_MESSAGE)
        await socket.prepare(request)
        try:
            transport = await TwilioTransport.accept(socket)
        except HandshakeError as error:
            log.warning("a socket that is no media stream: %s", error)
            await socket.close(code=1002, message=str(error).encode()[:120])
            return socket
        try:
            await run_call(bot, transport, runtime, on_call, connections)
        except TooManyCalls as error:
            log.warning("call %s was refused: %s", transport.started.call_sid, error)
            await socket.close(code=TRY_AGAIN_LATER, message=b"too many calls")
        return socket

    return media


async def run_call(
    bot: Bot,
    transport: TwilioTransport,
    runtime: Runtime,
    on_call: Callable[[Call], object] | None = None,
    manager: ConnectionManager | None = None,
) -> CallReport:
    """Run one call from its started stream to its end, also when the bot cannot be made.

    Raises:
        TooManyCalls: the manager takes no more; the socket is left open.
    """
    started = transport.started
    params = dict(started.parameters)
    call = Call(
        transport,
        id=started.call_sid,
        caller=params.pop("caller", ""),
        number=params.pop("number", ""),
        direction=params.pop("direction", "inbound"),
        params=params,
        runtime=runtime,
    )
    call.made_by = bot
    if manager is not None:
        manager.connect(call)
        transport.manager = manager
    try:
        with logged_as(call.id):
            if on_call is not None:
                on_call(call)
            pipeline = await pipeline_of(bot, call)
            return await pipeline.run(call)
    except BaseException as error:
        if call._ended is not None:  # it did begin, so there was a report
            raise
        # The report first: when the line has been closed, the carrier asks what became of the call.
        try:
            return _report_of_none(call, error)
        finally:
            await transport.stop()


def _report_of_none(call: Call, error: BaseException) -> CallReport:
    """The report of a call that has not begun, because its bot could not be made."""
    if not isinstance(error, Exception):  # cancelled meanwhile
        call.ending = "cancelled"
        call._report([])
        raise error
    line, detail = describe(error)
    log.error("call %s: the bot could not be made: %s\n%s", call.id, line, detail, extra={"call": call.id})
    call.note_fault("bot", line, detail)
    call.ending = "failed"
    return call._report([])
