"""``voiceloop scenario``: what it prints, and its exit status."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from voiceloop.cli.scenario import add_scenario, scenario
from voiceloop.errors import VoiceloopError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHOP = Path(__file__).resolve().parents[1] / "testing" / "scenario_shop.py"
CALLS = f"""\
bot: {SHOP}
scenarios:
  - name: as written
    call: [hears: Corner Coffee]
  - name: not as written
    call:
      - hears: soup
  - name: asked
    call: [hears: Corner Coffee, judge: "Was the caller greeted?"]
  - name: left out
    skip: not yet
    call: [hears]
"""
JUDGES = """\
from voiceloop.testing import script
kind = script('{"reason": "So kind.", "verdict": "yes"}')
harsh = script('{"reason": "Too curt.", "verdict": "no"}')
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOICELOOP_JUDGE", raising=False)
    (tmp_path / "a.call.yaml").write_text(CALLS)
    (tmp_path / "judges.py").write_text(JUDGES)
    return tmp_path


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_scenario(parser.add_subparsers(dest="command"))
    return asyncio.run(scenario(parser.parse_args(["scenario", *arguments])))


def test_it_tells_what_went_as_written_and_what_did_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("a.call.yaml") == 1
    assert capsys.readouterr().out == (
        "a.call.yaml\n"
        "  ok    as written\n"
        "  FAIL  not as written\n"
        "        a.call.yaml:7:9: hears: soup\n"
        '          expected: to hear "soup"\n'
        '          came:     heard "Corner Coffee, hi!"\n'
        "        the conversation so far:\n"
        "              0.0 s  agent   Corner Coffee, hi!\n"
        "  open  asked\n"
        "        a.call.yaml:9:41: not judged, there is no --judge: Was the caller greeted?\n"
        "  skip  left out\n"
        "        not yet\n"
        "4 calls: 1 as written, 1 not as written, 1 not judged, 1 skipped\n"
    )


def test_a_judge_may_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("a.call.yaml", "--only", "asked", "--judge", "judges.py:kind", "--votes", "3") == 0
    assert capsys.readouterr().out.endswith("  ok    asked\n1 call: 1 as written\n")
    monkeypatch.setenv("VOICELOOP_JUDGE", "judges.py:harsh")
    assert run("a.call.yaml", "--only", "ASKED") == 1
    assert "came:     <Verdict: no to 'Was the caller greeted?': Too curt.>" in capsys.readouterr().out
    with pytest.raises(VoiceloopError, match="--votes: expected an odd number"):
        run("a.call.yaml", "--votes", "2")


def test_conversations_are_shown_on_demand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("a.call.yaml", "--only", "asked", "--show") == 0
    out = capsys.readouterr().out
    assert "            0.0 s  agent   Corner Coffee, hi!\n        a.call.yaml:9:41: not judged" in out


def test_a_file_that_cannot_be_read_is_told_and_the_others_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.call.yaml").write_text("bot: shop.py\ncall:\n  - sais: Hello\n")
    assert run("b.call.yaml", "a.call.yaml", "--only", "left") == 2
    out = capsys.readouterr().out
    assert out.startswith('b.call.yaml\n  b.call.yaml:3:5: "sais" is no step')
    assert out.endswith("1 call: 1 skipped, 1 file not readable\n")


def test_a_bot_that_cannot_be_loaded_fails_its_calls_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c.call.yaml").write_text("bot: none.py\ncall: [hears]\n")
    assert run("c.call.yaml") == 1
    assert (
        "  FAIL  c\n        c.call.yaml:1:6: the bot cannot be loaded: expected a bot file" in capsys.readouterr().out
    )


def test_a_folder_stands_for_its_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more").mkdir()
    with pytest.raises(VoiceloopError, match=r"there is no scenario file \(\*\.call\.yaml\) in more"):
        run("more")
    (folder / "more" / "b.call.yml").write_text(CALLS)
    assert run(".", "--only", "left") == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.endswith("ml")] == [
        "a.call.yaml",
        "more/b.call.yml",
    ]


def test_the_shipped_examples_go_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(list(EXAMPLES.glob("*.call.yaml"))) >= 3
    assert run(str(EXAMPLES)) == 0
    assert capsys.readouterr().out.endswith("6 calls: 5 as written, 1 not judged\n")
