"""All four services of the Twilio bot at once, simulated, found by the bot through its environment as the real ones."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from voiceloop.conversation import Message
from voiceloop.sim.anthropic import AnthropicSim, Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions
from voiceloop.sim.google import GoogleSpeechSim
from voiceloop.sim.profiles import PROFILES, Profile
from voiceloop.sim.twilio import NUMBER, TwilioOptions, TwilioSim
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS

__all__ = ["KEY", "NAMES", "PUBLIC", "Services", "simulated_services"]

NAMES: Final = ("google", "anthropic", "cartesia", "twilio")
"""The services, in the order of their ports."""
KEY: Final = "simulated-key"
"""Opens Anthropic and Cartesia; other keys are refused, as at the real ones."""
PUBLIC: Final = "https://agent.example.com"
"""Where the bot is to Twilio; `TwilioSim.tunnel` says where that leads."""
MODELS: Final = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-sonnet-5",
    "claude-opus-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
)
"""What the simulated Anthropic offers."""
Answers = Sequence[str | Reply] | Callable[[Sequence[Message]], str | Reply]


@dataclass(frozen=True, slots=True)
class Services:
    """The simulators, while they run."""

    google: GoogleSpeechSim
    anthropic: AnthropicSim
    cartesia: CartesiaSim
    twilio: TwilioSim
    environment: Mapping[str, str]
    """Variables by which a bot finds them instead of the real services."""

    @contextmanager
    def environ(self) -> Iterator[None]:
        """Have these variables in this process's environment until the block is left."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@asynccontextmanager
async def simulated_services(
    answers: Answers,
    *,
    profile: Profile = PROFILES["google"],
    lexicon: Lexicon | None = None,
    hears: STT | None = None,
    voice: TTS | None = None,
    caller: TTS | None = None,
    line: TwilioOptions | None = None,
    ports: Sequence[int] = (0, 0, 0, 0),
    only: Collection[str] = NAMES,
    public_url: str = PUBLIC,
) -> AsyncIterator[Services]:
    """Start all four.

    On a virtual loop Google's is reached through `GoogleSpeechSim.channel` only, for gRPC has threads of its own.

    Args:
        answers: what the model says; see `AnthropicSim`.
        profile: how quick they are.
        lexicon: artificial speech, for what is heard and what is spoken; see `voiceloop.sim.artificial`.
        hears: a recogniser that does Google's work on real speech, in place of the lexicon.
        voice: a voice that does Cartesia's work, in place of the lexicon.
        caller: says what callers say as text.
        line: how Twilio behaves: delays, jitter, lost marks.
        ports: of Google, Anthropic, Cartesia and Twilio; 0 takes a free one.
        only: names of those that are to listen.
        public_url: what stands before ``/voice`` where the bot is to Twilio.
    """
    lexicon = lexicon or Lexicon()
    google = GoogleSpeechSim(hears or lexicon, timing=profile.stt)
    anthropic = AnthropicSim(answers, models=MODELS, key=KEY, first=profile.model, rate=profile.rate)
    cartesia = CartesiaSim(voice or lexicon, CartesiaSimOptions(key=KEY, first=profile.voice))
    twilio = TwilioSim(voice=caller, options=line)
    twilio.numbers[NUMBER].voice_url = f"{public_url}/voice"
    virtual = getattr(asyncio.get_running_loop(), "virtual_time", False)
    own: dict[str, tuple[str, Mapping[str, str]]] = {
        "google": ("GOOGLE_SPEECH_ENDPOINT", {"GOOGLE_CLOUD_PROJECT": "simulated"}),
        "anthropic": ("ANTHROPIC_BASE_URL", {"ANTHROPIC_API_KEY": KEY}),
        "cartesia": ("CARTESIA_BASE_URL", {"CARTESIA_API_KEY": KEY}),
        "twilio": ("TWILIO_BASE_URL", _account(twilio, public_url)),
    }
    doors = (google.listening, anthropic.listening, cartesia.listening, twilio.listening)
    environment: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for (name, (variable, others)), listening, port in zip(own.items(), doors, ports, strict=True):
            if name not in only:
                continue
            environment |= others
            if name != "google" or not virtual:
                environment[variable] = await stack.enter_async_context(listening(port))
        yield Services(google, anthropic, cartesia, twilio, environment)


def _account(twilio: TwilioSim, public_url: str) -> dict[str, str]:
    account = {"TWILIO_ACCOUNT_SID": twilio.account_sid, "TWILIO_AUTH_TOKEN": twilio.auth_token}
    # Keys of a real account would be used in place of the token.
    return account | {"TWILIO_API_KEY": "", "TWILIO_API_SECRET": "", "VOICELOOP_PUBLIC_URL": public_url}
