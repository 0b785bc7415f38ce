"""``voiceloop demo`` with a bot of scripted providers: what it prints, writes and returns."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.audio.wav import WavError, write_wav
from voiceloop.cli.demo import demo
from voiceloop.cli.load import BotFileError, example, load_bot
from voiceloop.cli.main import main, parser
from voiceloop.cli.script import DRINKS, OrderScript
from voiceloop.conversation import Conversation
from voiceloop.errors import VoiceloopError
from voiceloop.report import CallReport, Turn
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.openai import OpenAISim

LEXICON = Lexicon()

BOT = """
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from tests_lexicon import LEXICON

stt, tts = ScriptedSTT(LEXICON, delay=0.1), ScriptedTTS(LEXICON, first=0.09)
llm = ScriptedLLM(lambda messages: messages[-1].text.replace("please", "coming up."), first=0.2, rate=50)

def bot(call):
    stages = [call.transport, EnergyVAD(), stt, TurnTaking("Hello there.")]
    return Pipeline([*stages, LLMAggregator(llm), tts, AudioStreamer()])
"""


@pytest.fixture
def bot_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sys
    import types

    shared: Any = types.ModuleType("tests_lexicon")
    shared.LEXICON = LEXICON
    monkeypatch.setitem(sys.modules, "tests_lexicon", shared)
    path = tmp_path / "bot.py"
    path.write_text(BOT)
    return path


def recording(folder: Path, text: str) -> Path:
    path = folder / f"{text.replace(' ', '_')}.wav"
    write_wav(path, mulaw.decode(LEXICON.speak(text)[0]), 8000)
    return path


def options(*arguments: object) -> argparse.Namespace:
    return parser().parse_args(["demo", *map(str, arguments)])


async def test_json_is_one_object_with_what_was_said_heard_and_waited_for(
    bot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [recording(tmp_path, "a large latte please"), recording(tmp_path, "two teas please")]
    out = tmp_path / "call.wav"
    status = await demo(options(bot_file, "--json", "--recording", out, "--caller", *said))
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert status == 0
    assert captured.err == ""
    assert set(result) == {"reason", "turns", "holes_ms", "faults", "recording", "picture"}
    assert result["reason"] == "caller hung up"
    assert (result["holes_ms"], result["faults"], result["recording"]) == ([], [], str(out))
    assert [turn["caller"] for turn in result["turns"]] == ["a large latte please", "two teas please"]
    assert [turn["heard"] for turn in result["turns"]] == ["a large latte coming up.", "two teas coming up."]
    for turn in result["turns"]:
        parts = dict(turn["latency_ms"])
        assert parts.pop("total") == pytest.approx(sum(parts.values()), abs=0.05)
        assert set(parts) == {"endpoint", "stt", "llm", "tts", "output", "carrier"}
        assert parts["endpoint"] == pytest.approx(350, abs=25)
        assert parts["llm"] == pytest.approx(200, abs=25)
        assert (turn["unheard"], turn["interrupted"]) == ("", False)


async def test_the_recording_holds_the_caller_left_and_the_agent_right(bot_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "call.wav"
    await demo(options(bot_file, "--json", "--recording", out, "--caller", recording(tmp_path, "a large latte please")))
    import wave

    with wave.open(str(out)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    left, right = (LEXICON.text(mulaw.encode(np.ascontiguousarray(sound[:, side]))) for side in (0, 1))
    assert left == "a large latte please"
    assert right == "Hello there. a large latte coming up."


async def test_the_picture_lies_beside_the_recording_and_shows_the_words(bot_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "call.wav"
    await demo(options(bot_file, "--json", "--recording", out, "--caller", recording(tmp_path, "two teas please")))
    picture = (tmp_path / "call.html").read_text(encoding="utf-8")
    assert "two teas please" in picture
    assert "two teas coming up." in picture


async def test_the_picture_can_be_a_png(bot_file: Path, tmp_path: Path) -> None:
    said, out = recording(tmp_path, "two teas please"), tmp_path / "call.wav"
    await demo(options(bot_file, "--json", "--recording", out, "--picture", tmp_path / "call.png", "--caller", said))
    assert (tmp_path / "call.png").read_bytes().startswith(b"\x89PNG")


async def test_another_model_answers_when_one_is_named(
    bot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = recording(tmp_path, "two teas please")
    async with OpenAISim(["Two teas, from somewhere else."], models=["far"]).listening() as url:
        named = f"openai:{url}#far"
        out = tmp_path / "call.wav"
        status = await demo(options(bot_file, "--json", "--llm", named, "--recording", out, "--caller", said))
    result = json.loads(capsys.readouterr().out)
    assert (status, result["faults"]) == (0, [])
    assert [turn["heard"] for turn in result["turns"]] == ["Two teas, from somewhere else."]


def test_a_name_that_stands_for_no_model_is_told_before_anything_is_loaded(
    bot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bot_file.write_text("raise SystemExit('loaded')")
    assert main(["demo", str(bot_file), "--llm", "gpt-5", "--recording", str(tmp_path / "call.wav")]) == 1
    assert "openai:URL#MODEL" in capsys.readouterr().err


async def test_a_person_sees_the_conversation_and_a_table(
    bot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "call.wav"
    await demo(options(bot_file, "--recording", out, "--caller", recording(tmp_path, "two teas please")))
    text = capsys.readouterr().out
    assert "  caller: two teas please\n  agent:  two teas coming up.\n" in text
    (heading,) = (line for line in text.splitlines() if "endpoint" in line)
    assert heading.split() == ["turn", "total", "endpoint", "stt", "llm", "tts", "output", "carrier", "caller", "said"]
    assert str(out) in text


async def test_a_conversation_that_fails_says_why_and_returns_1(
    bot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silence = tmp_path / "silence.wav"
    write_wav(silence, np.zeros(8000, np.int16), 8000)
    status = await demo(options(bot_file, "--json", "--recording", tmp_path / "call.wav", "--caller", silence))
    captured = capsys.readouterr()
    assert status == 1
    assert "nothing of what the caller said was recognised" in captured.err
    assert json.loads(captured.out)["reason"].startswith("failed: ")


async def test_a_file_that_is_no_recording_is_refused_before_the_call(bot_file: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake.wav"
    fake.write_bytes(b"not a recording")
    with pytest.raises(WavError, match=r"fake\.wav"):
        await demo(options(bot_file, "--recording", tmp_path / "call.wav", "--caller", fake))
    assert not (tmp_path / "call.wav").exists()


@pytest.mark.parametrize("place", ["missing/call.wav", "."])
async def test_a_recording_that_cannot_be_written_is_refused_before_the_call(
    bot_file: Path, tmp_path: Path, place: str
) -> None:
    with pytest.raises(VoiceloopError, match="recording"):
        await demo(options(bot_file, "--recording", tmp_path / place))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file"),
        ("x = 1", "defines no function bot"),
        ("bot = 3", "defines no function bot"),
        ("import os\nimport no_such_module_at_all", r"some_bot\.py:2: ModuleNotFoundError"),
        ("x = 1\n\ny = 1 / 0\n", r"some_bot\.py:3: ZeroDivisionError: division by zero"),
        ("def bot(call)\n", r"some_bot\.py:1: SyntaxError"),
    ],
)
def test_a_bot_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "some_bot.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BotFileError, match=message):
        load_bot(path)


def test_a_bot_file_may_import_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "menu_of_the_test.py").write_text("DRINK = 'tea'")
    path = tmp_path / "neighbour_bot.py"
    path.write_text("from menu_of_the_test import DRINK\ndef bot(call): ...")
    assert load_bot(path).DRINK == "tea"


def test_the_command_prints_errors_in_one_line_and_returns_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", str(tmp_path / "nowhere.py"), "--recording", str(tmp_path / "call.wav")]) == 1
    assert capsys.readouterr().err.startswith("voiceloop: expected a bot file")


def test_without_the_extra_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from voiceloop import errors

    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert main(["demo", "--recording", str(tmp_path / "call.wav")]) == 1
    assert "pip install 'voiceloop[local]'" in capsys.readouterr().err


def test_the_bundled_example_is_found_and_short() -> None:
    lines = example("coffee_bot.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 60


@pytest.mark.parametrize("seed", range(6))
def test_the_order_depends_on_the_seed_only(seed: int) -> None:
    assert OrderScript(seed).order == OrderScript(seed).order
    assert any(drink in OrderScript(seed).order for drink in DRINKS)
    assert len({OrderScript(number).order for number in range(20)}) > 5


def report(*turns: Turn, reason: str = "caller hung up") -> CallReport:
    return CallReport("CA1", reason, 1.0, Conversation(), list(turns))


GOOD = [
    Turn(1, "hello", "We have", "tea.", interrupted=True),
    *(Turn(number, "yes", "Sure.") for number in (2, 3, 4)),
]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (report(*GOOD), None),
        (report(*GOOD[:3]), "at least four turns, got 3"),
        (report(*GOOD[1:], Turn(5, "bye", "Bye.")), "did not notice"),
        (report(*GOOD, Turn(5, "and?")), "no answer to 'and?'"),
        (report(*GOOD, reason="failed"), "'failed'"),
    ],
)
def test_when_the_conversation_has_failed(outcome: CallReport, why: str | None) -> None:
    verdict = OrderScript(0).judge(outcome)
    assert verdict is None if why is None else why in (verdict or "")
