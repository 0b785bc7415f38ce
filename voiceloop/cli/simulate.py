"""``--simulate`` of a bot's script: the bot is served as ever, on simulators of its services, and a caller rings."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from voiceloop.cli.outcome import Files, Outcome, Show, Watch, tell
from voiceloop.cli.speech import add_speech, embedded_speech
from voiceloop.errors import VoiceloopError
from voiceloop.runtime import Runtime
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.scripted_model import Exchange, ScriptedModel, lines_of
from voiceloop.sim.services import Services, simulated_services
from voiceloop.sim.twilio import SimCall
from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.testing.scripted import ScriptedTTS
from voiceloop.twilio.media import Bot
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

__all__ = ["OVER_AFTER", "simulate"]

ANSWER_LIMIT = 20.0
"""Seconds the caller waits for an answer."""
OVER_AFTER = 1.2
"""Seconds of the agent's speech after which the caller speaks over it."""


def simulate(bot: Bot, exchanges: Sequence[Exchange], arguments: Sequence[str] | None = None) -> int:
    """Serve the bot on simulators of Google, Anthropic, Cartesia and Twilio, and let a caller talk to it.

    The bot's own providers are used, with the official SDKs beneath them, in real time and over real sockets; only the
    addresses in the environment are others.

    Args:
        bot: the function ``bot(call)``.
        exchanges: what the caller says, and what the simulated model answers; see `ScriptedModel`.
        arguments: of the command line; ``--help`` tells of them.

    Returns:
        The exit status: 0 when all was answered.
    """
    options = _parser().parse_args(arguments)
    level = logging.DEBUG if options.verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stderr)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC would print that its server has gone
    try:
        return asyncio.run(_simulate(bot, exchanges, options))
    except KeyboardInterrupt:
        return 130
    except (VoiceloopError, OSError) as error:
        print(f"voiceloop: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Have this bot's call on simulators: no key, no account, no phone.")
    parser.add_argument("--simulate", action="store_true", help="what you are reading about; else it serves a number")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_speech(parser)
    parser.add_argument(
        "--recording", default="voiceloop-call.wav", metavar="FILE", help="where to write the recording"
    )
    parser.add_argument("--picture", metavar="FILE", help="where to write its picture, .html or .png")
    parser.add_argument("--verbose", action="store_true", help="log what happens inside")
    return parser


async def _simulate(bot: Bot, exchanges: Sequence[Exchange], options: argparse.Namespace) -> int:
    files = Files(options.recording, options.picture)
    show = Show(quiet=options.json)
    lexicon = VoicedLexicon()
    speech: dict[str, Any] = {"lexicon": lexicon, "caller": ScriptedTTS(lexicon)}
    # A neural model takes artificial words for speech nearly always, which is not always.
    substitutes: dict[type, Any] = {VADModel: EnergyModel()}
    async with AsyncExitStack() as stack:
        if options.speech == "embedded":
            speech, substitutes = await embedded_speech(stack), {}
            show.note("Loading the models.")
        services = await stack.enter_async_context(
            simulated_services(ScriptedModel(exchanges), profile=PROFILES[options.profile], **speech)
        )
        with services.environ():
            outcome = await _call(bot, exchanges, services, Runtime(substitutes=substitutes), show)
    unsaved = files.save(outcome, "voiceloop: a simulated call")
    tell(outcome, files, options.json, show)
    if unsaved is not None:
        raise unsaved
    return 1 if outcome.failure else 0


async def _call(bot: Bot, exchanges: Sequence[Exchange], services: Services, runtime: Runtime, show: Show) -> Outcome:
    watch = Watch(show)
    async with runtime, serving_phone(bot, runtime=runtime, options=PhoneOptions(on_call=watch.taken)) as serving:
        services.twilio.tunnel(serving.public_url, serving.url)
        show.line("The phone rings.")
        line = await services.twilio.call(f"{serving.public_url}/voice")
        outcome = Outcome(line.caller.carrier)
        try:
            await _talk(line, exchanges)
        except (GaveUp, CallEnded) as error:
            outcome.failure = str(error)
        await line.hangs_up()
        await watch.settle(outcome)
    return outcome


async def _talk(line: SimCall, exchanges: Sequence[Exchange]) -> None:
    """Say everything, wait for what the agent says to the last of it, and for its hang-up if it does that."""
    caller: Caller = line.caller
    lines = lines_of(exchanges)
    await caller.hears(timeout=ANSWER_LIMIT)
    for index, (said, over) in enumerate(lines):
        if over:
            await caller.interrupts(said, after=OVER_AFTER, timeout=ANSWER_LIMIT)
        else:
            await caller.says(said)
        if index + 1 == len(lines) or not lines[index + 1][1]:
            await caller.hears(timeout=ANSWER_LIMIT)
