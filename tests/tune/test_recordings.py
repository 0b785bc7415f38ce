"""Recorded calls as clips: their turns are judged by what happened, and their words come when they came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.cli.main import main
from voiceloop.flight.options import FlightOptions
from voiceloop.flight.reader import BadFlight
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, dial
from voiceloop.tune.clips import Clip
from voiceloop.tune.driving import drive
from voiceloop.tune.listening import Track, listen
from voiceloop.tune.recordings import read_call
from voiceloop.tune.scoring import score
from voiceloop.tune.words import Known, Recorded
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.energy import EnergyModel

LEXICON = Lexicon()
GREETING = "Corner Coffee."


def record(
    path: Path, talk: Callable[[Any], Awaitable[None]], *, redact: tuple[str, ...] = (), first: float = 0.2
) -> Path:
    """Have a call in virtual time that ends each turn after half a second."""
    stt, tts = ScriptedSTT(LEXICON, delay=0.1), ScriptedTTS(LEXICON, first=0.1)
    llm = ScriptedLLM(["Yes."], first=first, rate=30)

    def bot(call: Call) -> Pipeline:
        turns = TurnTaking(GREETING, TurnOptions(silence=0.5, finished=0.5, unfinished=0.5))
        return Pipeline([call.transport, EnergyVAD(), stt, turns, LLMAggregator(llm), tts, AudioStreamer()])

    async def run() -> None:
        async with (
            Runtime(record=FlightOptions(path, redact=list(redact))) as runtime,
            dial(bot, runtime=runtime, stt=stt, llm=llm, tts=tts, lexicon=LEXICON, invariants=None) as caller,
        ):
            await talk(caller)

    run_virtual(run(), strict=True)
    return path


async def pauses(caller: Any) -> None:
    """Pauses for 0.8 s in the middle of the second turn, before an answer to its first half can be heard."""
    await caller.hears("Corner Coffee")
    await caller.says("a mocha please")
    await caller.hears("Yes")
    await asyncio.sleep(1.0)
    audio = LEXICON.speak("two large lattes")[0] + b"\xff" * 6000 + LEXICON.speak("and tea")[0]
    await caller.says(audio)
    await caller.hears("Yes")
    await caller.hangs_up()


@pytest.fixture
def call(tmp_path: Path) -> Clip:
    return read_call(record(tmp_path / "order.vlog", pauses, first=1.5))


def recorded(clip: Clip) -> Track:
    return listen(clip, Recorded)


def fixed(track: Track, silence: float) -> list[str]:
    return [each.text for each in drive(track, TurnOptions(silence=silence), FixedSilence)]


def test_a_turn_that_went_on_before_an_answer_was_heard_is_one(call: Clip) -> None:
    assert [turn.text for turn in call.turns] == ["a mocha please", "two large lattes and tea"]
    first, second = call.turns
    spoken = len(LEXICON.speak("a mocha please")[0].rstrip(b"\xff")) / 8000
    assert first.ended - first.started == pytest.approx(spoken, abs=0.02)
    assert second.ended - second.started == pytest.approx(0.82 + 0.81 + 0.41, abs=0.05)
    assert call.audio[round(first.started * 8000) + 400] != 0xFF  # on the clock of its own audio


def test_the_recorded_call_comes_out_with_the_recorded_silence(call: Clip) -> None:
    assert fixed(recorded(call), 0.5) == ["a mocha please", "two large lattes", "and tea"]


def test_a_longer_silence_would_have_let_the_caller_finish(call: Clip) -> None:
    track = recorded(call)
    assert fixed(track, 1.2) == ["a mocha please", "two large lattes and tea"]
    ended = drive(track, TurnOptions(silence=1.2), FixedSilence)
    assert score(ended, call.turns).cut_offs == 0
    assert score(ended, call.turns).waits == pytest.approx((1.2, 1.2), abs=0.02)


def test_its_audio_can_be_heard_anew(call: Clip) -> None:
    track = listen(call, Known, EnergyModel())
    assert [len(each.pauses) for each in (track, recorded(call))] == [1, 1]
    assert fixed(track, 1.2) == ["a mocha please", "two large lattes and tea"]


def test_turn_taking_is_told_what_the_agent_said(call: Clip) -> None:
    assert [text for _, text in recorded(call).asked] == [GREETING, "Yes.", "Yes."]


async def once(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("a mocha please")
    await caller.hears("Yes")
    await caller.hangs_up()


async def never(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.hangs_up()


def test_a_call_whose_words_were_left_out_and_one_without_a_turn_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadFlight, match="text were left out when it was recorded"):
        read_call(record(tmp_path / "secret.vlog", once, redact=("text",)))
    with pytest.raises(BadFlight, match="the caller took no turn in it"):
        read_call(record(tmp_path / "quiet.vlog", never))


def test_the_command_tunes_recorded_calls_as_they_were_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    record(folder / "order.vlog", pauses, first=1.5)
    assert main(["tune", str(folder), "--json", "--out", str(tmp_path / "tune.svg")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["recognisers"], values["vads"], values["recordings"]) == (["recorded"], ["recorded"], 1)
    assert values["pauses"] == [pytest.approx(0.81, abs=0.02)]
    cut = {each["silence"]: each["cut_offs"] for each in values["fixed"]}
    assert {silence for silence, count in cut.items() if count} == {each for each in cut if each < 0.9}
    assert (
        main(["tune", str(folder), "--json", "--noise", "30", "--vad", "energy", "--out", str(tmp_path / "t.svg")]) == 0
    )
    values = json.loads(capsys.readouterr().out)
    assert (values["recognisers"], values["vads"]) == (["known"], ["energy"])
