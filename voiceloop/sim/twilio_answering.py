"""Who has answered a call of the simulated Twilio: a person, or a machine; and the detection of machines."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.twilio_machine import Detection, Verdict
from voiceloop.tts.base import Speech

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voiceloop.sim.carrier import Carrier
    from voiceloop.sim.twilio_call import SimCall
    from voiceloop.sim.twilio_exchange import Exchange, Phone

__all__ = ["Answering"]

RATE: Final = 8000


class Answering:
    """The other end of a call that was dialled, from when it is answered.

    Args:
        call: that is answered.
        phone: that has rung.
        detection: what was ordered.
    """

    def __init__(self, exchange: Exchange, call: SimCall, phone: Phone, detection: Detection) -> None:
        self._exchange = exchange
        self._call = call
        self._phone = phone
        self._detection = detection
        self._tape = b""
        self._at = 0.0
        self.verdict: Verdict | None = None
        """What Twilio has found out."""

    @property
    def _records_from(self) -> float:
        return self._at + len(self._tape) / RATE

    async def begin(self) -> None:
        """They have answered: the machine begins to play. Returns when the call may go on: at once, unless it is to
        wait for the detection."""
        machine = self._phone.machine
        self._at = self._exchange.now()
        if machine is not None:
            given = machine.greeting
            self._tape = machine.tape(given if isinstance(given, bytes) else await self._rendered(given))
            ends = self._records_from + machine.records
            self._exchange.spawn(self._hang_up_at(ends), f"machine of {self._call.sid}")
        if not self._detection.wanted:
            return
        verdict = self._detection.verdict(self._phone.who, machine, self._tape)
        if self._detection.beside:
            self._exchange.spawn(self._detect(verdict), f"detection of {self._call.sid}")
        else:
            await asyncio.sleep(verdict.after)
            self.verdict = verdict

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What the detection adds to the call's webhooks and callbacks."""
        if self.verdict is None:
            return []
        milliseconds = str(round(self.verdict.after * 1000))
        return [("AnsweredBy", self.verdict.answered_by), ("MachineDetectionDuration", milliseconds)]

    def join(self, carrier: Carrier, caller: Caller) -> None:
        """A stream has been opened: it carries what is left of the machine's tape, or the person."""
        if self._phone.machine is not None:
            carrier.say(self._tape[max(0, round((self._exchange.now() - self._at) * RATE)) :])
        elif self._phone.person is not None:
            self._exchange.spawn(self._talk(caller), f"person of {self._call.sid}")

    def message(self, streams: list[Carrier]) -> bytes:
        """What the machine has recorded: mu-law, of all streams."""
        if self._phone.machine is None:
            return b""
        return b"".join(bytes(each.heard[max(0, each.truth.sample_at(self._records_from)) :]) for each in streams)

    async def _rendered(self, text: str) -> bytes:
        voice = self._exchange.voice
        if voice is None:
            raise ValueError(f"a machine that says {text!r} needs a voice: TwilioSim(voice=…), or give audio")
        async with aclosing(voice.generate(_once(text))) as speech:
            return b"".join([piece.audio async for piece in speech if isinstance(piece, Speech)])

    async def _hang_up_at(self, at: float) -> None:
        await asyncio.sleep(at - self._exchange.now())
        self._call.command(None)

    async def _detect(self, verdict: Verdict) -> None:
        await asyncio.sleep(verdict.after)
        if self._call.ended_at is None:
            self.verdict = verdict
            self._call.callbacks.detected(self._detection.callback, [*self._call.ids, *self.fields])

    async def _talk(self, caller: Caller) -> None:
        assert self._phone.person is not None
        try:
            await self._phone.person(caller)
        except CallEnded:
            pass
        except GaveUp as error:
            self._exchange.alert(0, f"the person who was called gave up: {error}", self._call.sid)


async def _once(text: str) -> AsyncIterator[str]:
    yield text
