"""A call with everything that turn-taking does: it replays to the letter, and is told of in plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flight.conftest import LEXICON, shop
from voiceloop.audio import mulaw
from voiceloop.cli.inspect_rows import rows_of
from voiceloop.cli.main import main
from voiceloop.conversation import Message
from voiceloop.flight import FlightOptions, read_flight
from voiceloop.flight.timeline import report_of, timeline_of
from voiceloop.record.held import held_of
from voiceloop.record.picture import picture_html
from voiceloop.record.scene import early
from voiceloop.replay import replay
from voiceloop.replay.what_if import what_if
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import ScriptedLLM, ScriptedSTT

Record = Callable[..., Path]
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars and comes hot or cold."
NOISE = mulaw.encode((np.arange(3200) % 40 * 400 - 8000).astype(np.int16))
LINE = CarrierOptions(seed=3, delay_to_server=0.05, delay_from_server=0.04, jitter=0.02)


async def everything(caller: Any) -> None:
    """Coughs, says "mhm", is guessed right and wrong, interrupts, and presses keys."""
    await caller.hears("Corner Coffee")
    await caller.says("what do you have please")  # guessed right
    await caller.waits(2.2)
    await caller.says(NOISE)
    await caller.waits(1.6)
    await caller.says("mhm")
    await caller.hears()
    await caller.says(LEXICON.speak("a mocha please")[0] + b"\xff" * 2400 + LEXICON.speak("and a tea and")[0])
    await caller.interrupts("no wait a latte please", after=1.0)
    await caller.hears()
    await caller.presses("12#")
    await caller.hears()
    await caller.hangs_up()


def answer(messages: Sequence[Message]) -> str:
    """By what the caller said last: how often it is asked must not matter."""
    said = messages[-1].text
    return "Number twelve." if "keys" in said else "One latte, then." if "latte" in said else MENU


def providers() -> dict[str, Any]:
    return {
        "llm": ScriptedLLM(answer, first=0.3, rate=40, speculative=True),
        "stt": ScriptedSTT(LEXICON, delay=0.1, interims=0.2, lag=0.1),
        "carrier": LINE,
    }


@pytest.fixture
def path(record: Record) -> Path:
    return record(everything, **providers())


def test_a_call_with_all_of_it_takes_the_same_course_again(path: Path) -> None:
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)
    assert outcome.whole
    report = read_flight(path).report
    assert report is not None
    assert report["speculation"]["kept"] >= 2
    assert report["speculation"]["discarded"] >= 2


def test_with_the_same_settings_a_what_if_has_the_same_turns(path: Path) -> None:
    outcome = what_if(path, shop())
    assert [row.what for row in outcome.rows] == ["same"] * 4, str(outcome)
    assert outcome.whole
    assert outcome.today.answered == outcome.recorded.answered == 4


def test_the_call_was_what_it_is_meant_to_be(path: Path) -> None:
    line = timeline_of(read_flight(path))
    assert [turn.caller for turn in line.listed] == [
        "what do you have please",
        "a mocha please and a tea and",
        "no wait a latte please",
        "[keys: 12]",
    ]
    assert line.listed[0].heard == MENU  # to its end, past the cough and the "mhm"
    assert [event.text for event in line.events if event.kind == "aside"] == ["mhm"]
    assert [(held.words, held.aside) for held in held_of(line) if held.ended == "resume"] == [
        ("", False),
        ("mhm", True),
    ]
    report = report_of(read_flight(path))
    assert report is not None
    assert [message.text for message in report.conversation if message.aside] == ["mhm"]
    right = line.turns[0]
    assert right.guessed is not None
    assert right.ended < right.guessed < right.decided
    assert any(answer.early and answer.outcome == "discarded" for answer in line.answers)


def test_all_of_it_is_told_in_plain_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    line = timeline_of(read_flight(path))
    cough, mhm = (held for held in held_of(line) if held.ended == "resume")
    assert f"paused {cough.seconds:.1f} s by a noise" in shown
    assert f"paused {mhm.seconds:.1f} s by “mhm” (aside)" in shown
    events = [row.event for row in rows_of(line)]
    kept = next(answer for answer in line.answers if answer.id == line.turns[0].answer)
    assert f"waited 0.74 s, answer begun {early(line.turns[0], kept):.2f} s early" in events
    assert early(line.turns[0], kept) > 0.1
    assert "an answer was begun early, and thrown away" in events
    assert (
        f"The answer to turn 1 was paused for {cough.seconds:.1f} s by a noise: nothing was recognised; the agent "
        "went on." in shown
    )
    assert "by 'mhm', which only shows that the caller listens; the agent went on." in shown
    assert 'because of what was said: ends with "and".' in shown
    assert re.search(r"Turn 2 was cut after 'We have [^']*', the caller began to speak 0.1 s before: 'no wait", shown)
    assert "THE RECORDING" not in shown


def test_the_picture_tells_of_it(path: Path) -> None:
    page = picture_html(timeline_of(read_flight(path)), audio=False)
    values = json.loads(page.partition('id="call">')[2].partition("</script>")[0])
    moments = [text for _, kind, text in values["moments"] if kind in ("pause", "aside")]
    assert "mhm" in moments
    assert any(re.fullmatch(r"paused \d\.\d s by a noise", text) for text in moments)
    assert "mhm <em>aside</em>" in page


def test_words_left_out_are_left_out_of_the_reasons(record: Record, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "call.vlog"
    record(everything, **providers(), record=FlightOptions(path, redact=["text"]))
    assert b'ends with "and"' not in path.read_bytes()
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "because of what was said" not in shown
    assert "mhm" not in shown
