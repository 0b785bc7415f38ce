"""``voiceloop replay``: drives today's pipeline through recorded calls."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from typing import Any

from voiceloop.cli.load import load_bot
from voiceloop.flight.reader import read_flight
from voiceloop.replay.run import Replayed, replay

__all__ = ["add_replay", "replay_files"]


def add_replay(commands: Any) -> None:
    """Add the command to a parser's."""
    parser = commands.add_parser(
        "replay",
        help="drive today's pipeline through a recorded call: equal, or the first difference",
        description="What entered the call when it was recorded (the caller, the providers' work, the time) is given "
        "to the bot again, in the same order. No provider is asked and no tool is run. Shows whether the caller would "
        "hear the same, or the first thing that is not as it was. Exit status 1 when one of the calls differs. With "
        "--set the call runs on live timers instead, and what would have changed is shown.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a flight recording (.vlog)")
    parser.add_argument("--bot", metavar="FILE", help="a bot file instead of the one that the recording names")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="show what would have changed with an option set otherwise, such as turns.silence=0.4 or "
        "output.lead=1; may be given several times. An unknown name lists all",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object for each file and nothing else")
    parser.add_argument("--verbose", action="store_true", help="log what happens inside")


async def replay_files(options: argparse.Namespace) -> int:
    """Replay each; returns the exit status."""
    return await asyncio.to_thread(_replay, options)  # each runs on an event loop of its own


def _replay(options: argparse.Namespace) -> int:
    bot: Callable[..., Any] | None = load_bot(options.bot).bot if options.bot else None
    if options.settings:
        return _what_if(options, bot)
    differ = 0
    for file in options.files:
        outcome = replay(read_flight(file), bot)
        differ += not outcome.equal
        if options.json:
            print(json.dumps({"file": file, **_values(outcome)}))
        elif len(options.files) > 1:
            print(f"{file}: {outcome}")
        else:
            print(outcome)
    return 1 if differ else 0


def _what_if(options: argparse.Namespace, bot: Callable[..., Any] | None) -> int:
    from voiceloop.replay.what_if import what_if
    from voiceloop.replay.what_if.settings import parse

    settings = parse(options.settings)
    for file in options.files:
        outcome = what_if(read_flight(file), bot, settings)
        if options.json:
            print(json.dumps({"file": file, **outcome.as_dict()}))
        else:
            print(f"{file}\n{outcome}" if len(options.files) > 1 else outcome)
    return 0


def _values(outcome: Replayed) -> dict[str, Any]:
    values: dict[str, Any] = {
        "equal": outcome.equal,
        "messages": outcome.messages,
        "seconds": round(outcome.seconds, 3),
        "whole": outcome.whole,
    }
    if (difference := outcome.difference) is not None:
        values["difference"] = {
            "at": round(difference.at, 3),
            "what": difference.what,
            "recorded": difference.recorded,
            "today": difference.today,
        }
    return values
