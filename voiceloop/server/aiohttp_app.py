"""The phone server as an aiohttp application, alone or mounted: ``app.add_subapp("/phone", phone_app(…))``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from voiceloop.runtime import Runtime
from voiceloop.server.http import BodyTooLong, Refusal, Reply, Request
from voiceloop.server.phone import ROUTES, Phone
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.twilio.aiohttp_socket import socket_for
from voiceloop.twilio.media import Bot
from voiceloop.twilio.messages import MAX_MESSAGE
from voiceloop.twilio.socket import Socket

__all__ = ["app_of", "phone_app", "phone_of"]


def phone_app(bot: Bot, runtime: Runtime, options: PhoneOptions | None = None) -> web.Application:
    """An aiohttp application that answers the phone with `bot`. When it shuts down, calls end: what is being said is
    finished.

    Args:
        bot: makes the pipeline of a call.
        runtime: what the calls share; closed by whoever made it.
        options: of the server.

    Raises:
        PhoneError: there is no auth token, or no public URL that Twilio can use.
    """
    return app_of(Phone(bot, runtime, options))


def app_of(phone: Phone) -> web.Application:
    """An aiohttp application with the routes of a phone."""
    app = web.Application()
    app[_PHONE] = phone
    for path, methods in ROUTES.items():
        handler = _stream(phone) if path == "/media" else _answer(phone, path)
        for method in methods:
            app.router.add_route(method, path, handler)

    async def stop(app: web.Application) -> None:
        await phone.drain(0)

    app.on_shutdown.append(stop)
    return app


def phone_of(app: web.Application) -> Phone:
    """The phone that `phone_app` has put behind an application."""
    return app[_PHONE]


_PHONE: Final = web.AppKey("phone", Phone)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _answer(phone: Phone, path: str) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return _response(await phone.answer(path, _request(request)))

    return handle


def _stream(phone: Phone) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        socket = socket_for(max_msg_size=2 * MAX_MESSAGE)

        async def accept() -> Socket:
            if not socket.can_prepare(request):
                raise Refusal(400, "expected the handshake of a WebSocket, version 13\n")
            await socket.prepare(request)
            return socket

        refused = await phone.stream(_request(request), accept)
        return socket if refused is None else _response(refused)

    return handle


def _request(request: web.Request) -> Request:
    return Request(
        request.method,
        request.path,
        request.raw_path,
        request.query,
        request.headers,
        lambda limit: _read(request, limit),
        request.remote or "",
    )


async def _read(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                raise BodyTooLong
    except web.RequestPayloadError:
        raise Refusal(400, "the body cannot be read\n") from None
    return bytes(body)


def _response(reply: Reply) -> web.Response:
    return web.Response(
        text=reply.text, status=reply.status, content_type=reply.content_type, headers=dict(reply.headers)
    )
