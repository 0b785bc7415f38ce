"""Runs TwiML for one simulated call, verb by verb."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import aiohttp

from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio_exchange import Exchange
from voiceloop.sim.twilio_twiml import Element, TwimlFault, read_twiml
from voiceloop.sim.twilio_web import WebhookFault

if TYPE_CHECKING:
    from voiceloop.sim.twilio_call import SimCall

__all__ = ["Program", "Source"]

APPLICATION_ERROR: Final = "We are sorry, an application error has occurred. Goodbye."
"""What callers hear when there is no TwiML to run."""
CONNECT_LIMIT: Final = 10.0
"""Seconds for the WebSocket of a stream to open."""
RING_LIMIT: Final = 30
"""Seconds that ``<Dial>`` lets it ring."""
MAX_DOCUMENTS: Final = 50
"""Documents that lead to each other before the call is ended."""
_NO_CONNECTION: Final = "Stream - WebSocket - Connection Timeout"
_DOUBLE_AFTER: Final = 1.0
"""Seconds after which a stream is opened a second time."""
KEY_TIME: Final = 0.25
"""Seconds for a key of ``<Play digits>``; ``w`` takes twice as long."""
_CLEAN: Final = ("closed by the server (1000)", "closed by the server (1001)", "closed by the server (1005)")


@dataclass(frozen=True, slots=True)
class Source:
    """Where TwiML comes from: a URL, or the text itself."""

    url: str = ""
    text: str = ""
    more: tuple[tuple[str, str], ...] = ()
    """Further fields for the URL."""


_NEXT: Final = Source()
"""The next verb follows."""


class Program:
    """The verbs of one call."""

    def __init__(self, exchange: Exchange, call: SimCall) -> None:
        self._exchange = exchange
        self._call = call
        self._url = ""
        self._first = ""
        """What a webhook answered that was asked twice, the first time."""
        self._verbs: dict[str, Callable[[Element], Awaitable[Source | None]]] = {
            "Connect": self._connect,
            "Dial": self._dial,
            "Hangup": self._hang_up,
            "Pause": self._pause,
            "Play": self._play,
            "Redirect": self._redirect,
            "Reject": self._hang_up,
            "Say": self._say,
        }

    async def run(self, source: Source) -> None:
        """Run a document and what it leads to, until the call is to end."""
        for _ in range(MAX_DOCUMENTS):
            try:
                following = await self._document(source)
            except (WebhookFault, TwimlFault) as fault:
                self._exchange.alert(fault.code, str(fault), self._call.sid)
                self._call.answer()
                await self._speak(APPLICATION_ERROR)
                return
            if following is None:
                return
            source = following

    async def _document(self, source: Source) -> Source | None:
        verbs = read_twiml(await self._text(source), self._warn)
        call = self._call
        if verbs and verbs[0].name == "Reject" and call.answered_at is None:
            reason = verbs[0].get("reason", "rejected")
            call.did.append(("reject", reason))
            call.reject("busy" if reason == "busy" else "no-answer")
            return None
        call.answer()
        for verb in verbs:
            following = await self._verbs[verb.name](verb)
            if following is not _NEXT:
                return following
        return None

    async def _text(self, source: Source) -> str:
        if not source.url:
            return source.text
        self._url = source.url
        form = [*self._call.form(self._call.status), *source.more]
        exchange = self._exchange
        if exchange.options.webhooks_twice:
            self._first = await exchange.web.twiml(source.url, form)
        text = await exchange.web.twiml(source.url, form)
        if exchange.options.webhooks_again is not None:
            exchange.spawn(self._ask_again(source.url, form), f"second webhook of {self._call.sid}")
        return text

    async def _ask_again(self, url: str, form: list[tuple[str, str]]) -> None:
        await asyncio.sleep(self._exchange.options.webhooks_again or 0.0)
        try:
            await self._exchange.web.twiml(url, form)
        except WebhookFault as fault:
            self._exchange.alert(fault.code, str(fault), self._call.sid)

    def _absolute(self, url: str) -> str:
        """A URL of a document, which may be relative to the document's own."""
        return urljoin(self._url, url) if self._url else url

    def _warn(self, code: int, message: str) -> None:
        self._exchange.alert(code, message, self._call.sid)

    # --- the verbs -----------------------------------------------------------------------------------------

    async def _say(self, verb: Element) -> Source:
        await self._speak(verb.text)
        return _NEXT

    async def _speak(self, text: str) -> None:
        self._call.did.append(("say", text))
        await asyncio.sleep(len(text) / self._exchange.options.talking_rate)

    async def _play(self, verb: Element) -> Source:
        digits = verb.get("digits")
        if not digits:
            raise TwimlFault(0, "the simulator plays digits only")
        self._call.did.append(("play", digits))
        await asyncio.sleep(sum(KEY_TIME * (2 if key in "wW" else 1) for key in digits))
        return _NEXT

    async def _pause(self, verb: Element) -> Source:
        self._call.did.append(("pause", verb.get("length", "1")))
        await asyncio.sleep(float(verb.get("length", "1")))
        return _NEXT

    async def _hang_up(self, verb: Element) -> None:
        self._call.did.append(("hang up", ""))

    async def _redirect(self, verb: Element) -> Source:
        self._call.did.append(("redirect", verb.text))
        return Source(url=self._absolute(verb.text))

    async def _dial(self, verb: Element) -> Source:
        nouns = [child for child in verb.children if child.name in ("Number", "Client", "Sip")]
        to = nouns[0].text if nouns else verb.text
        if nouns and nouns[0].name == "Client":
            to = f"client:{to}"
        if not to.startswith(("+", "client:", "sip:", "sips:")):
            raise TwimlFault(
                13224, f"Dial: Twilio does not support calling this number or the number is invalid: {to!r}"
            )
        self._call.did.append(("dial", to))
        child = self._call.dial(to, verb.get("callerId", self._call.from_))
        child.start(self._callee(child, float(verb.get("timeout", str(RING_LIMIT)))))
        try:
            await child.ended()
        finally:
            child.command(None, "canceled")
        if action := verb.get("action"):
            result = {"DialCallSid": child.sid, "DialCallStatus": child.status, "DialCallDuration": str(child.duration)}
            return Source(url=self._absolute(action), more=tuple(result.items()))
        return _NEXT

    async def _callee(self, child: SimCall, timeout: float) -> None:
        """The other party: rings, and talks until somebody hangs up."""
        if await child.ring(timeout):
            talks = self._exchange.phone(child.to).talks
            if talks is None:
                await asyncio.get_running_loop().create_future()
            else:
                await asyncio.sleep(talks)

    async def _connect(self, verb: Element) -> Source:
        for noun in verb.children:
            if noun.name == "Stream":
                await self._stream(noun)
        if action := verb.get("action"):
            return Source(url=self._absolute(action))
        return _NEXT

    async def _stream(self, noun: Element) -> None:
        """A media stream, until somebody ends it."""
        exchange, call = self._exchange, self._call
        if noun.get("track", "inbound_track") != "inbound_track":
            raise TwimlFault(31941, f"Stream - invalid track configuration: {noun.get('track')!r} in <Connect>")
        delays = exchange.options.stream_delays[len(call.streams) :]
        await asyncio.sleep(delays[0] if delays else 0.0)
        try:
            carrier = await self._open(noun)
        except WebhookFault as fault:
            exchange.alert(fault.code, str(fault), call.sid)
            await self._tell(noun, "stream-error", "", str(fault))
            return
        call.did.append(("stream", noun.get("url")))
        call.take(carrier)
        sid = carrier.stream.stream_sid
        double = exchange.spawn(self._double(noun), f"second stream of {call.sid}")
        try:
            await self._tell(noun, "stream-started", sid)
            await carrier.wait_ended()
        finally:
            double.cancel()
            await carrier.hang_up()
            for code, amount in carrier.errors.items():
                exchange.alert(code, f"Stream {sid}: {amount}", call.sid)
            if carrier.end.startswith("closed by the server") and carrier.end not in _CLEAN:
                exchange.alert(31921, f"Stream - WebSocket - Close Error: {carrier.end}", call.sid)
        await self._tell(noun, "stream-stopped", sid)

    async def _double(self, noun: Element) -> None:
        if self._exchange.options.streams_twice and not self._call.doubles:
            await asyncio.sleep(_DOUBLE_AFTER)
            verbs = read_twiml(self._first, self._warn) if self._first else []
            first = [child for verb in verbs for child in verb.children if child.name == "Stream"]
            try:
                self._call.doubles.append(await self._open(first[0] if first else noun))
            except WebhookFault as fault:
                self._exchange.alert(fault.code, str(fault), self._call.sid)

    async def _open(self, noun: Element) -> Carrier:
        exchange = self._exchange
        target = exchange.web.stream(noun.get("url"), exchange.options.signing)
        if self._call.lost_streams < exchange.options.streams_lost:
            self._call.lost_streams += 1
            await asyncio.sleep(CONNECT_LIMIT)
            raise WebhookFault(31901, _NO_CONNECTION)
        parameters = {each.get("name"): each.get("value") for each in noun.children if each.name == "Parameter"}
        carrier = Carrier(
            target.url,
            parameters=parameters,
            options=replace(exchange.options.carrier, seed=exchange.seed()),
            session=exchange.web.session,
            headers=target.headers,
            call_sid=self._call.sid,
            account_sid=exchange.account_sid,
        )
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await carrier.connect()
        except aiohttp.WSServerHandshakeError as error:
            text = f"Stream - WebSocket - Handshake Error: the server answered {error.status}"
            raise WebhookFault(31920, text) from None
        except TimeoutError:
            raise WebhookFault(31901, _NO_CONNECTION) from None
        except (aiohttp.ClientError, OSError) as error:
            raise WebhookFault(31902, f"Stream - WebSocket - Connection Refused: {error}") from None
        return carrier

    async def _tell(self, noun: Element, event: str, stream_sid: str, error: str = "") -> None:
        """The status callback of the stream; which fields it has is not confirmed."""
        if not (url := noun.get("statusCallback")):
            return
        exchange, call = self._exchange, self._call
        form = [("AccountSid", exchange.account_sid), ("CallSid", call.sid), ("StreamSid", stream_sid)]
        form += [("StreamName", noun.get("name")), ("StreamEvent", event)]
        form += [("Timestamp", exchange.date(exchange.now()) or ""), *([("StreamError", error)] if error else [])]
        try:
            await exchange.web.post(url, form)
        except WebhookFault as fault:
            exchange.alert(fault.code, str(fault), call.sid)
