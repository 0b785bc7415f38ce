"""The telephone exchange behind the simulated Twilio: account, numbers, everybody else's phones, debugger."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.twilio_machine import Machine
from voiceloop.sim.twilio_web import Signing, WebClient
from voiceloop.tts.base import TTS

if TYPE_CHECKING:
    from voiceloop.sim.caller import Caller
    from voiceloop.sim.twilio_call import SimCall

__all__ = ["Alert", "Exchange", "Machine", "Number", "Phone", "TwilioOptions"]

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the loop's clock begins, for dates in replies."""


@dataclass(frozen=True, kw_only=True)
class TwilioOptions:
    """How this Twilio behaves. The defaults are what its documentation says."""

    carrier: CarrierOptions = field(default_factory=CarrierOptions)
    """Of every stream: delays, jitter, the seed."""
    signing: Signing = "wss"
    """Which URL a stream's handshake is signed as."""
    webhooks_twice: bool = False
    """Ask for TwiML twice and go by the second answer, as after a time-out on the way."""
    webhooks_again: float | None = None
    """Ask for TwiML once more so many seconds after the first answer, when that is being carried out; what comes then
    is thrown away."""
    stream_delays: tuple[float, ...] = ()
    """Seconds from the TwiML to the handshake, of the first stream of each call, of the second, …; further ones are
    opened at once."""
    streams_lost: int = 0
    """So many streams of each call, the first ones, never reach the application: 31901 after 10 s."""
    streams_twice: bool = False
    """The first stream of each call is opened a second time, a second later; nobody speaks or listens there. With
    `webhooks_twice` it has the parameters of the first answer, else the same ones."""
    callbacks_swapped: bool = False
    """Status callbacks arrive out of order: each pair the wrong way round."""
    callbacks_lost: frozenset[str] = frozenset()
    """Statuses (``in-progress``, ``completed``, …) of which nobody is told."""
    callbacks_twice: bool = False
    """Each status callback comes twice."""
    callbacks_late: float = 0.0
    """Seconds by which status callbacks, and those of the detection of machines, are late."""
    detection_lost: bool = False
    """Nobody is told what the detection of machines has found, when it runs beside the call."""
    detection_twice: bool = False
    """That is told twice."""
    detection_at_once: bool = False
    """The REST API knows what was found as soon as it was; else when the call is over, as the page of warning 21262
    says."""
    account_status: Literal["active", "suspended", "closed"] = "active"
    trial: bool = False
    """Only `verified` numbers may be called."""
    verified: frozenset[str] = frozenset()
    blocked: tuple[str, ...] = ()
    """Country codes that may not be called, such as ``+44``."""
    dial_delay: float = 0.2
    """Seconds from an order to call to the first ring."""
    talking_rate: float = 15.0
    """Characters a second of ``<Say>``."""


@dataclass(slots=True)
class Phone:
    """Somebody's telephone, and what happens when it rings."""

    outcome: Literal["answers", "busy", "no-answer", "failed"] = "answers"
    rings: float = 2.0
    """Seconds until it is answered."""
    talks: float | None = None
    """Seconds after which a party that was dialled by ``<Dial>`` hangs up; None: never."""
    machine: Machine | None = None
    """Answers in place of a person."""
    who: str = "human"
    """Who answers when it is no `machine`: ``human``, ``silent`` (a person who says nothing), ``fax``; or what the
    detection of machines takes them for, such as ``machine_end_other``."""
    person: Callable[[Caller], Awaitable[object]] | None = None
    """What the person does who answers, on each stream of the call; without one the test does it."""


@dataclass(slots=True)
class Number:
    """A number of the account."""

    number: str
    voice_url: str = ""
    voice_method: str = "POST"
    status_callback: str = ""
    name: str = ""
    sid: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A line of the console's debugger."""

    code: int
    """https://www.twilio.com/docs/errors; 0 for what only the simulator cannot do."""
    message: str
    call_sid: str
    at: float
    """Seconds on the loop's clock."""


class Exchange:
    """What all calls of the simulated account share."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        numbers: Mapping[str, Number],
        tunnels: Mapping[str, str],
        options: TwilioOptions,
        voice: TTS | None,
    ) -> None:
        self._made = 0
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.options = options
        self.voice = voice
        self.web = WebClient(auth_token, tunnels)
        self.numbers = dict(numbers)
        for number in self.numbers.values():
            number.sid = number.sid or self.sid("PN")
        self.phones: dict[str, Phone] = {}
        self.everybody = Phone()
        self.calls: dict[str, SimCall] = {}
        self.debugger: list[Alert] = []
        self.troubles: deque[int | str] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()

    def sid(self, prefix: str) -> str:
        """The next id; the same on every run."""
        self._made += 1
        seed = f"{prefix} {self.options.carrier.seed} {self._made}"
        return prefix + hashlib.sha256(seed.encode()).hexdigest()[:32]

    def seed(self) -> int:
        """Of the next stream."""
        self._made += 1
        return self.options.carrier.seed * 1000 + self._made

    def alert(self, code: int, message: str, call_sid: str) -> None:
        """Put a line into the debugger."""
        self.debugger.append(Alert(code, message, call_sid, self.now()))

    def phone(self, number: str) -> Phone:
        """What happens when a number is called."""
        return self.phones.get(number, self.everybody)

    def now(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    def date(self, at: float | None) -> str | None:
        """A moment as the REST API writes it."""
        return None if at is None else format_datetime(_EPOCH + timedelta(seconds=at))

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something until it ends, or the exchange closes."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def aclose(self) -> None:
        """Hang up every call, and close all connections."""
        for call in list(self.calls.values()):
            await call.hangs_up()
        for call in list(self.calls.values()):
            await call.ended()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.web.aclose()
