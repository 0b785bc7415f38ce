"""``voiceloop demo``: a whole phone call over a real socket, in one process."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

from voiceloop.audio.wav import WavError, read_wav
from voiceloop.cli.load import example, load_bot
from voiceloop.cli.models import parse_llm
from voiceloop.cli.outcome import Files, Outcome, Show, Watch, tell
from voiceloop.cli.prepare import loading_note, prepare
from voiceloop.cli.script import Failed, OrderScript, PlayScript, Script
from voiceloop.errors import VoiceloopError
from voiceloop.flight.options import SUFFIX, FlightOptions
from voiceloop.llm.base import LLM
from voiceloop.runtime import Runtime
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.twilio.media import media_app

__all__ = ["demo"]


async def demo(options: argparse.Namespace) -> int:
    """Make the call; returns the exit status."""
    files = Files(options.recording, options.picture)
    recordings = [Path(file) for file in options.caller or ()]
    for file in recordings:
        if not read_wav(file).seconds:  # what is no recording must not be found out in the middle of the call
            raise WavError(f"{file} holds no sound: expected a recording of the caller")
    substitutes: dict[type, Any] = {LLM: parse_llm(options.llm)} if options.llm is not None else {}
    module = load_bot(options.bot or example("coffee_bot.py"))
    show = Show(quiet=options.json)
    show.note(loading_note())
    record = None if options.record is None else FlightOptions(_recording(options.record))
    runtime = Runtime(substitutes=substitutes, record=record)
    async with runtime:
        await prepare(module, runtime)
        script: Script = OrderScript(options.seed)
        if recordings or options.says:
            script = PlayScript([*recordings, *(options.says or ())])
        outcome = await _call(module, runtime, script, options.seed, show)
    unsaved = files.save(outcome, f"voiceloop demo: {Path(module.__file__ or '').name}")
    tell(outcome, files, options.json, show)
    if options.record is not None:
        show.line(f"Flight recording, for voiceloop replay and inspect: {options.record}")
    if unsaved is not None:
        raise unsaved
    return 1 if outcome.failure else 0


def _recording(name: str) -> Path:
    path = Path(name)
    if path.suffix != SUFFIX:
        raise VoiceloopError(f"--record takes the name of a file that ends in {SUFFIX}, got {name!r}")
    if not path.resolve().parent.is_dir():
        raise VoiceloopError(f"the flight recording cannot be written to {path}: there is no such folder")
    return path


async def _call(module: ModuleType, runtime: Runtime, script: Script, seed: int, show: Show) -> Outcome:
    watch = Watch(show)
    async with serving(media_app(module.bot, runtime, on_call=watch.taken)) as (url, connector):
        carrier = Carrier(url, options=CarrierOptions(seed=seed), connector=connector)
        outcome = Outcome(carrier)
        async with carrier:
            show.line("The phone rings.")
            caller = Caller(carrier, await script.voice(module, runtime))
            try:
                await script.play(caller)
            except (Failed, GaveUp, CallEnded) as error:
                outcome.failure = str(error)
        await watch.settle(outcome)
    if outcome.report is not None and outcome.failure is None:
        outcome.failure = script.judge(outcome.report)
    return outcome
