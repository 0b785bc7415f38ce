"""Sounds from files, and fillers, in recordings: replayed without the file, to the byte."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.audio import mulaw
from voiceloop.audio.wav import write_wav
from voiceloop.filler import Filler
from voiceloop.frames import UserTurn
from voiceloop.processor import Processor
from voiceloop.replay import replay
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, calls

LEXICON = Lexicon()


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    await asyncio.sleep(3.0)
    return "four dollars"


@pytest.mark.parametrize("what", ["processor", "outside", "missing"])
def test_a_call_with_sounds_is_replayed_without_their_files(
    record: Callable[..., Path], tmp_path: Path, what: str
) -> None:
    for name, text in (("jingle.wav", "la la la"), ("other.wav", "one two")):
        write_wav(tmp_path / name, mulaw.decode(LEXICON.speak(text)[0]), 8000)
    path = tmp_path / ("nowhere.wav" if what == "missing" else "jingle.wav")

    class Jingle(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            if what != "outside":
                self.call.play(path)
                self.call.play(str(tmp_path / "other.wav"), loops=3)

    llm = ScriptedLLM([calls("price", drink="tea"), "Four dollars."], first=0.2, rate=30)
    stt, tts = ScriptedSTT(LEXICON, delay=0.1), ScriptedTTS(LEXICON, first=0.1)

    def bot(call: Call) -> Pipeline:
        filler = Filler(sound=tmp_path / "other.wav", after=0.3)
        model = LLMAggregator(llm, tools=[price], filler=filler)
        return Pipeline([call.transport, EnergyVAD(), stt, TurnTaking("Hello!"), Jingle(), model, tts, AudioStreamer()])

    heard: list[str] = []

    async def talk(caller: Any) -> None:
        await caller.hears("Hello!")
        if what == "outside":
            caller.call.play(path)
            await caller.waits(2.0)
            caller.call.play(Path(path), loops=2)
            await caller.waits(3.0)
        await caller.says("what is tea")
        await caller.waits(12.0)
        heard.append(LEXICON.text(bytes(caller.carrier.heard)))
        assert any(sent.answer == 0 for sent in caller.witness.sent)
        await caller.hangs_up()

    made = record(talk, bot=bot, llm=llm, stt=stt, tts=tts, lexicon=LEXICON)
    assert ("la la la" in heard[0]) == (what != "missing")
    os.rename(tmp_path / "other.wav", tmp_path / "elsewhere.wav")
    (tmp_path / "jingle.wav").unlink()
    outcome = replay(made, bot)
    assert outcome.equal, str(outcome)
    assert outcome.whole
