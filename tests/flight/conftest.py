"""Calls that are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, dial
from voiceloop.turns.endpointing import Endpointing
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.rules import Rule, Situation

LEXICON = Lexicon()
STT, LLM, TTS = (
    ScriptedSTT(LEXICON, delay=0.1),
    ScriptedLLM(["Yes."], first=0.2, rate=30),
    ScriptedTTS(LEXICON, first=0.1),
)
GREETING = "Corner Coffee, how can I help you?"


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    await asyncio.sleep(0.4)
    return "four dollars"


def shop(
    greeting: str = GREETING,
    *,
    instructions: str = "You sell coffee.",
    silence: float | None = None,
    endpointing: Callable[[], Endpointing] | None = None,
    rules: Mapping[Situation, Rule] | None = None,
) -> Any:
    """A bot, or today's form of it."""

    def bot(call: Call) -> Pipeline:
        options = TurnOptions() if silence is None else TurnOptions(silence=silence)
        model = LLMAggregator(LLM, instructions=instructions, tools=[price, call.hang_up, call.transfer])
        turns = TurnTaking(greeting, options, endpointing=endpointing and endpointing(), rules=rules)
        return Pipeline([call.transport, EnergyVAD(), STT, turns, model, TTS, AudioStreamer()])

    return bot


Talk = Callable[[Any], Awaitable[None]]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Have a call in virtual time, recorded; gives the file."""

    def call(talk: Talk, *, bot: Any = None, record: Any = None, **options: Any) -> Path:
        path = tmp_path / "call.vlog"

        async def run() -> None:
            given = {"stt": STT, "llm": LLM, "tts": TTS, "lexicon": LEXICON, "invariants": None, **options}
            async with (
                Runtime(record=record or path) as runtime,
                dial(bot or shop(), runtime=runtime, **given) as caller,
            ):
                await talk(caller)

        run_virtual(run(), strict=True)
        return path

    return call
