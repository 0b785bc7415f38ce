"""``voiceloop fuzz``: what it finds it shows short, with a command that shows it again; nothing stops it half way."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from voiceloop.cli.fuzz_summary import Summary, command, failure_lines
from voiceloop.cli.fuzz_worker import Result
from voiceloop.cli.main import main
from voiceloop.testing.chaos import Failure, Plan

BOT = """
import asyncio, os
from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.frames import Digit, UserTurn
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

LEXICON = Lexicon()

class Extra(Processor):
    def on_user_turn(self, turn: UserTurn) -> None:
        EXTRA

def bot(call: Call) -> Pipeline:
    ears = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), TurnTaking("Hi there!")]
    return Pipeline([*ears, LLMAggregator(ScriptedLLM(["Well."])), Extra(), ScriptedTTS(LEXICON), AudioStreamer()])
"""
LEAKS = "self.task = asyncio.get_running_loop().create_task(asyncio.sleep(500), name='forgotten')"


def bot_file(folder: Path, extra: str = "pass") -> str:
    (folder / "my bot.py").write_text(BOT.replace("EXTRA", extra))
    return "my bot.py"


def fuzz(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-m", "voiceloop.cli.main", "fuzz", *arguments]
    return subprocess.run(given, cwd=folder, capture_output=True, text=True, timeout=120)


def again(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a command that was printed."""
    words = shlex.split(line)
    assert words[:2] == ["voiceloop", "fuzz"]
    return fuzz(folder, *words[2:])


def test_what_is_found_is_shown_short_and_shown_again_by_the_command(tmp_path: Path) -> None:
    bot = bot_file(tmp_path, LEAKS)
    told = fuzz(tmp_path, bot, "--calls", "3", "--seed", "3", "--jobs", "1", "--only", "model")
    assert told.returncode == 1, told.stderr
    assert "forgotten" in told.stdout
    assert "the shortest call that shows it has 1 of" in told.stdout
    assert "3 of 3 calls, 3 failed" in told.stdout
    commands = [line.strip() for line in told.stdout.splitlines() if line.startswith("  voiceloop fuzz")]
    assert "--keep" in commands[0]
    assert "--case" in commands[1]
    for line in commands[:2]:
        rerun = again(tmp_path, f"{line} --json")
        assert rerun.returncode == 1, rerun.stderr
        found = json.loads(rerun.stdout)
        assert [item["kind"] for item in found["plan"]["items"]] == ["says"]
        assert ["forgotten" in failure["message"] for failure in found["failures"]] == [True]


def test_a_bot_that_stands_everything(tmp_path: Path) -> None:
    told = fuzz(tmp_path, bot_file(tmp_path), "--calls", "6", "--jobs", "2", "--only", "latency", "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    summary = json.loads(told.stdout)
    assert (summary["calls"], summary["failures"]) == (6, [])
    assert summary["seconds"] > 20


@pytest.mark.long
def test_a_process_that_dies_is_told_with_its_seed_and_the_others_go_on(tmp_path: Path) -> None:
    bot = bot_file(tmp_path, "if 'kbadibaba' in turn.text: os._exit(3)")  # one that item 2 of a plan says
    died = [seed for seed in range(30) if any(i.number == 2 and i.kind == "says" for i in Plan.drawn(seed).items)]
    first = died[0]
    told = fuzz(tmp_path, bot, "--calls", "4", "--seed", str(first), "--jobs", "1", "--only", "model", "--json")
    assert told.returncode == 1, told.stderr
    summary = json.loads(told.stdout)
    assert summary["calls"] == 4
    (failure,) = summary["failures"]
    assert failure["invariant"] == "the process comes back"
    assert first in failure["seeds"]
    assert len(failure["seeds"]) < 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.py"], "there is no file"),
        (["broken.py"], "broken.py:1: ZeroDivisionError"),
        (["my bot.py", "--seed", "1", "--keep", "99"], "none with the number 99"),
        (["my bot.py", "--seed", "1", "--keep", "a"], "--keep takes numbers of items"),
        (["my bot.py", "--only", "lines"], "expected some of caller"),
        (["my bot.py", "--case", "broken.py"], "broken.py is no case"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    bot_file(tmp_path)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    assert main(["fuzz", *arguments, "--jobs", "1"]) == 1
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
def test_control_c_gives_what_was_found_so_far(tmp_path: Path) -> None:
    bot = bot_file(tmp_path, "print('a turn', flush=True)")
    given = [sys.executable, "-m", "voiceloop.cli.main", "fuzz", bot, "--calls", "100000", "--jobs", "1"]
    with subprocess.Popen(given, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert " of 100000 calls" in told


def test_failures_that_look_alike_are_one_and_shown_by_the_plainest() -> None:
    summary = Summary(4)
    alike = [Failure("raised KeyError", f"'kbadibaba{number}'") for number in range(3)]
    other = Failure("memory is what was heard", "2 more than was heard")
    summary.add(Result(7, 10.0, 0.1, Counter({"line: stall": 2}), (alike[0], other)))
    summary.add(Result(8, 10.0, 0.1, Counter({"llm: cut": 1}), (alike[1],)))
    summary.add(Result(9, 12.0, 0.1, Counter({"line: late": 3}), (alike[2],)))
    summary.add(Result(10, 12.0, 0.1))
    assert [(group.seed, group.seeds) for group in summary.worst()] == [(8, [7, 8, 9]), (7, [7])]
    assert (summary.calls, summary.failed) == (4, 3)
    assert summary.line(2.0) == "4 of 4 calls, 3 failed, 44 s of telephone, 22 times real time"
    assert summary.coverage() == ["  line: late 3, stall 2", "  llm: cut 1"]
    assert failure_lines("bot.py", summary.worst()[1])[0] == "memory is what was heard — 1 call (seed 7)"


def test_the_command_names_what_is_kept_only_when_something_was_dropped() -> None:
    plan = Plan.drawn(5)
    assert command("a bot.py", 5, plan) == "voiceloop fuzz 'a bot.py' --seed 5 --calls 1"
    assert command("bot.py", 5, plan.keep([1, 3])) == "voiceloop fuzz bot.py --seed 5 --calls 1 --keep 1,3"
    assert command("bot.py", 5, plan.keep([])) == "voiceloop fuzz bot.py --seed 5 --calls 1 --keep none"
