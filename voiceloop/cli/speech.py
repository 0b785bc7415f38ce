"""What simulated services and callers speak with, by the options ``--profile`` and ``--speech``."""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from voiceloop.sim.profiles import PROFILES

if TYPE_CHECKING:
    from voiceloop.tts.base import TTS

__all__ = ["add_speech", "embedded_speech"]


def add_speech(parser: argparse.ArgumentParser) -> None:
    """Add both options."""
    parser.add_argument("--profile", choices=sorted(PROFILES), default="google", help="how quick the services are")
    parser.add_argument(
        "--speech",
        choices=("artificial", "embedded"),
        default="artificial",
        help="artificial: buzzing words that are told apart for certain (default); embedded: a voice and a recogniser "
        "in this process, which need voiceloop[local]",
    )


async def embedded_speech(stack: AsyncExitStack) -> dict[str, Any]:
    """A recogniser and voices in this process, for the simulated services and the caller; closed with the stack."""
    from voiceloop.stt.moonshine import Moonshine
    from voiceloop.tts.hibari import Hibari, HibariOptions

    hears, voice, caller = Moonshine(), Hibari(), Hibari(HibariOptions(speed=1.05))
    providers: tuple[Moonshine | TTS, ...] = (hears, voice, caller)
    for provider in providers:
        stack.push_async_callback(provider.aclose)
        await provider.warm()
    return {"hears": hears, "voice": voice, "caller": caller}
