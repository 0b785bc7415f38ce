"""One call at the simulated Twilio: its states, its TwiML, its status callbacks, and the person on the line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

from voiceloop.sim.caller import CallEnded, Caller
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio_answering import Answering
from voiceloop.sim.twilio_callbacks import Callbacks
from voiceloop.sim.twilio_exchange import Exchange
from voiceloop.sim.twilio_machine import Detection
from voiceloop.sim.twilio_program import Program, Source
from voiceloop.twilio.rest_records import FINAL

__all__ = ["SimCall", "Source"]

EVENTS: Final = {"queued": "initiated", "ringing": "ringing", "in-progress": "answered"}
"""The event of a status callback that goes with a status; all final ones are ``completed``."""
SIP_CODES: Final = {"completed": "200", "busy": "486", "no-answer": "487", "canceled": "487", "failed": "404"}
"""``SipResponseCode`` of the last status callback."""
_END_LIMIT: Final = 60.0
"""Seconds that the end of a call may take: its stream closes, its callbacks are sent."""


class SimCall:
    """A call. `caller` is the person on the line; what Twilio itself did is in `did`."""

    def __init__(self, exchange: Exchange, to: str, from_: str, direction: str, parent: SimCall | None = None) -> None:
        self.sid = exchange.sid("CA")
        self.to = to
        self.from_ = from_
        self.direction = direction
        """``inbound``, ``outbound-api`` or ``outbound-dial``."""
        self.parent = parent
        self.status = "queued"
        self.statuses: list[tuple[float, str]] = []
        """Each status, and when it began on the loop's clock."""
        self.did: list[tuple[str, str]] = []
        """What Twilio did: ``("say", text)``, ``("play", digits)``, ``("dial", number)``, ``("stream", url)``, …"""
        self.streams: list[Carrier] = []
        """Its media streams, oldest first."""
        self.doubles: list[Carrier] = []
        """Second sockets of them; see `TwilioOptions.streams_twice`."""
        self.lost_streams = 0
        """Streams that never reached the application."""
        self.children: list[SimCall] = []
        """Calls that its ``<Dial>`` made."""
        self.callback_url = ""
        self.callback_events: tuple[str, ...] = ("completed",)
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.created_at = exchange.now()
        self._exchange = exchange
        self._caller: Caller | None = None
        self._news: asyncio.Event = asyncio.Event()
        self._command: asyncio.Future[Source | None] = asyncio.get_running_loop().create_future()
        self._final = "completed"
        self._sequence = 0
        self.callbacks = Callbacks(exchange, self.sid)
        """What the application is told of it."""
        self._answering: Answering | None = None
        self._over_event = asyncio.Event()
        self._done = asyncio.Event()
        exchange.calls[self.sid] = self

    # --- the person on the line ----------------------------------------------------------------------------

    @property
    def caller(self) -> Caller:
        """The person on the line, while there is a stream, or after the last one.

        Raises:
            CallEnded: there never was one; the message has what the debugger says, and what Twilio did instead.
        """
        if self._caller is None:
            raise CallEnded(f"the call has no stream ({self.status}): {'; '.join(self._happened())}")
        return self._caller

    def _happened(self) -> list[str]:
        """What became of a call without a stream, in words; each thing once."""
        alerts = [f"{alert.code} {alert.message}" for alert in self._exchange.debugger if alert.call_sid == self.sid]
        told = {
            "say": "Twilio's voice said {!r}",
            "reject": "the webhook rejected it: {}",
            "dial": "it was put through to {}",
            "hang up": "the TwiML hung up",
        }
        did = [told[kind].format(what) for kind, what in self.did if kind in told]
        return list(dict.fromkeys([*alerts, *did])) or ["the TwiML asked for none"]

    async def connected(self, *, streams: int = 1) -> Caller:
        """Wait until so many streams have been opened in all; gives the person on the line of the last one.

        Raises:
            CallEnded: the call is over without.
        """
        await self.settled(streams)
        if len(self.streams) < streams:
            raise CallEnded(f"the call ended ({self.status}) with {len(self.streams)} streams, not {streams}")
        return self.caller

    async def settled(self, streams: int = 1) -> None:
        """Wait until so many streams have been opened, or the call is over."""
        while len(self.streams) < streams and self.ended_at is None:
            self._news.clear()
            await self._news.wait()

    async def hangs_up(self) -> None:
        """The person on the line hangs up. Returns when the stream has ended."""
        self.command(None, "canceled")
        await self._over_event.wait()

    async def ended(self) -> None:
        """Wait until the call is over and its status callbacks are sent."""
        await self._done.wait()

    # --- what happens --------------------------------------------------------------------------------------

    def start(self, life: Coroutine[Any, Any, Source | None]) -> None:
        """Begin with `life`: ringing. What it returns is run then."""
        self._exchange.spawn(self._live(life), f"call {self.sid}")

    async def _live(self, life: Coroutine[Any, Any, Source | None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            following: Source | None = None
            running: Coroutine[Any, Any, Source | None] | None = life
            while running is not None:
                command = self._command
                task = loop.create_task(running, name=f"TwiML of {self.sid}")
                try:
                    await asyncio.wait([task, command], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not task.done():
                        task.cancel()
                        await asyncio.wait([task], timeout=_END_LIMIT)
                if command.done():
                    following, self._command = command.result(), loop.create_future()
                else:
                    following = task.result()
                running = Program(self._exchange, self).run(following) if following is not None else None
        finally:
            self._over()
            for double in self.doubles:
                await double.hang_up()
            await self.callbacks.sent()
            self._done.set()

    async def inbound(self, source: Source) -> Source:
        """Somebody calls a number of the account."""
        self.set("ringing")
        return source

    async def outbound(
        self, source: Source, timeout: float, detection: Detection, time_limit: float = 14400.0
    ) -> Source | None:
        """Twilio calls somebody, by order of the REST API."""
        self.set("queued")
        if not await self.ring(timeout):
            return None
        self._exchange.spawn(self._cut_off(time_limit), f"time limit of {self.sid}")
        self._answering = Answering(self._exchange, self, self._exchange.phone(self.to), detection)
        await self._answering.begin()
        return replace(source, more=(*source.more, *self._answering.fields))

    async def _cut_off(self, after: float) -> None:
        await asyncio.sleep(after)
        self.command(None)

    async def ring(self, timeout: float) -> bool:
        """Ring the other party. Returns whether they answer."""
        phone = self._exchange.phone(self.to)
        await asyncio.sleep(self._exchange.options.dial_delay)
        if phone.outcome == "failed":
            self._final = "failed"
            return False
        self.set("ringing")
        answers = phone.outcome == "answers" and phone.rings <= timeout
        await asyncio.sleep(timeout if phone.outcome == "no-answer" else min(phone.rings, timeout))
        if answers:
            self.answer()
        else:
            self._final = "busy" if phone.outcome == "busy" else "no-answer"
        return answers

    def answer(self) -> None:
        """From here on the call is paid for."""
        if self.answered_at is None:
            self.answered_at = self._exchange.now()
            self.set("in-progress")

    def reject(self, status: str) -> None:
        """End without having answered."""
        self._final = status

    def command(self, source: Source | None, unanswered: str = "completed") -> None:
        """Do something else, or hang up.

        Args:
            unanswered: status of a call that nobody has answered.
        """
        if self.ended_at is None:
            if source is None and self.answered_at is None:
                self._final = unanswered
            if not self._command.done():
                self._command.set_result(source)

    def dial(self, to: str, from_: str) -> SimCall:
        """A call that connects this one with somebody."""
        child = SimCall(self._exchange, to, from_, "outbound-dial", self)
        self.children.append(child)
        return child

    def take(self, carrier: Carrier) -> None:
        """A stream has been opened."""
        self.streams.append(carrier)
        self._caller = Caller(carrier, self._exchange.voice)
        if self._answering is not None:
            self._answering.join(carrier, self._caller)
        self._news.set()

    @property
    def answered_by(self) -> str:
        """What the detection of machines has found; empty before."""
        verdict = self._answering.verdict if self._answering is not None else None
        return verdict.answered_by if verdict is not None else ""

    @property
    def message(self) -> bytes:
        """What the answering machine has recorded behind its beep: mu-law."""
        return self._answering.message(self.streams) if self._answering is not None else b""

    def _over(self) -> None:
        if self.ended_at is None:
            self.ended_at = self._exchange.now()
            self.set("completed" if self.answered_at is not None else self._final)
            self._news.set()
            self._over_event.set()

    @property
    def duration(self) -> int | None:
        """Whole seconds that were talked; None before the end."""
        if self.ended_at is None:
            return None
        return round(self.ended_at - self.answered_at) if self.answered_at is not None else 0

    # --- status callbacks ----------------------------------------------------------------------------------

    def set(self, status: str) -> None:
        """Go over to another status, and say so to whom it may concern."""
        self.status = status
        self.statuses.append((self._exchange.now(), status))
        event = "completed" if status in FINAL else EVENTS[status]
        sequence, self._sequence = self._sequence, self._sequence + 1
        if not self.callback_url or event not in self.callback_events:
            return
        told = "initiated" if status == "queued" else status
        form = self.form(told)
        form += [("CallbackSource", "call-progress-events"), ("SequenceNumber", str(sequence))]
        form += [("Timestamp", self._exchange.date(self._exchange.now()) or "")]
        if status in FINAL:
            form += [("CallDuration", str(self.duration)), ("Duration", str(-(-(self.duration or 0) // 60)))]
            form += [("SipResponseCode", SIP_CODES[status])]
        if self._answering is not None:
            form += self._answering.fields
        self.callbacks.status(self.callback_url, told, form)

    @property
    def ids(self) -> list[tuple[str, str]]:
        """The fields by which a call is known."""
        return [("AccountSid", self._exchange.account_sid), ("CallSid", self.sid)]

    def form(self, status: str) -> list[tuple[str, str]]:
        """The fields that every webhook of this call has."""
        numbers = {"Called": self.to, "Caller": self.from_, "From": self.from_, "To": self.to}
        parent = [("ParentCallSid", self.parent.sid)] if self.parent is not None else []
        return [
            *self.ids,
            ("ApiVersion", "2010-04-01"),
            ("CallStatus", status),
            ("Direction", self.direction),
            *numbers.items(),
            *parent,
        ]
