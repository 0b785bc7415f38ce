"""The phone server: Twilio asks what to do with a call, is told to open a stream, and the bot is on the line.

``POST /voice`` answers Twilio's webhook with TwiML that opens a stream to ``GET /media``; ``POST /status`` hears how
calls go; ``GET /healthz`` and ``GET /readyz`` are for whoever runs the server.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web

from voiceloop.call import Call
from voiceloop.faults import describe
from voiceloop.runtime import Runtime
from voiceloop.server.door import Door, Form, Sparingly
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.server.webhook import BadWebhook, CallStatus, IncomingCall, LatestStatuses, read_form
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.connections import ConnectionManager, TooManyCalls
from voiceloop.twilio.media import TRY_AGAIN_LATER, Bot, run_call
from voiceloop.twilio.messages import MAX_MESSAGE
from voiceloop.twilio.token import StreamTokens
from voiceloop.twilio.transport import HandshakeError, TwilioTransport

__all__ = ["Phone", "PhoneError", "PhoneOptions", "phone_app", "phone_of"]

log = logging.getLogger("voiceloop.phone")

TOKEN: Final = "token"
OWN: Final = (TOKEN, "caller", "number", "direction")
"""Stream parameters that are ours."""
_FORM: Final = "application/x-www-form-urlencoded"
_POLICY_VIOLATION: Final = 1008
"""WebSocket close code (RFC 6455, section 7.4.1)."""
_PROTOCOL_ERROR: Final = 1002


def phone_app(bot: Bot, runtime: Runtime, options: PhoneOptions | None = None) -> web.Application:
    """An aiohttp application that answers the phone with `bot`.

    Args:
        bot: makes the pipeline of a call.
        runtime: what the calls share; closed by whoever made it.
        options: of the server.

    Raises:
        PhoneError: there is no auth token, or no public URL that Twilio can use.
    """
    options = options or PhoneOptions()
    app = web.Application(client_max_size=options.max_body)
    app[_PHONE] = phone = Phone(bot, runtime, options)
    phone.add_to(app)
    return app


def phone_of(app: web.Application) -> Phone:
    """The phone that `phone_app` has put behind an application."""
    return app[_PHONE]


class Phone:
    """The routes, and what they share."""

    def __init__(self, bot: Bot, runtime: Runtime, options: PhoneOptions) -> None:
        self.options = options
        self.calls: dict[int, Call] = {}
        """Calls on the line, by a number of their own: one call may be handed to a second stream."""
        self.manager = options.manager if options.manager is not None else ConnectionManager()
        """Where the live calls are found by their ids."""
        self.counts: Counter[str] = Counter()
        """How often: ``voice``, ``media``, ``status``, each with ``.refused``; ``voice.busy``, ``voice.failed``,
        ``media.unsigned`` (a wrong signature under a valid token), ``status.stale``."""
        self.stopping = False
        """No more calls are taken."""
        self.door = Door(options)
        self._bot = bot
        self._runtime = runtime
        self._tokens: StreamTokens | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._handshakes = 0
        self._numbered = 0
        self._statuses = LatestStatuses()
        self._sparingly = Sparingly()

    def add_to(self, app: web.Application) -> None:
        """Register everything."""
        app.router.add_post("/voice", self._voice)
        app.router.add_get("/voice", self._wrong_method)
        app.router.add_get("/media", self._media)
        app.router.add_post("/status", self._status)
        app.router.add_get("/healthz", self._healthy)
        app.router.add_get("/readyz", self._ready)
        app.on_shutdown.append(self._drain)

    async def _drain(self, app: web.Application) -> None:
        await self.drain()

    async def drain(self) -> None:
        """Take no more calls, and end those on the line: what is being said is finished, for a while."""
        self.stopping = True
        for call in list(self.calls.values()):
            with suppress(Exception):  # it is about to begin, or to end
                call.hang_up("server stopped")
        with suppress(TimeoutError):
            async with asyncio.timeout(self.options.drain):
                await self._quiet.wait()
        for call in list(self.calls.values()):
            call.end("server stopped")

    # --- the webhook ---------------------------------------------------------------------------------------

    async def _voice(self, request: web.Request) -> web.Response:
        """A call asks what to do. Asked twice, it is told twice: only one of the streams will be opened."""
        incoming = IncomingCall.of(await self._form(request, "voice"))
        if self.stopping or len(self.calls) >= self.options.most_calls:
            self.counts["voice.busy"] += 1
            self._sparingly.warning(
                "the call %s hears the busy tone: %d are on the line", incoming.call_sid, len(self.calls)
            )
            return _twiml(tw.reject(busy=True))
        try:
            given = await self._parameters(incoming)
            return _twiml(tw.connect_stream(self._stream_url(request), self._all_parameters(incoming, given)))
        except Exception as error:
            line, detail = describe(error)
            self.counts["voice.failed"] += 1
            log.error("call %s: it cannot be taken: %s\n%s", incoming.call_sid, line, detail)
            return _twiml(tw.say(self.options.apology), tw.hang_up())

    async def _parameters(self, incoming: IncomingCall) -> Mapping[str, str]:
        if self.options.parameters is None:
            return {}
        async with asyncio.timeout(self.options.hook_wait):
            given = self.options.parameters(incoming)
            given = await given if inspect.isawaitable(given) else given
        if taken := sorted(set(given) & set(OWN)):
            raise PhoneError(f"the parameters hook gives {', '.join(taken)}, a name that the server needs itself")
        return given

    def _all_parameters(self, incoming: IncomingCall, given: Mapping[str, str]) -> dict[str, str]:
        own = {"caller": incoming.caller, "number": incoming.number, "direction": incoming.direction}
        cut = {name: value[: tw.MAX_PARAMETER - len(name)] for name, value in own.items()}
        return {TOKEN: self._keys().make(incoming.call_sid), **cut, **given}

    def _stream_url(self, request: web.Request) -> str:
        base = self.door.base_of(request) or f"http://{request.host}"
        return "ws" + base.removeprefix("http") + request.path.removesuffix("/voice") + "/media"

    def _keys(self) -> StreamTokens:
        if self._tokens is None:
            secret = self.door.secret or "nothing is checked"
            self._tokens = StreamTokens(secret, asyncio.get_running_loop().time, self.options.tokens)
        return self._tokens

    async def _wrong_method(self, request: web.Request) -> web.Response:
        self.counts["voice.refused"] += 1
        self._sparingly.warning(
            "GET /voice was refused (405): set the webhook's method to HTTP POST in Twilio's console"
        )
        raise web.HTTPMethodNotAllowed("GET", ["POST"], text="expected POST, as Twilio's console has it by default\n")

    async def _form(self, request: web.Request, name: str) -> Form:
        """The fields of a webhook that Twilio has signed.

        Raises:
            HTTPException: it is too long, too slow, or not Twilio's.
        """
        self.counts[name] += 1
        try:
            async with asyncio.timeout(self.options.body_wait):
                body = await request.read()
            form = read_form(body) if request.content_type == _FORM else None
            if not self.door.webhook_is_genuine(request, form or [], body if form is None else None):
                raise web.HTTPForbidden(text="this is not signed by Twilio\n")
            if form is None:
                raise BadWebhook(f"expected {_FORM}, got {request.content_type[:80]!r}")
            IncomingCall.of(form)
            return form
        except TimeoutError:
            self.counts[f"{name}.refused"] += 1
            raise web.HTTPRequestTimeout(text="the body did not come in time\n") from None
        except BadWebhook as error:
            self.counts[f"{name}.refused"] += 1
            self._sparingly.warning("POST /%s was refused (400): %s", name, error)
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        except web.HTTPException:
            self.counts[f"{name}.refused"] += 1
            raise

    # --- the stream ----------------------------------------------------------------------------------------

    async def _media(self, request: web.Request) -> web.StreamResponse:
        """A stream: it says which call it is, and has the token that the webhook gave to that call."""
        self.counts["media"] += 1
        full = len(self.calls) >= self.options.most_calls or self._handshakes >= self.options.most_handshakes
        if self.stopping or full:
            self.counts["media.refused"] += 1
            raise web.HTTPServiceUnavailable(text="no more calls are taken\n")
        signed = not self.options.check or self.door.handshake_is_genuine(request)
        if not signed and self.options.strict:
            self._refuse_stream("its handshake is not signed by Twilio for this URL, and strict=True")
            raise web.HTTPForbidden(text="this is not signed by Twilio\n")
        # Twilio does not speak permessage-deflate; offering it is suspected to break its sockets.
        socket = web.WebSocketResponse(compress=False, max_msg_size=2 * MAX_MESSAGE)
        if not socket.can_prepare(request):
            self.counts["media.refused"] += 1
            raise web.HTTPUpgradeRequired(text="expected a WebSocket\n", headers={"Upgrade": "websocket"})
        self._handshakes += 1
        try:
            await socket.prepare(request)
            transport = await TwilioTransport.accept(socket)
        except HandshakeError as error:
            self._refuse_stream(str(error))
            await socket.close(code=_PROTOCOL_ERROR, message=str(error).encode()[:120])
            return socket
        finally:
            self._handshakes -= 1
        started = transport.started
        token = started.parameters.pop(TOKEN, "")
        why = self._keys().refusal(token, started.call_sid) if self.options.check else ""
        if why:
            self._refuse_stream(why)
            await socket.close(code=_POLICY_VIOLATION, message=b"no valid token")
            return socket
        if not signed:
            self.counts["media.unsigned"] += 1
            self._sparingly.warning(
                "call %s: the signature of its WebSocket does not match %s; its token is valid, so it goes on",
                started.call_sid,
                self.door.base_of(request) + request.path,
            )
        try:
            await self._run(transport)
        except TooManyCalls as error:
            self._refuse_stream(f"call {started.call_sid}: {error}")
            await socket.close(code=TRY_AGAIN_LATER, message=b"too many calls")
        return socket

    async def _run(self, transport: TwilioTransport) -> None:
        self._numbered += 1
        number = self._numbered

        def begin(call: Call) -> None:
            self.calls[number] = call
            self._quiet.clear()
            if self.options.carrier is not None:
                call.carrier = self.options.carrier
            if self.options.on_call is not None:
                self.options.on_call(call)

        try:
            await run_call(self._bot, transport, self._runtime, begin, self.manager)
        finally:
            self.calls.pop(number, None)
            if not self.calls:
                self._quiet.set()

    def _refuse_stream(self, why: str) -> None:
        self.counts["media.refused"] += 1
        self._sparingly.warning("a stream was refused: %s", why)

    # --- the rest ------------------------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        """How a call goes. Twilio may say things twice, or late: what is no news is only counted."""
        try:
            status = CallStatus.of(await self._form(request, "status"))
        except BadWebhook as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from None
        if not self._statuses.take(status):
            self.counts["status.stale"] += 1
        elif self.options.on_status is not None:
            try:
                async with asyncio.timeout(self.options.hook_wait):
                    result = self.options.on_status(status)
                    if inspect.isawaitable(result):
                        await result
            except Exception as error:
                line, detail = describe(error)
                log.error("call %s: on_status failed: %s\n%s", status.call_sid, line, detail)
        return web.Response(status=204)

    async def _healthy(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, request: web.Request) -> web.Response:
        if self.stopping:
            return web.Response(text="stopping\n", status=503)
        if len(self.calls) >= self.options.most_calls:
            return web.Response(text="busy\n", status=503)
        return web.Response(text="ready\n")


_PHONE: Final = web.AppKey("phone", Phone)


def _twiml(*verbs: tw.Verb) -> web.Response:
    return web.Response(text=tw.document(*verbs), content_type="text/xml")
