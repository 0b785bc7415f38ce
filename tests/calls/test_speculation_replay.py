"""A recorded call in which answers were begun early takes the same course again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.calls.guessing import Guesser
from voiceloop.call import Call
from voiceloop.flight import read_flight
from voiceloop.frames import CallStart, UserTurn
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.replay import replay
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedTTS, calls, dial
from voiceloop.tts.processor import TTSProcessor


class Timetable(Guesser):
    """Guesses at fixed times: seconds from the beginning of the call, what it does, and with which text."""

    def __init__(self, *steps: tuple[float, str, str]) -> None:
        super().__init__()
        self._steps = steps
        self._turn: UserTurn | None = None

    def on_call_start(self, start: CallStart) -> None:
        for at, what, text in self._steps:
            self.call.timer(self.call.now + at, lambda what=what, text=text: self._do(what, text), what)

    def _do(self, what: str, text: str) -> None:
        if what == "guess":
            self._turn = self.guess(text)
        else:
            assert self._turn is not None
            getattr(self, what)(self._turn)


COURSES: dict[str, tuple[tuple[tuple[float, str, str], ...], dict[str, Any]]] = {
    "right": (((1.0, "guess", "a latte"), (1.25, "sure", "")), {}),
    "wrong, then right": (
        ((1.0, "guess", "a latte"), (1.4, "wrong", ""), (1.9, "guess", "a latte please"), (2.2, "sure", "")),
        {"rate": 20.0},
    ),
    "a tool waits": (((1.0, "guess", "a latte"), (2.5, "sure", "")), {"tool": True}),
    "the call ends": (((1.0, "guess", "a latte"),), {"rate": 5.0}),
}


@pytest.mark.parametrize("course", COURSES)
def test_a_call_with_answers_begun_early_takes_the_same_course_again(
    tmp_path: Path, lexicon: Lexicon, course: str
) -> None:
    steps, options = COURSES[course]
    asks = [calls("price", drink="latte")] if options.get("tool") else []
    model = ScriptedLLM([*asks, "A latte is four."], first=0.2, rate=options.get("rate", 0.0), speculative=True)
    voice = ScriptedTTS(lexicon, first=0.09)
    line = CarrierOptions(seed=3, delay_to_server=0.05, delay_from_server=0.04, jitter=0.02)
    path = tmp_path / "call.vlog"

    async def price(drink: str) -> str:
        """Look up what a drink costs."""
        return "four dollars"

    def bot(call: Call) -> Pipeline:
        aggregator = LLMAggregator(model, tools=[price])
        return Pipeline([call.transport, Timetable(*steps), aggregator, TTSProcessor(voice), AudioStreamer()])

    async def talk() -> None:
        async with (
            Runtime(record=path) as runtime,
            dial(bot, runtime=runtime, llm=model, tts=voice, lexicon=lexicon, carrier=line) as caller,
        ):
            if course == "the call ends":
                await caller.waits(1.5)
            else:
                await caller.hears("four")
            await caller.hangs_up()

    run_virtual(talk(), strict=True)
    outcome = replay(path, bot)
    assert outcome.equal, str(outcome)
    assert outcome.whole
    report = read_flight(path).report
    assert report is not None
    assert len(report["turns"]) == (0 if course == "the call ends" else 1)
