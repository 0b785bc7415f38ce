"""``POST /voice``: a call asks what to do, and is told to open a stream; or comes back, for its line was lost."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.server.door import joined
from voiceloop.server.http import Refusal, Reply, Request
from voiceloop.server.phone_options import PhoneError
from voiceloop.server.webhook import IncomingCall
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.signature import SIGNATURE_HEADER

if TYPE_CHECKING:
    from voiceloop.server.phone import Phone
    from voiceloop.server.returns import Fate

__all__ = ["AGAIN", "OUT", "STREAM_WAIT", "TOKEN", "Voice"]

log = logging.getLogger("voiceloop.phone")

TOKEN: Final = "token"
AGAIN: Final = "again"
"""Names the query's field, and the stream's parameter, that count how often a call has come back."""
OUT: Final = "out"
"""Names the query's field with the parameters of a call that we dialled."""
OWN: Final = (TOKEN, AGAIN, "caller", "number", "direction", "answered_by")
"""Stream parameters that are ours."""
STREAM_WAIT: Final = 3.0
"""Seconds from the webhook's answer to its stream, for a server that stops. Twilio needs one or two."""


class Voice:
    """The webhook of a phone."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    async def answer(self, request: Request) -> Reply:
        """Say what to do. Asked twice, it is told twice: only one of the streams will be opened.

        Raises:
            Refusal: it is not Twilio that asks.
        """
        phone = self._phone
        if request.method != "POST":
            self._wrong_method()
        incoming = IncomingCall.of(await phone.form(request, "voice"))
        if phone.options.check:
            await self._not_replayed(request, incoming)
        again = _count(request.query.get(AGAIN, ""))
        ours = False
        if again:
            fate = await phone.fate(incoming.call_sid)
            if (reply := self._farewell(incoming, again, fate)) is not None:
                return reply
            ours = fate == "lost" and not phone.closed
        if why := self._no_room(incoming, again, ours):
            return await self._busy(request, incoming, again, why)
        phone.load.expect(incoming.call_sid)
        try:
            given = await self._parameters(incoming, request)
            stream = tw.connect_stream(self._stream_url(request), self._all_parameters(incoming, given, again))
            phone.expect_stream(incoming.call_sid)
            return _twiml(stream, *self._return(request, again))
        except Exception as error:
            line, detail = describe(error)
            phone.load.forget(incoming.call_sid)
            phone.counts["voice.failed"] += 1
            trace = "" if isinstance(error, VoiceloopError) else f"\n{detail}"  # those say what is wrong, and where
            log.error("call %s: it cannot be taken: %s%s", incoming.call_sid, line, trace)
            return self._apology()

    async def _not_replayed(self, request: Request, incoming: IncomingCall) -> None:
        """What somebody has kept of Twilio's is signed for ever, but answered once, or twice if that is soon.

        Raises:
            Refusal: it was answered before.
        """
        phone, now = self._phone, self._phone.now()
        signature, remembered = request.headers.get(SIGNATURE_HEADER, ""), phone.options.webhooks.remembered
        # First for this call, then for any: of the same request moved to another call only the second was there before.
        until = await phone.claims.claimed_until(f"webhook {signature} {incoming.call_sid}", now + remembered)
        why = ""
        if until is not None:
            phone.webhooks.was_answered(signature, incoming.call_sid, until - remembered, now)
        elif await phone.claims.claimed_until(f"webhook {signature}", now + remembered) is not None:
            why = "it was for another call"
        if why := why or phone.webhooks.refusal(signature, incoming.call_sid, now):
            phone.counts["voice.refused"] += 1
            phone.counts["voice.replayed"] += 1
            phone.sparingly.warning(
                "POST /voice was refused (403): call %s: the very same request came before, and %s. If a <Redirect> of "
                "your own brings calls back here, give its URL a query that is another each time",
                incoming.call_sid,
                why,
            )
            raise Refusal(403, "this was answered before\n")

    def _wrong_method(self) -> None:
        phone = self._phone
        phone.counts["voice.refused"] += 1
        phone.sparingly.warning(
            "GET /voice was refused (405): set the webhook's method to HTTP POST in Twilio's console"
        )
        raise Refusal(405, "expected POST, as Twilio's console has it by default\n", ("Allow", "POST"))

    def _farewell(self, incoming: IncomingCall, again: int, fate: Fate) -> Reply | None:
        """The end of a call whose stream is over: it is hung up, unless it only lost its line."""
        phone = self._phone
        if fate == "ended":
            return _twiml(tw.hang_up())
        phone.counts["voice.again"] += 1
        if again <= phone.options.returns:
            return None
        log.error("call %s: it has come back %d times, and is given up", incoming.call_sid, again - 1)
        return self._apology()

    def _no_room(self, incoming: IncomingCall, again: int, ours: bool) -> str:
        """Why a call is not taken; empty when it is."""
        phone = self._phone
        if phone.stopping and not ours:
            return "the server is stopping"
        if phone.full:
            return f"{len(phone.calls)} are on the line, as many as are taken"
        if again or incoming.direction == "outbound":  # somebody is on the line and has talked to us, or was called
            return ""
        coming = phone.load.awaited(incoming.call_sid)  # else a burst is let in whole, and its streams are refused
        if len(phone.calls) + coming >= phone.options.most_calls:
            return f"{len(phone.calls)} are on the line and {coming} are coming, as many as are taken"
        why = phone.load.refusal(incoming.call_sid)
        if why:
            phone.counts["voice.load"] += 1
        return why

    async def _busy(self, request: Request, incoming: IncomingCall, again: int, why: str) -> Reply:
        phone = self._phone
        phone.counts["voice.busy"] += 1
        if again:  # somebody is on the line: another worker may have room
            return _twiml(tw.pause(1), *self._return(request, again)[-1:])
        if incoming.direction == "outbound":  # they have answered us: the busy tone cannot be given any more
            return self._apology()
        phone.sparingly.warning("the call %s is not taken: %s", incoming.call_sid, why)
        overflow = phone.options.overflow
        try:
            if callable(overflow):
                async with asyncio.timeout(phone.options.hook_wait):
                    given = overflow(incoming)
                    overflow = await given if inspect.isawaitable(given) else given
            return _twiml(*overflow.verbs)
        except Exception as error:
            line, detail = describe(error)
            log.error("call %s: overflow failed: %s\n%s", incoming.call_sid, line, detail)
            return self._apology()

    def _apology(self) -> Reply:
        return _twiml(tw.say(self._phone.options.apology), tw.hang_up())

    def _return(self, request: Request, again: int) -> list[tw.Verb]:
        """What is done behind the stream: the call asks what to do again."""
        if not self._phone.options.returns:
            return []
        out = request.query.get(OUT, "")
        more = f"&{OUT}={quote(out, safe='')}" if out else ""
        here = f"{request.prefix('/voice')}/voice?{AGAIN}={again + 1}{more}"
        redirect = tw.redirect(joined(self._base(request), here))
        return [tw.pause(1), redirect] if again > 1 else [redirect]  # a stream that is refused is not asked for at once

    async def _parameters(self, incoming: IncomingCall, request: Request) -> Mapping[str, str]:
        from voiceloop.server.outgoing import decode_out

        options = self._phone.options
        ours = decode_out(request.query[OUT]) if OUT in request.query else {}
        if options.parameters is None:
            return ours
        async with asyncio.timeout(options.hook_wait):
            given = options.parameters(incoming)
            given = await given if inspect.isawaitable(given) else given
        if taken := sorted(set(given) & set(OWN)):
            raise PhoneError(f"the parameters hook gives {', '.join(taken)}, a name that the server needs itself")
        return {**given, **ours}

    def _all_parameters(self, incoming: IncomingCall, given: Mapping[str, str], again: int) -> dict[str, str]:
        own = {"caller": incoming.caller, "number": incoming.number, "direction": incoming.direction}
        cut = {name: value[: tw.MAX_PARAMETER - len(name)] for name, value in own.items()}
        if who := incoming.answered_by:
            cut["answered_by"] = who
        if again:
            cut[AGAIN] = str(again)
        return {**given, **cut, TOKEN: self._phone.tokens.make(incoming.call_sid)}

    def _stream_url(self, request: Request) -> str:
        path = f"{request.prefix('/voice')}/media"
        return "ws" + joined(self._base(request), path).removeprefix("http")

    def _base(self, request: Request) -> str:
        return self._phone.door.base_of(request) or f"http://{request.headers.get('Host', 'localhost')}"


def _count(text: str) -> int:
    """How often a call has come back."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _twiml(*verbs: tw.Verb) -> Reply:
    return Reply(tw.document(*verbs), content_type="text/xml")
