"""``voiceloop demo``: a whole phone call over a real socket, in one process."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from voiceloop.audio.wav import WavError, read_wav
from voiceloop.call import Call
from voiceloop.cli.load import example, load_bot
from voiceloop.cli.models import parse_llm
from voiceloop.cli.prepare import loading_note, prepare
from voiceloop.cli.script import Failed, OrderScript, PlayScript, Script
from voiceloop.cli.table import turn_table
from voiceloop.conversation import Conversation
from voiceloop.errors import VoiceloopError, require
from voiceloop.llm.base import LLM
from voiceloop.record.picture import save_picture
from voiceloop.record.png import picture_png
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.sim.caller import CallEnded, Caller, GaveUp
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.twilio.media import media_app

__all__ = ["demo"]

END_LIMIT = 20.0
"""Seconds the agent's side may take to end after the caller has hung up."""


async def demo(options: argparse.Namespace) -> int:
    """Make the call; returns the exit status."""
    recording = Path(options.recording)
    picture = Path(options.picture) if options.picture else recording.with_suffix(".html")
    _check_writable(recording, "recording")
    _check_writable(picture, "picture")
    if picture.suffix == ".png":
        require("PIL.Image", "picture", "A PNG")  # rather now than after the call
    recordings = [Path(file) for file in options.caller or ()]
    for file in recordings:
        if not read_wav(file).seconds:  # what is no recording must not be found out in the middle of the call
            raise WavError(f"{file} holds no sound: expected a recording of the caller")
    substitutes: dict[type, Any] = {LLM: parse_llm(options.llm)} if options.llm is not None else {}
    module = load_bot(options.bot or example("coffee_bot.py"))
    show = _Show(quiet=options.json)
    show.note(loading_note())
    runtime = Runtime(substitutes=substitutes)
    async with runtime:
        await prepare(module, runtime)
        script: Script = OrderScript(options.seed)
        if recordings or options.says:
            script = PlayScript([*recordings, *(options.says or ())])
        outcome = await _call(module, runtime, script, options.seed, show)
    unsaved: VoiceloopError | OSError | None = None
    try:
        outcome.carrier.save_recording(recording)
        if outcome.timeline is not None:
            draw = picture_png if picture.suffix == ".png" else save_picture
            draw(outcome.timeline, picture, title=f"voiceloop demo: {Path(module.__file__ or '').name}")
    except (VoiceloopError, OSError) as error:
        unsaved = error
    _tell(outcome, recording, picture, options.json, show)
    if unsaved is not None:
        raise unsaved
    return 1 if outcome.failure else 0


def _check_writable(path: Path, what: str) -> None:
    folder = path.resolve().parent
    if path.is_dir():
        raise VoiceloopError(f"expected a file for the {what}, but {path} is a folder")
    if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise VoiceloopError(f"the {what} cannot be written to {path}: name a place that exists and may be written")


class _Show:
    """What a person sees while the call runs."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._shown = 0

    def note(self, text: str) -> None:
        """Something about the demo itself."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def line(self, text: str = "") -> None:
        """A line of the conversation."""
        if not self.quiet:
            print(text, flush=True)

    def conversation(self, conversation: Conversation) -> None:
        """What was said since the last time."""
        for message in list(conversation)[self._shown :]:
            self._shown += 1
            cut = f"  [cut: {message.unheard}]" if message.unheard else ""
            self.line(f"  {'agent: ' if message.role == 'assistant' else 'caller:'} {message.text}{cut}")


class _Outcome:
    """A call that was made."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.report: CallReport | None = None
        self.timeline: Timeline | None = None
        self.failure: str | None = None


async def _call(module: ModuleType, runtime: Runtime, script: Script, seed: int, show: _Show) -> _Outcome:
    ended: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()
    recorder = TimelineRecorder()

    def taken(call: Call) -> None:
        call.observe(recorder)
        call.on_turn(lambda turn: show.conversation(call.conversation))
        call.on_end(finished)

    def finished(report: CallReport) -> None:
        show.conversation(report.conversation)
        if not ended.done():
            ended.set_result(report)

    async with serving(media_app(module.bot, runtime, on_call=taken)) as (url, connector):
        carrier = Carrier(url, options=CarrierOptions(seed=seed), connector=connector)
        outcome = _Outcome(carrier)
        async with carrier:
            show.line("The phone rings.")
            caller = Caller(carrier, await script.voice(module, runtime))
            try:
                await script.play(caller)
            except (Failed, GaveUp, CallEnded) as error:
                outcome.failure = str(error)
        try:
            async with asyncio.timeout(END_LIMIT):
                outcome.report = await ended
                outcome.timeline = recorder.timeline(outcome.report)
        except TimeoutError:
            outcome.failure = outcome.failure or f"the agent's side had not ended {END_LIMIT:g} s after the hang-up"
    if outcome.report is not None and outcome.failure is None:
        outcome.failure = script.judge(outcome.report)
    return outcome


def _tell(outcome: _Outcome, recording: Path, picture: Path, as_json: bool, show: _Show) -> None:
    report = outcome.report
    if report is None:
        raise VoiceloopError(outcome.failure or "the call left no report")
    holes = [round(seconds * 1000, 1) for _, seconds in outcome.carrier.truth.holes()]
    if as_json:
        result = {
            "reason": f"failed: {outcome.failure}" if outcome.failure else report.reason,
            "turns": [turn.as_dict() for turn in report.turns],
            "holes_ms": holes,
            "faults": [f"{fault.kind}: {fault.message}" for fault in report.faults],
            "recording": str(recording),
            "picture": str(picture),
        }
        print(json.dumps(result, indent=2))
        if outcome.failure:
            print(f"voiceloop: {outcome.failure}", file=sys.stderr)
        return
    show.line(f"The call ended: {report.reason}, after {report.duration:.1f} s.")
    show.line()
    show.line(turn_table(report.turns))
    show.line()
    for fault in report.faults:
        show.line(f"fault: {fault.kind}: {fault.message}")
    if holes:
        show.line(f"holes in the agent's speech: {', '.join(f'{ms:g} ms' for ms in holes)}")
    show.line(f"Recording, caller left and agent right: {recording}")
    show.line(f"Picture of the call, to be opened in a browser: {picture}")
    if outcome.failure:
        show.line()
        print(f"voiceloop: the conversation failed: {outcome.failure}", file=sys.stderr)
