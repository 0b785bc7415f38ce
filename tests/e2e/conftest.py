"""The Twilio bot of the examples on simulators of all its services, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from voiceloop import FixedSilence, TurnTaking
from voiceloop.call import Call
from voiceloop.cli.load import load_bot
from voiceloop.conversation import Message
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import Serving, serving_phone
from voiceloop.sim.anthropic import Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.services import Services, simulated_services
from voiceloop.sim.twilio import SimCall, TwilioOptions
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing.scripted import ScriptedTTS
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

BOT = Path(__file__).parents[2] / "examples" / "twilio_bot.py"
GREETING = "Corner Coffee, hi! What can I get you?"
Answers = Sequence[str | Reply] | Callable[[Sequence[Message]], str | Reply]


@dataclass
class Shop:
    """The bot on the phone."""

    module: ModuleType
    services: Services
    serving: Serving
    lexicon: Lexicon
    calls: list[Call] = field(default_factory=list)
    reports: list[CallReport] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def voice_url(self) -> str:
        """Where Twilio asks what to do with a call."""
        return f"{self.serving.public_url}/voice"

    async def rings(self) -> SimCall:
        """A call that has heard the greeting."""
        line = await self.services.twilio.call(self.voice_url)
        assert await self.hears(line) == GREETING
        return line

    async def hears(self, line: SimCall, timeout: float | None = None) -> str:
        """The words that the caller hears next."""
        return self.lexicon.text((await line.caller.hears(timeout=timeout)).audio)

    def heard(self, line: SimCall) -> str:
        """All words that the caller has heard whole."""
        return self.lexicon.text(bytes(line.caller.carrier.heard))

    async def report(self, line: SimCall, number: int = 0) -> CallReport:
        """Hang up, if the call still lives; the bot's report."""
        await line.hangs_up()
        return await self.over(line, number)

    async def over(self, line: SimCall, number: int = 0) -> CallReport:
        """Wait for the end of the call; the bot's report."""
        await line.ended()
        async with asyncio.timeout(60):
            while len(self.reports) <= number:
                await self._news.wait()
                self._news.clear()
        return self.reports[number]

    def taken(self, call: Call) -> None:
        """The bot has a call."""
        self.calls.append(call)
        call.on_end(self._ended)

    def _ended(self, report: CallReport) -> None:
        self.reports.append(report)
        self._news.set()


@asynccontextmanager
async def open_shop(
    answers: Answers, *, profile: str = "google", round_trip: float = 0.0, record: Any = None, **options: Any
) -> AsyncIterator[Shop]:
    """The examples' bot, its own providers, the simulators; only the way to Google is another one."""
    lexicon = Lexicon()
    carrier = CarrierOptions(delay_to_server=round_trip / 2, delay_from_server=round_trip / 2)
    line = TwilioOptions(carrier=carrier)
    speech = {"lexicon": lexicon, "caller": ScriptedTTS(lexicon), "line": line}
    async with simulated_services(answers, profile=PROFILES[profile], **speech) as services:
        with services.environ():
            module = load_bot(BOT)
            module.stt = GoogleSTT(channel=services.google.channel, **options)
            module.llm.speculative = False  # each request is one that somebody waits for
            module.TurnTaking = lambda **given: TurnTaking(**given, endpointing=FixedSilence())  # known waits
            shop = Shop(module, services, None, lexicon)  # type: ignore[arg-type]
            runtime = Runtime(substitutes={VADModel: EnergyModel()}, record=record)
            phone = serving_phone(module.bot, runtime=runtime, options=PhoneOptions(on_call=shop.taken))
            async with runtime, phone as shop.serving:
                services.twilio.tunnel(shop.serving.public_url, shop.serving.url)
                yield shop


@pytest.fixture
def shop() -> Callable[..., AbstractAsyncContextManager[Shop]]:
    """``async with shop(["One latte."]) as bar:`` is the bot of the examples on the phone."""
    return open_shop
