"""Asks of a recorded call what would have been, had an option been set otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from os import PathLike
from typing import Any

from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.faults import FaultPolicy, describe
from voiceloop.flight.reader import Flight
from voiceloop.llm.base import LLM
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.replay.providers import RecordedVAD, ReplayRuntime, TickedVAD
from voiceloop.replay.restored import restore
from voiceloop.replay.run import bot_of, flight_to_drive
from voiceloop.replay.what_if.desk import Desk
from voiceloop.replay.what_if.ears import WhatIfSTT
from voiceloop.replay.what_if.ground import Ground
from voiceloop.replay.what_if.line import LineFacts, RecordedCarrier, line_of, windows_of
from voiceloop.replay.what_if.model import WhatIfLLM
from voiceloop.replay.what_if.outcome import WhatIf, outcome_of
from voiceloop.replay.what_if.recorded import Recorded, read_recorded
from voiceloop.replay.what_if.settings import Changed, Settings, apply
from voiceloop.replay.what_if.voice import WhatIfTTS
from voiceloop.runtime import Limits
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.playback import BLOCK
from voiceloop.sim.serving import serving
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS
from voiceloop.twilio.media import media_app
from voiceloop.vad.base import VADModel
from voiceloop.vad.processor import VADProcessor

__all__ = ["what_if"]

Bot = Callable[[Call], Pipeline | Awaitable[Pipeline]]
BEYOND = 300.0
"""Seconds by which today's call may be longer than the recorded one."""


def what_if(path: str | PathLike[str] | Flight, bot: Bot | None = None, settings: Settings | None = None) -> WhatIf:
    """Have a recorded call again with live timers and other settings, and compare the two.

    The caller says the recorded words at the recorded times, whatever the agent does. No provider is asked and no tool
    is run: they give what they gave then to the same request, text or pause. Where today's call asks for what was
    never recorded, the outcome says so.

    Args:
        path: the recording.
        bot: today's bot; without it the one that the recording names.
        settings: options of its stages by name, such as ``{"turns.silence": 0.4}``; an unknown one tells which there
            are.

    Raises:
        BadSetting: there is no such option, or it does not take the value.
        BadFlight: the recording cannot be used: something was left out of it, or it is of another kind of line.
        BotFileError: the bot cannot be loaded.
        VoiceloopError: it cannot be made.
        RuntimeError: an event loop is running in this thread already.
    """
    flight = flight_to_drive(path)
    run = _Run(flight, bot or bot_of(flight), settings or {})
    longest = flight.entries[-1].at - flight.header["at"] + BEYOND
    run_virtual(run.call(), start=run.line.dialled, max_time=longest)
    return run.outcome()


class _Run:
    """One what-if."""

    def __init__(self, flight: Flight, bot: Bot, settings: Settings) -> None:
        self.flight = flight
        self.line: LineFacts = line_of(flight)
        self._bot = bot
        self._settings = settings
        self._recorded: Recorded = read_recorded(flight)
        self._ground = Ground(flight.header["at"])
        self._changed: list[Changed] = []
        self._desk: Desk | None = None
        self._failure: Exception | None = None

    async def call(self) -> None:
        """Have the call."""
        header, line = self.flight.header, self.line
        window = header["providers"].get("vad", {}).get("window", 0)
        judged = windows_of(self.flight, self._recorded.probabilities, window) if window else {}
        lead = line.lead * BLOCK // window if window else 0
        hanging: list[asyncio.Task[None]] = []
        desk = self._desk = Desk(
            self._recorded,
            self._ground,
            judged,
            lead,
            lambda: hanging.append(asyncio.ensure_future(carrier.hang_up())),
        )
        runtime = ReplayRuntime(limits=Limits(**header["limits"]), faults=FaultPolicy(**header["faults"]))
        runtime.substitutes = _providers(header, desk)
        app = media_app(self._answer(desk), runtime, on_call=lambda call: _enter(call, desk, self.flight))
        about = header["call"]
        told = {name: about[name] for name in ("caller", "number", "direction")}
        async with serving(app) as (url, connector):
            carrier = RecordedCarrier(
                url, line, connector=connector, parameters={**about["params"], **told}, call_sid=about["id"] or None
            )
            async with carrier:
                await carrier.talk(lambda: desk.beyond(line.ends))
            for task in hanging:
                await task
        if isinstance(self._failure, VoiceloopError):
            raise self._failure
        if self._failure is not None:
            raise VoiceloopError(f"the bot could not be made: {describe(self._failure)[0]}") from self._failure

    def _answer(self, desk: Desk) -> Bot:
        async def answer(call: Call) -> Pipeline:
            try:
                pipeline = await pipeline_of(self._bot, call)
                self._changed = apply(self._settings, pipeline, call.runtime)
            except Exception as error:  # told to who asks, and not to the log of a call that nobody makes
                self._failure = error
                call.end("failed")
                return Pipeline([call.transport])
            for processor in pipeline:
                if isinstance(processor, VADProcessor):
                    _take_judgements(processor, self.flight.header, call, desk, self._recorded.ticked)
            return pipeline

        answer.__qualname__ = getattr(self._bot, "__qualname__", "bot")
        return answer

    def outcome(self) -> WhatIf:
        """What came of it."""
        assert self._desk is not None
        return outcome_of(self.flight, self._recorded, self.line, self._desk, self._changed)


def _providers(header: dict[str, Any], desk: Desk) -> dict[type, Any]:
    """Providers with the names and properties of those that the call ran on."""
    made: dict[type, Any] = {}
    kinds: tuple[tuple[str, type, type], ...] = (
        ("stt", STT, WhatIfSTT),
        ("llm", LLM, WhatIfLLM),
        ("tts", TTS, WhatIfTTS),
    )
    for kind, base, stand_in in kinds:
        given = dict(header["providers"].get(kind, {"name": stand_in.__name__}))
        made[base] = type(given.pop("name"), (stand_in,), given)(desk)
    return made


def _enter(call: Call, desk: Desk, flight: Flight) -> None:
    call.journal = desk
    restore(call, flight)


def _take_judgements(stage: VADProcessor, header: dict[str, Any], call: Call, desk: Desk, ticked: bool) -> None:
    """Have the recorded probabilities of speech taken, unless today's bot has another model of voice activity."""
    known = header["providers"].get("vad")
    desk.judges = known is not None and stage.name in header["stages"]
    if desk.judges and known is not None:
        call.runtime.substitutes[VADModel] = (TickedVAD if ticked else RecordedVAD)(known["window"])
