"""The phone server: Twilio asks what to do with a call, is told to open a stream, and the bot is on the line.

``POST /voice`` answers Twilio's webhook with TwiML that opens a stream to ``GET /media``; ``POST /status`` hears how
calls go; ``GET /healthz`` and ``GET /readyz`` are for whoever runs the server. `Phone` does all that for whichever web
framework brings the requests: `voiceloop.server.aiohttp_app` or `voiceloop.server.asgi`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from voiceloop.call import Call
from voiceloop.carried import Carried
from voiceloop.faults import describe
from voiceloop.offload import in_virtual_time
from voiceloop.runtime import Runtime
from voiceloop.server.admission import Webhooks
from voiceloop.server.claims import Claims, claim_folder
from voiceloop.server.door import Door, Form, Sparingly
from voiceloop.server.http import BodyTooLong, Refusal, Reply, Request
from voiceloop.server.load_gauge import LoadGauge
from voiceloop.server.phone_options import PhoneError, PhoneOptions
from voiceloop.server.returns import LOST, Fate, Keeper, Returns
from voiceloop.server.streams import Streams
from voiceloop.server.voice import STREAM_WAIT, Voice
from voiceloop.server.webhook import AnsweredBy, BadWebhook, CallStatus, IncomingCall, LatestStatuses, read_form
from voiceloop.twilio.connections import ConnectionManager
from voiceloop.twilio.media import Bot
from voiceloop.twilio.signature import SIGNATURE_HEADER
from voiceloop.twilio.socket import Socket
from voiceloop.twilio.token import StreamTokens
from voiceloop.wallclock import unix

__all__ = ["ROUTES", "Phone", "PhoneError", "PhoneOptions"]

log = logging.getLogger("voiceloop.phone")

ROUTES: Final = {
    "/voice": ("GET", "POST"),
    "/status": ("POST",),
    "/media": ("GET",),
    "/healthz": ("GET", "HEAD"),
    "/readyz": ("GET", "HEAD"),
}
"""Paths, and the methods that they are asked by."""
_LOOK: Final = 0.1
"""Seconds between two looks at whether a stream has come that is waited for."""
_FORM: Final = "application/x-www-form-urlencoded"


class Phone:
    """What answers the requests, and what they share. Belongs to one event loop.

    Args:
        bot: makes the pipeline of a call.
        runtime: what the calls share; closed by whoever made it.
        options: of the server.

    Raises:
        PhoneError: there is no auth token, or no public URL that Twilio can use.
    """

    def __init__(self, bot: Bot, runtime: Runtime, options: PhoneOptions | None = None) -> None:
        self.options = options = options or PhoneOptions()
        self.bot = bot
        self.runtime = runtime
        self.calls: dict[int, Call] = {}
        """Calls on the line, by a number of their own: one call may be handed to a second stream."""
        self.manager = options.manager if options.manager is not None else ConnectionManager()
        """Where the live calls are found by their ids."""
        self.counts: Counter[str] = Counter()
        """How often: ``voice``, ``media``, ``status``, each with ``.refused``; ``voice.busy`` (there was no room),
        ``voice.load`` (of these, for the load), ``voice.failed``, ``voice.again`` (a call that lost its line),
        ``voice.replayed``, ``media.dropped`` (it had to go for others), ``media.unsigned`` (a wrong signature under a
        valid token), ``status.stale``."""
        self.stopping = False
        """No more calls are taken, but for streams whose webhook was answered before, and calls that come back."""
        self.closed = False
        """Not even those."""
        self._expected: dict[str, float] = {}  # calls whose stream is about to come, and until when
        self.load = LoadGauge(
            options.load, most=options.most_calls, pacing=lambda: getattr(self.runtime, "pacing", None)
        )
        """How loaded this process is. It is measured from the first request on, unless it was started before."""
        self.door = Door(options)
        self.keeper: Keeper = Returns()
        """Who remembers calls beyond their lines."""
        self.on_call: list[Callable[[Call], object]] = []
        """Each is called with each `Call` before the bot is."""
        self.on_status: list[Callable[[CallStatus], object]] = []
        """Each is called, or awaited, with each status callback that is news."""
        self.on_answered_by: list[Callable[[AnsweredBy], object]] = []
        """Each is called, or awaited, when Twilio says who has answered a call of ours."""
        self.sparingly = Sparingly()
        """The log, for what outsiders can cause."""
        self.claims = Claims(self.now, folder=claim_folder(), warn=lambda text: self.sparingly.warning("%s", text))
        """What was used up, here and in the other processes of this server."""
        self.webhooks = Webhooks(options.webhooks)
        """Which requests were answered."""
        self._voice = Voice(self)
        self._streams = Streams(self)
        self._tokens: StreamTokens | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._statuses = LatestStatuses()
        self._told = Webhooks(replace(options.webhooks, asks=1))
        if options.on_call is not None:
            self.on_call.append(options.on_call)
        if options.on_status is not None:
            self.on_status.append(options.on_status)
        if options.on_answered_by is not None:
            self.on_answered_by.append(options.on_answered_by)

    # --- what comes in -------------------------------------------------------------------------------------

    async def answer(self, route: str, request: Request) -> Reply:
        """Answer a request to one of `ROUTES`, but for ``/media``."""
        answers: dict[str, Callable[[Request], Awaitable[Reply]]] = {
            "/voice": self._voice.answer,
            "/status": self._status,
            "/healthz": self._healthy,
            "/readyz": self._ready,
        }
        if not self.closed:
            self.load.start()
        try:
            return await answers[route](request)
        except Refusal as refusal:
            return refusal.reply

    async def stream(self, request: Request, accept: Callable[[], Awaitable[Socket]]) -> Reply | None:
        """Take a stream; returns when it is over.

        Args:
            request: its handshake.
            accept: opens the WebSocket.

        Returns: how to answer the handshake, when no WebSocket was opened.
        """
        try:
            await self._streams.take(request, accept)
        except Refusal as refusal:
            return refusal.reply
        return None

    async def form(self, request: Request, name: str) -> Form:
        """The fields of a webhook that Twilio has signed.

        Raises:
            Refusal: it is too long, too slow, or not Twilio's.
        """
        self.counts[name] += 1
        try:
            async with asyncio.timeout(self.options.body_wait):
                body = await request.read(self.options.max_body)
            form = read_form(body) if request.content_type == _FORM else None
            if not self.door.webhook_is_genuine(request, form or [], body if form is None else None):
                raise Refusal(403, "this is not signed by Twilio\n")
            if form is None:
                raise BadWebhook(f"expected {_FORM}, got {request.content_type[:80]!r}")
            incoming = IncomingCall.of(form)
            if why := self.door.strange_account(incoming.fields.get("AccountSid", "")):
                self.sparingly.warning("POST /%s was refused (403): %s", name, why)
                raise Refusal(403, "this is not signed by Twilio\n")
            return form
        except BodyTooLong:
            self.counts[f"{name}.refused"] += 1
            raise Refusal(413, f"expected a body of at most {self.options.max_body} bytes\n") from None
        except TimeoutError:
            self.counts[f"{name}.refused"] += 1
            raise Refusal(408, "the body did not come in time\n") from None
        except BadWebhook as error:
            self.counts[f"{name}.refused"] += 1
            self.sparingly.warning("POST /%s was refused (400): %s", name, error)
            raise Refusal(400, f"{error}\n") from None
        except Refusal:
            self.counts[f"{name}.refused"] += 1
            raise

    async def _status(self, request: Request) -> Reply:
        """How a call goes. Twilio may say things twice, or late: what is no news is only counted."""
        form = await self.form(request, "status")
        fields = dict(form)
        if self.options.check and self._told.refusal(
            request.headers.get(SIGNATURE_HEADER, ""), fields.get("CallSid", ""), self.now()
        ):
            self.counts["status.stale"] += 1  # the very same request: somebody may have kept it
            return Reply(status=204)
        if "AnsweredBy" in fields and "CallStatus" not in fields:
            await self._tell(self.on_answered_by, AnsweredBy.of(form), "on_answered_by")
            return Reply(status=204)
        try:
            status = CallStatus.of(form)
        except BadWebhook as error:
            raise Refusal(400, f"{error}\n") from None
        if not self._statuses.take(status):
            self.counts["status.stale"] += 1
            return Reply(status=204)
        if status.ended:
            self.keeper.over(status.call_sid)
        await self._tell(self.on_status, status, "on_status")
        return Reply(status=204)

    async def _tell(self, hooks: list[Callable[[Any], object]], what: CallStatus | AnsweredBy, name: str) -> None:
        for hook in list(hooks):
            try:
                async with asyncio.timeout(self.options.hook_wait):
                    result = hook(what)
                    if inspect.isawaitable(result):
                        await result
            except Exception as error:
                line, detail = describe(error)
                log.error("call %s: %s failed: %s\n%s", what.call_sid, name, line, detail)

    async def _healthy(self, request: Request) -> Reply:
        return Reply("ok\n")

    async def _ready(self, request: Request) -> Reply:
        if self.stopping:
            return Reply("stopping\n", 503)
        if self.full:
            return Reply(f"busy: {self.live}, as many as are taken\n", 503)
        if self.busy:
            return Reply(f"busy: {self.live}, {self.load.load.why}\n", 503)
        return Reply("ready\n")

    # --- the calls -----------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether as many calls are on the line as are taken."""
        return len(self.calls) + self._streams.coming >= self.options.most_calls

    @property
    def live(self) -> str:
        """How many calls are on the line, in words."""
        return "1 call" if len(self.calls) == 1 else f"{len(self.calls)} calls"

    @property
    def busy(self) -> bool:
        """Whether a further call had better go elsewhere: as many as are taken are on the line, or the process has
        enough to do."""
        return self.full or (self.load.look() and self.options.load.refuse)

    def now(self) -> float:
        """Seconds on the clock that all processes of this server share: in virtual time the loop's."""
        try:
            return asyncio.get_running_loop().time() if in_virtual_time() else unix()
        except RuntimeError:  # in a thread: there is no loop, and no virtual time
            return unix()

    @property
    def tokens(self) -> StreamTokens:
        """The keys to streams."""
        if self._tokens is None:
            secret = self.door.secret or "nothing is checked"
            self._tokens = StreamTokens(secret, self.now, self.options.tokens, self.claims.claim)
        return self._tokens

    async def fate(self, call_sid: str) -> Fate:
        """What became of a call that asks what to do again; ``unknown`` when that is not to be found out in time."""
        try:
            async with asyncio.timeout(self.options.store_wait):
                return await self.keeper.fate(call_sid)
        except Exception as error:
            self.sparingly.warning("call %s: its record was not found: %s", call_sid, describe(error)[0])
            return "unknown"

    async def take_up(self, call_sid: str) -> Carried | None:
        """What was said on a call so far; None when nothing is known, or not to be found out in time."""
        try:
            async with asyncio.timeout(self.options.store_wait):
                return await self.keeper.take_up(call_sid)
        except Exception as error:
            self.sparingly.warning("call %s: its record was not found: %s", call_sid, describe(error)[0])
            return None

    def enter(self, number: int, call: Call) -> None:
        """A call is on the line."""
        self.calls[number] = call
        self.load.began(call.id)
        self._expected.pop(call.id, None)
        self._quiet.clear()
        if self.options.carrier is not None:
            call.carrier = self.options.carrier
        self.keeper.began(call)
        for hook in self.on_call:
            hook(call)

    def leave(self, number: int) -> None:
        """It is no more. Harmless when it never was."""
        call = self.calls.pop(number, None)
        if call is not None:
            self.load.ended(call.id)
        if call is not None and call.ending in LOST and self.options.returns:  # it will ask what to do in a moment
            self.expect_stream(call.id)
        if not self.calls:
            self._quiet.set()

    def expect_stream(self, call_sid: str) -> None:
        """A stream of this call is about to come: a server that stops waits for it, for a moment."""
        now = asyncio.get_running_loop().time()
        self._expected = {sid: until for sid, until in self._expected.items() if until > now}
        self._expected[call_sid] = now + STREAM_WAIT

    async def drain(self, limit: float | None = None) -> None:
        """Take no more calls, let those on the line go on to their end or the limit, then end them: what is being said
        is finished, for a while.

        Args:
            limit: seconds; None: `PhoneOptions.drain`.
        """
        self.stopping = True
        await self._until_quiet(self.options.drain if limit is None else limit)
        self.closed = True
        for call in list(self.calls.values()):
            with suppress(Exception):  # it is about to begin, or to end
                call.hang_up("server stopped")
        await self._until_quiet(self.options.last_words)
        for call in list(self.calls.values()):
            call.end("server stopped")
        self.load.stop()

    async def _until_quiet(self, limit: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._quiet.wait()
                while any(until > asyncio.get_running_loop().time() for until in self._expected.values()):
                    await asyncio.sleep(_LOOK)
                    await self._quiet.wait()
