"""``--simulate`` of a bot's script: its own providers and SDKs, over real sockets, in real time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from voiceloop.cli.load import load_bot
from voiceloop.cli.simulate import simulate

BOT = Path(__file__).resolve().parents[2] / "examples" / "twilio_bot.py"
PRICE = ("price", {"drink": "latte", "size": "large"})
SHORT: list[tuple[Any, ...]] = [("What is a large latte?", [PRICE], ["It is $5.50.", ("hang_up", {})])]


def keys() -> dict[str, str]:
    """Variables by which services are found."""
    return {name: value for name, value in os.environ.items() if name.startswith(("ANTHR", "CART", "GOOGLE", "TWILIO"))}


@pytest.mark.long
def test_a_conversation_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = keys()
    recording = tmp_path / "call.wav"
    status = simulate(
        load_bot(BOT).bot, SHORT, ["--simulate", "--json", "--profile", "fast", "--recording", str(recording)]
    )
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (status, captured.err) == (0, "")
    assert set(result) == {"reason", "turns", "holes_ms", "faults", "recording", "picture"}
    assert (result["reason"], result["holes_ms"], result["faults"]) == ("completed", [], [])
    (turn,) = result["turns"]
    assert (turn["caller"], turn["heard"]) == ("What is a large latte?", "It is $5.50.")
    assert 0.5 <= turn["latency_ms"]["total"] / 1000 < 2.5  # two rounds of the model
    assert recording.stat().st_size > 4 * 8000
    assert "It is $5.50." in recording.with_suffix(".html").read_text(encoding="utf-8")
    assert keys() == before


def test_where_nothing_can_be_written_is_told_before_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate(load_bot(BOT).bot, SHORT, ["--recording", str(tmp_path / "missing" / "call.wav")]) == 1
    assert capsys.readouterr().err.startswith("voiceloop: the recording cannot be written to")


def test_a_bot_that_cannot_start_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def bot(call: Any) -> Any:
        raise LookupError("no menu")

    assert simulate(bot, SHORT, ["--json", "--recording", str(tmp_path / "call.wav")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("voiceloop: bot(call) raised LookupError: no menu (test_simulate.py, line ")
    assert len(told.splitlines()) == 1
