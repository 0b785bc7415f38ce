"""``voiceloop inspect``: a recorded call from its file to what a person reads."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flight.conftest import LEXICON, shop
from tests.flight.test_inspect_timeline import cut_at
from tests.flight.test_replay import MENU, asks
from voiceloop.audio import mulaw
from voiceloop.audio.wav import read_wav
from voiceloop.cli.main import main
from voiceloop.fallback import Fallback
from voiceloop.flight import FlightOptions, read_flight
from voiceloop.flight.timeline import timeline_of
from voiceloop.testing import Failing, ScriptedLLM, ScriptedTTS, calls, script
from voiceloop.turns.rules import Rule, Situation

Record = Callable[..., Path]
Inspect = Callable[..., str]


@pytest.fixture
def inspect(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inspect:
    """Runs the command; gives what it prints, and for a failure what it says of that."""
    monkeypatch.setenv("COLUMNS", "110")

    def run(path: Path, *options: object, status: int = 0) -> str:
        assert main(["inspect", str(path), *map(str, options)]) == status
        out, errors = capsys.readouterr()
        return errors if status else out

    return run


def sentences(shown: str) -> list[str]:
    """What is said of why."""
    said: list[str] = []
    for line in shown.partition("\n- ")[2].partition("\n\nPicture")[0].splitlines():
        if said and line.startswith("  "):
            said[-1] += line[1:]
        else:
            said.append(line.removeprefix("- "))
    return said


async def orders(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    for text in ("what do you have", "a mocha please", "and a tea and"):
        await caller.says(text)
        await caller.hears()
    await caller.hangs_up()


async def goes_over(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.interrupts("no a mocha please", after=1.3)
    await caller.hears()
    await caller.hangs_up()


def test_a_call_is_shown_from_who_to_why(record: Record, inspect: Inspect, tmp_path: Path) -> None:
    model = script("Coffee and tea.", calls("price", drink="mocha"), "Four dollars.", "Tea.", first=0.4)
    path = record(orders, llm=model)
    shown = inspect(path)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    report = read_flight(path).report
    assert report is not None
    assert lines[0] == f"Call {report['call_id']}"
    assert lines[1].endswith(f"{report['duration']:.1f} s, 3 turns, caller hung up")
    assert lines[2].endswith("vad EnergyModel, stt ScriptedSTT, llm ScriptedLLM, tts ScriptedTTS")
    assert any(line.endswith("Four dollars. waited 1.65 s") for line in lines)
    assert "tool price({" in shown
    assert "2 1650 350 0 1200 100 0 0 a mocha please" in lines
    slow, *rest = sentences(shown)
    assert slow == (
        "Turn 2 waited 1.7 s: the model's first words took 1.2 s, three times as long as in the other turns (0.4 s); a "
        "tool (price) ran 0.4 s before the answer; the model was asked twice and took 0.8 s for that."
    )
    assert re.match(
        r"Turn 3 waited 2.1 s: 1.6 s of silence were waited for, (four|4.\d) times as long as in the other turns "
        r"\(0.\d s\), because of what was said: ends with \"and\"\.$",
        rest[0],
    )
    assert rest[1:] == [
        f"The call ended because the caller hung up after {report['duration']:.1f} s, "
        "0.6 s after the agent's last sound.",
    ]
    page = (tmp_path / "call.html").read_text(encoding="utf-8")
    assert "Recorded call: call.vlog" in page
    assert "a mocha please" in page
    assert f"Picture of the call, to be opened in a browser: {tmp_path / 'call.html'}" in shown


def test_a_cut_is_shown_with_what_was_not_heard(record: Record, inspect: Inspect) -> None:
    path = record(goes_over, llm=script(MENU, "Small.", first=0.3))
    shown = inspect(path)
    assert "interrupted" in shown
    assert "[not heard:" in shown
    cut, end = sentences(shown)
    heard = timeline_of(read_flight(path)).answers[1].heard.rstrip(",")
    assert heard
    assert MENU.startswith(heard)
    assert cut == f"Turn 1 was cut after '{heard}', the caller began to speak 0.1 s before: 'no a mocha please'."
    assert end.startswith("The call ended because the caller hung up")


async def makes_a_noise(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.interrupts(mulaw.encode((np.arange(4000) % 40 * 400 - 8000).astype(np.int16)), after=1.3)
    await caller.waits(4.0)
    await caller.hangs_up()


def test_a_noise_is_called_a_noise(record: Record, inspect: Inspect) -> None:
    shown = inspect(record(makes_a_noise, llm=script(MENU, first=0.3)))
    assert "[0.4 s of sound]" in shown
    assert "paused 0.6 s by a noise" in shown
    assert sentences(shown)[0] == (
        "The answer to turn 1 was paused for 0.6 s by a noise: nothing was recognised; the agent went on."
    )
    brisk = shop(rules={Situation.SPEAKING: Rule("speech")})
    shown = inspect(record(makes_a_noise, bot=brisk, llm=script(MENU, first=0.3)))
    assert sentences(shown)[0].endswith("what sounded like speech for 0.4 s was a noise, nothing was recognised.")


FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "model raises": (
        {"llm": ScriptedLLM(["Yes."], first=1.3, failing=Failing("raise", requests={1}, after=0))},
        "the model was asked twice: the first request failed after ",
    ),
    "model stalls": (
        {"llm": ScriptedLLM(["Yes."], first=0.3, failing=Failing("stall", requests={1}))},
        "the model was asked twice: the first request gave nothing for 5.0 s",
    ),
    "voice stalls": (
        {"tts": ScriptedTTS(LEXICON, first=0.1, failing=Failing("stall", requests={7}))},
        "it was given up (tts: nothing came for 5 s; asking again)",
    ),
    "another model": (
        {"llm": Fallback([ScriptedLLM(["Yes."], first=0.3, failing=Failing("stall", requests={1})), script("Spare.")])},
        "stood in for ",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_wait_for_a_failing_provider_is_explained(record: Record, inspect: Inspect, case: str) -> None:
    options, text = FAILING[case]
    shown = inspect(record(orders, **options))
    assert text in "\n".join(sentences(shown)), shown


async def is_stalled(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("what do you have")
    await caller.hears()
    await caller.says("a mocha please")
    await caller.waits(0.55)
    asyncio.get_running_loop().stall(1.5)  # type: ignore[attr-defined]
    await caller.hears()
    await caller.hangs_up()


def test_a_loop_that_was_held_is_named_in_the_wait(record: Record, inspect: Inspect) -> None:
    shown = inspect(record(is_stalled, llm=script("Yes.", first=0.3)))
    (slow, _) = sentences(shown)
    assert slow.startswith("Turn 2 waited 2.")
    assert "the loop was held 1.4 s (by what is not known)" in slow or "the loop was held 1.5 s" in slow


def test_a_killed_call_is_shown_up_to_where_it_breaks_off(record: Record, inspect: Inspect) -> None:
    shown = inspect(cut_at(record(asks, llm=script(MENU, "Bye.", first=0.3)), 6.0))
    assert "the recording breaks off" in shown.splitlines()[1]
    assert "bytes of the file are no whole block" in shown
    assert "THE RECORDING BREAKS OFF" in shown
    assert sentences(shown)[-1].startswith("The recording breaks off after ")
    assert "while the agent was saying 'We have coffee" in sentences(shown)[-1]


def test_a_redacted_call_is_shown_without_its_words_and_its_sound(
    record: Record, inspect: Inspect, tmp_path: Path
) -> None:
    path = tmp_path / "call.vlog"
    record(goes_over, llm=script(MENU, "Small."), record=FlightOptions(path, redact=["audio", "text"]))
    shown = inspect(path)
    assert "Left out of the recording: audio and text." in shown
    assert "Turn 1 was cut after " in shown
    assert sentences(shown)[0].endswith("the caller began to speak 0.1 s before: 4 words.")
    page = (tmp_path / "call.html").read_text(encoding="utf-8")
    for secret in ("coffee", "latte"):
        assert secret not in shown.lower()
        assert secret not in page.lower()
    assert '"sound":null' in page
    assert "there is no audio in it" in inspect(path, "--audio", tmp_path / "call.wav", status=1)


def test_json_holds_all_of_it_and_nothing_else_is_printed(record: Record, inspect: Inspect, tmp_path: Path) -> None:
    path = record(goes_over, llm=script(MENU, "Small.", first=0.3))
    made = json.loads(inspect(path, "--json", "--audio", tmp_path / "both.wav"))
    assert made["file"] == str(path)
    assert made["report"]["reason"] == "caller hung up"
    assert [turn["caller"] for turn in made["report"]["turns"]] == ["what do you have", "no a mocha please"]
    assert [(each["about"], each["turn"]) for each in made["why"]] == [("cut", 1), ("end", 0)]
    assert made["timeline"]["whole"] is True
    assert made["timeline"]["turns"][0]["latency_ms"]["endpoint"] == pytest.approx(350, abs=60)
    assert made["picture"] == str(tmp_path / "call.html")
    assert made["audio"] == str(tmp_path / "both.wav")


def test_the_audio_has_the_caller_left_and_the_agent_right(record: Record, inspect: Inspect, tmp_path: Path) -> None:
    path = record(asks, llm=script("Yes.", "Bye."))
    inspect(path, "--audio", tmp_path / "both.wav")
    data = (tmp_path / "both.wav").read_bytes()
    assert read_wav(data).rate == 8000
    voices = np.frombuffer(data[44:], dtype="<i2").reshape(-1, 2)
    made = timeline_of(read_flight(path))
    for channel, audio in enumerate((made.caller_audio, made.agent_audio)):
        assert np.array_equal(voices[: len(audio), channel], mulaw.decode(audio))


def test_the_picture_may_be_a_png(record: Record, inspect: Inspect, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    shown = inspect(record(asks), "--picture", tmp_path / "call.png")
    assert f"Picture of the call: {tmp_path / 'call.png'}" in shown
    assert (tmp_path / "call.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "call.html").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--picture", "call.jpg"], "--picture takes the name of a file that ends in .html or .png, got 'call.jpg'"),
        (["--audio", "call.mp3"], "--audio takes the name of a file that ends in .wav, got 'call.mp3'"),
        (["--picture", "none/call.html"], "none/call.html cannot be written: name a file in a folder that exists"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    record: Record, inspect: Inspect, tmp_path: Path, options: list[str], said: str
) -> None:
    assert said in inspect(record(asks), *options, status=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["call.vlog"]


def test_what_is_no_recording_is_refused(inspect: Inspect, tmp_path: Path) -> None:
    assert "there is no file" in inspect(tmp_path / "none.vlog", status=1)
    (tmp_path / "x.vlog").write_bytes(b"RIFF")
    assert "is no flight recording" in inspect(tmp_path / "x.vlog", status=1)


async def is_put_upon(caller: Any) -> None:
    await caller.hears("Corner Coffee")
    await caller.says("<script>alert(1)</script>")
    await caller.hears()
    await caller.hangs_up()


def test_words_from_outside_stay_words(record: Record, inspect: Inspect, tmp_path: Path) -> None:
    shown = inspect(record(is_put_upon, llm=script("\x1b[31mRed.", first=0.1)))
    assert "\x1b" not in shown
    assert "<script>alert" not in (tmp_path / "call.html").read_text(encoding="utf-8")


def test_the_command_needs_nothing_of_the_bot(record: Record, inspect: Inspect, monkeypatch: Any) -> None:
    path = record(asks)
    monkeypatch.delitem(sys.modules, "tests.flight.conftest")
    assert "ScriptedLLM" in inspect(path)
