"""The arguments of ``voiceloop fuzz``."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_fuzz"]

CALLS = 200
FAILURES = 10


def add_fuzz(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "fuzz",
        help="call a bot thousands of times, with all that can go wrong, and show the shortest call that breaks it",
        description="Every call is drawn from its seed: what the caller does, what the model says, how long all takes, "
        "and what goes wrong on the line, at the providers and in the bot's own code. The bot's recogniser, model and "
        "voice are replaced by scripted ones; the rest of it runs, its tools too. Exit status 1 when something that "
        "must hold of every call does not.",
    )
    command.add_argument("bot", help="a bot file with bot(call) -> Pipeline")
    command.add_argument("--calls", type=_count, default=CALLS, metavar="N", help=f"how many (default: {CALLS})")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="of the first call (default: 0)")
    command.add_argument("--jobs", type=_count, metavar="J", help="processes (default: one for each core)")
    command.add_argument("--keep", metavar="0,3,7", help="one call, of the seed, with these items alone")
    command.add_argument("--case", metavar="FILE", help="one call, kept in a file by an earlier run")
    command.add_argument(
        "--only",
        metavar="KINDS",
        help="draw these alone, beside the caller: model, bot, latency, line, provider, stall, code",
    )
    command.add_argument(
        "--max-failures",
        type=_count,
        default=FAILURES,
        metavar="K",
        help=f"stop after so many different failures (default: {FAILURES})",
    )
    command.add_argument(
        "--artifacts",
        default=".voiceloop",
        metavar="DIR",
        help="where the shortest calls are kept (default: .voiceloop)",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, got {text}")
    return number
