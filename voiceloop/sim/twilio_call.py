"""One call at the simulated Twilio: its states, its TwiML, its status callbacks, and the person on the line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from voiceloop.sim.caller import CallEnded, Caller
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio_exchange import Exchange, Phone
from voiceloop.sim.twilio_program import Program, Source
from voiceloop.sim.twilio_web import WebhookFault
from voiceloop.twilio.rest_records import FINAL

__all__ = ["SimCall", "Source"]

EVENTS: Final = {"queued": "initiated", "ringing": "ringing", "in-progress": "answered"}
"""The event of a status callback that goes with a status; all final ones are ``completed``."""
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
        self._held: list[tuple[str, str]] | None = None
        self._posting: asyncio.Task[Any] | None = None
        self._over_event = asyncio.Event()
        self._done = asyncio.Event()
        exchange.calls[self.sid] = self

    # --- the person on the line ----------------------------------------------------------------------------

    @property
    def caller(self) -> Caller:
        """The person on the line, while there is a stream, or after the last one.

        Raises:
            CallEnded: there never was one; the message has what the debugger says.
        """
        if self._caller is None:
            alerts = [
                f"{alert.code} {alert.message}" for alert in self._exchange.debugger if alert.call_sid == self.sid
            ]
            raise CallEnded(f"the call has no stream ({self.status}): {'; '.join(alerts) or 'no error'}")
        return self._caller

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
            if self._posting is not None:
                await asyncio.wait([self._posting])
            self._done.set()

    async def inbound(self, source: Source) -> Source:
        """Somebody calls a number of the account."""
        self.set("ringing")
        return source

    async def outbound(self, source: Source, timeout: float) -> Source | None:
        """Twilio calls somebody, by order of the REST API."""
        self.set("queued")
        if not await self.ring(timeout):
            return None
        return source

    async def ring(self, timeout: float) -> bool:
        """Ring the other party. Returns whether they answer."""
        phone = self._exchange.phones.get(self.to, Phone())
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
        self._news.set()

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
        form = self.form("initiated" if status == "queued" else status)
        form += [("CallbackSource", "call-progress-events"), ("SequenceNumber", str(sequence))]
        form += [("Timestamp", self._exchange.date(self._exchange.now()) or "")]
        if status in FINAL:
            form += [("CallDuration", str(self.duration)), ("Duration", str(-(-(self.duration or 0) // 60)))]
        if not self._exchange.options.callbacks_swapped:
            self._post(form)
        elif self._held is None and status not in FINAL:
            self._held = form
        else:
            held, self._held = self._held, None
            self._post(form)
            if held is not None:
                self._post(held)

    def form(self, status: str) -> list[tuple[str, str]]:
        """The fields that every webhook of this call has."""
        numbers = {"Called": self.to, "Caller": self.from_, "From": self.from_, "To": self.to}
        parent = [("ParentCallSid", self.parent.sid)] if self.parent is not None else []
        return [
            ("AccountSid", self._exchange.account_sid),
            ("ApiVersion", "2010-04-01"),
            ("CallSid", self.sid),
            ("CallStatus", status),
            ("Direction", self.direction),
            *numbers.items(),
            *parent,
        ]

    def _post(self, form: list[tuple[str, str]]) -> None:
        self._posting = self._exchange.spawn(self._post_after(self._posting, form), f"status callback of {self.sid}")

    async def _post_after(self, before: asyncio.Task[Any] | None, form: list[tuple[str, str]]) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await self._exchange.web.post(self.callback_url, form)
        except WebhookFault as fault:
            self._exchange.alert(fault.code, str(fault), self.sid)
