"""``voiceloop scenario``: calls the bots of scenario files, without pytest."""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from voiceloop.errors import VoiceloopError

__all__ = ["add_scenario", "scenario"]


def add_scenario(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "scenario",
        help="make the calls of scenario files (*.call.yaml) and say which went as written",
        description="Calls the bot of every scenario, in virtual time, and checks what the file expects. Exit status: "
        "0 all as written, 1 not, 2 a file that cannot be read.",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="scenario files, or folders that hold some")
    command.add_argument("--only", metavar="WORDS", default="", help="only calls whose name holds these words")
    command.add_argument("--show", action="store_true", help="show every conversation, not only of what fails")
    command.add_argument(
        "--judge",
        metavar="MODEL",
        help="the language model that answers the files' questions: anthropic:MODEL, openai:URL#MODEL, openai:#MODEL, "
        "gguf:PATH or FILE.py:NAME (default: the environment variable VOICELOOP_JUDGE, else none)",
    )
    command.add_argument("--votes", type=int, default=1, metavar="N", help="how often it is asked each (default: 1)")
    command.add_argument("--real-time", action="store_true", help="on the wall clock, over sockets on loopback")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")
    command.set_defaults(bot=None)


async def scenario(options: argparse.Namespace) -> int:
    """Run them all; returns the exit status. When it is cancelled, the call that goes on is the last one."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_scenario, options, stop)  # each runs on an event loop of its own
    except asyncio.CancelledError:
        stop.set()
        raise


def _scenario(options: argparse.Namespace, stop: threading.Event) -> int:
    from voiceloop.testing.judge import Judge, JudgeOptions
    from voiceloop.testing.judge_name import parse_judge
    from voiceloop.testing.scenario_file import load_scenarios
    from voiceloop.testing.scenario_source import ScenarioError

    name = options.judge or os.environ.get("VOICELOOP_JUDGE", "")
    try:
        referee = Judge(parse_judge(name), JudgeOptions(votes=options.votes)) if name else None
    except ValueError as error:
        raise VoiceloopError(f"--votes: {error}") from None
    tally = _Tally()
    try:
        for path in _files(options.files):
            print(path, flush=True)
            try:
                found = load_scenarios(path)
            except ScenarioError as error:
                tally.unread += 1
                print(_indented(str(error)), flush=True)
                continue
            for each in found:
                if options.only.lower() in each.name.lower() and not stop.is_set():
                    tally.add(*_one(each, tally, referee, options))
    finally:
        if referee is not None:
            referee.close()
    print(tally.line())
    return tally.status


def _one(each: Any, tally: _Tally, referee: Any, options: argparse.Namespace) -> tuple[str, str, str]:
    """Run one: its mark, name, and what more there is to say."""
    from voiceloop.testing.scenario_run import run_scenario

    if each.skip:
        return "skip", each.name, each.skip
    try:
        outcome = run_scenario(each, bots=tally.bots, judge=referee, realtime=options.real_time)
    except (VoiceloopError, AssertionError) as error:  # a bot that cannot be loaded; something was left behind
        return "FAIL", each.name, str(error)
    if outcome.failure is not None:
        return "FAIL", each.name, outcome.story()
    told = "\n".join(str(line) for line in outcome.talk) if options.show else ""
    if outcome.unjudged:
        asked = [f"{question.place}: not judged, there is no --judge: {question.text}" for question in outcome.unjudged]
        return "open", each.name, "\n".join([told, *asked] if told else asked)
    return "ok", each.name, told


class _Tally:
    """What came of all."""

    def __init__(self) -> None:
        from voiceloop.testing.scenario_run import Bots

        self.bots = Bots()
        self.marks: list[str] = []
        self.unread = 0

    def add(self, mark: str, name: str, more: str) -> None:
        """Tell of one."""
        self.marks.append(mark)
        print(f"  {mark:4}  {name}", flush=True)
        if more:
            print(_indented(more, 8), flush=True)

    @property
    def status(self) -> int:
        """0 all as written, 1 not, 2 a file that cannot be read."""
        return 2 if self.unread else 1 if "FAIL" in self.marks else 0

    def line(self) -> str:
        """The sum."""
        words = {"ok": "as written", "FAIL": "not as written", "open": "not judged", "skip": "skipped"}
        counts = [f"{self.marks.count(mark)} {word}" for mark, word in words.items() if mark in self.marks]
        counts += [f"{self.unread} {'file' if self.unread == 1 else 'files'} not readable"] if self.unread else []
        total = len(self.marks)
        return f"{total} {'call' if total == 1 else 'calls'}: {', '.join(counts) or 'nothing to do'}"


def _files(names: Sequence[str]) -> Iterable[Path]:
    """Files as they are named; those of a folder in order. Raises `VoiceloopError` for a folder without one."""
    for name in names:
        path = Path(name)
        if not path.is_dir():
            yield path
            continue
        found = sorted([*path.rglob("*.call.yaml"), *path.rglob("*.call.yml")])
        if not found:
            raise VoiceloopError(f"there is no scenario file (*.call.yaml) in {path}")
        yield from found


def _indented(text: str, by: int = 2) -> str:
    return "\n".join(f"{' ' * by}{line}" if line else "" for line in text.splitlines())
