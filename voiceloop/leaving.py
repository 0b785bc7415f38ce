"""How a call ends: hung up when the last word was heard, handed to somebody else, or given up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from voiceloop.answer import Answer, AnswerState
from voiceloop.errors import VoiceloopError
from voiceloop.journal import from_outside
from voiceloop.runtime import Runtime
from voiceloop.speaking import Speaking

if TYPE_CHECKING:
    from voiceloop.registry import Timer

__all__ = ["CarrierControl", "Leaving"]

LOST = ("disconnected", "replaced")
"""Reasons for the end of a call that only lost its line: the call itself may go on."""
HAND_OVER_LIMIT = 10.0
"""Seconds that the carrier may take to hand a call over."""
SLOW = 2.0
"""Seconds of it after which the caller is told that it takes its time."""
SLOW_AGAIN = 5.0
"""Seconds until they are told again."""
PROMISED = "The caller will be connected when your last words have been heard. Say nothing more than goodbye."
"""What a model is told of a transfer that is to be."""
_TARGET = re.compile(r"\+[1-9]\d{5,14}|sips?:[^\s<>\"]{1,200}")


class CarrierControl(Protocol):
    """What can be done to a call from outside its audio; `voiceloop.twilio.rest.TwilioREST` does it for Twilio."""

    async def transfer(self, call_id: str, to: str) -> None:
        """Take the call away from the agent and connect the caller with somebody else."""


class Leaving(Speaking):
    """The part of a `Call` that ends it."""

    def __init__(self, id: str, runtime: Runtime) -> None:
        super().__init__(id, runtime)
        self.ending: str | None = None
        """The reason, once it is clear that the call ends."""
        self.carrier: CarrierControl | None = None
        """What hands calls over; set by the server when it knows the account's keys."""
        self.to_be_heard = False
        """Whether the last words count for more than the end: when the line is lost before they were heard, the call is
        not over."""
        self._ended: asyncio.Future[str] | None = None
        self._apologies: dict[Answer, None] = {}
        self._limit: Timer | None = None
        self._hand_over: Callable[[], Awaitable[None]] | None = None
        self._handing_over = False
        self._company: Timer | None = None

    @from_outside
    def hang_up(self, reason: str = "completed") -> None:
        """End the call, as soon as the caller has heard the last words. Say goodbye first.

        Args:
            reason: why, in a word, for the record.
        """
        if self.ending is not None:
            return
        engine = self._running("hang_up")
        self.ending = reason
        self._limit = self.timer(engine.time() + self.runtime.limits.hang_up, self._leave, "hang_up")
        self.end_endless()
        self._end_if_quiet()

    async def transfer(self, to: str, announce: str = "") -> str:
        """Connect the caller with a person; the agent's part of the call ends when its last words were heard.

        Args:
            to: telephone number with country code, such as +14155550100, or a SIP address.
            announce: what the caller is told first.
        """
        return self._transfer(to, announce)

    @from_outside
    def _transfer(self, to: str, announce: str) -> str:
        carrier = self.carrier
        if carrier is None:
            raise VoiceloopError(
                "call.transfer needs the carrier's account: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN for serve(), "
                "or call.carrier; simulated calls cannot be transferred"
            )
        if not _TARGET.fullmatch(to):
            raise VoiceloopError(f"expected a number with country code such as +14155550100, or sip:…, got {to[:80]!r}")
        if self.ending is not None:
            raise VoiceloopError(f"the call is ending already: {self.ending}")
        if announce:
            self.say(announce, interruptible=False)
        self._hand_over = lambda: carrier.transfer(self.id, to)
        self.hang_up("transferred")
        return PROMISED

    @from_outside
    def end(self, reason: str = "completed") -> None:
        """End the call now. The first reason counts, unless it is that of a transfer nobody was asked for yet; or the
        line is lost before what the call was to end with was done."""
        if self._hand_over is not None or (reason in LOST and not self.done):
            self.ending = self._hand_over = None
        self.ending = self.ending or reason
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(self.ending)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to do for the caller, also if the line were lost now."""
        if self.ending is None or self._hand_over is not None or self._handing_over:
            return False
        return not (self.to_be_heard and self._engine is not None and self._engine.unheard)

    def _end_if_quiet(self) -> None:
        if self.ending is None or self._engine is None or self._engine.unheard or self._handing_over:
            return
        self._leave()

    def _leave(self) -> None:
        """The last words were heard, or do not come."""
        if self.ending is None or self._handing_over:
            return
        step, self._hand_over = self._hand_over, None
        if step is None:
            self.end(self.ending)
        else:
            self._handing_over = True
            self.work(self._handing(step, self.ending), "hand over")

    async def _handing(self, step: Callable[[], Awaitable[None]], reason: str) -> None:
        """Ask the carrier; when it does not do it, the caller is told and the call goes on."""
        self._keep_company(SLOW, self.phrases.one_moment)
        sound = self.fill(self.waiting_sound, SLOW / 2)
        try:
            async with asyncio.timeout(HAND_OVER_LIMIT):
                await (step() if self.journal is None else self.journal.hand_over(step))
        except Exception as error:
            late = isinstance(error, TimeoutError)
            why = f"nothing for {HAND_OVER_LIMIT:g} s" if late else f"{type(error).__name__}: {error}"
            if self._limit is not None:
                self._limit.cancel()
            self.ending = None
            self.fault("transfer.failed", f"the call could not be handed over: {why}")
            self._speak_or_end(self.phrases.apology)
        else:
            self.end(reason)
        finally:
            self._handing_over = False
            if self._company is not None:
                self._company.cancel()
            if self._engine is not None and not self._engine.closed:
                self.fill_no_more(sound)

    def _keep_company(self, wait: float, phrase: str) -> None:
        """The carrier takes its time: the caller does not wait in silence."""

        def speak() -> None:
            if self._handing_over:
                self.say(phrase, interruptible=False)
                self._keep_company(SLOW_AGAIN, self.phrases.still_working)

        self._company = self.timer(self._running("transfer").time() + wait, speak, "hand over")

    def give_up_answers(self, kind: str, message: str) -> None:
        """Fail every answer of which nothing was heard: the caller hears an apology instead. A guess may wait: no turn
        asks for it yet."""
        engine = self._running("give_up_answers")
        silent = [answer for answer in engine.answers if "played" not in answer.milestones]
        late = [answer for answer in silent if answer.state is not AnswerState.SPECULATIVE]
        self.fault(kind, message, answer=late[0] if late else None)
        for answer in late:
            engine.end(answer, "failed")
        if not late and self.ending is None:
            self._speak_or_end(self.phrases.apology)

    def fail(self) -> None:
        """Give the call up, with a spoken goodbye if it can still be spoken. It is the last word: an answer that has
        no sound yet is not given any more."""
        if self.ending is not None:
            return
        engine = self._running("fail")
        silent = [answer for answer in engine.answers if not answer.playing and answer not in self._apologies]
        self._speak_or_end(self.phrases.failed, interruptible=False)
        self.hang_up("failed")
        for answer in silent:
            engine.end(answer, "failed")

    def _speak_or_end(self, text: str, *, interruptible: bool = True) -> None:
        if self._canned(text) is not None or self._fault_counts.total() < self.runtime.faults.in_all:
            apology = self.say(text, interruptible=interruptible)
            if apology.outcome is None:
                self._apologies[apology] = None

    def _let_go(self) -> None:
        """Forget everything that may lead back to the call."""
        self._apologies.clear()
        self._hand_over = self._limit = self._company = self.carrier = None
