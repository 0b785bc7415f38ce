"""The command ``voiceloop``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from voiceloop import __version__
from voiceloop.cli.doctor import add_doctor
from voiceloop.cli.models import LLM_FORMS
from voiceloop.cli.talk import add_talk
from voiceloop.errors import VoiceloopError

__all__ = ["main"]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="voiceloop", description="Phone agents in Python.")
    top.add_argument("--version", action="version", version=f"voiceloop {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="make a whole phone call on embedded models: no key, no account, no phone",
        description="An agent (the coffee bar's, or your own) answers a call over a real socket. You see the "
        "conversation, then what each wait was made of, and get a stereo recording: the caller left, the agent right.",
    )
    demo.add_argument("bot", nargs="?", help="a bot file with bot(call) -> Pipeline (default: the coffee bar)")
    demo.add_argument("--caller", nargs="+", metavar="FILE", help="recordings (WAV) that the caller plays, in order")
    demo.add_argument("--says", nargs="+", metavar="TEXT", help="what the caller says, in order, in the embedded voice")
    demo.add_argument("--seed", type=int, default=0, help="of what the caller orders (default: 0)")
    demo.add_argument("--recording", default="voiceloop-demo.wav", metavar="FILE", help="where to write the recording")
    demo.add_argument(
        "--picture", metavar="FILE", help="where to write its picture, .html or .png (default: beside it)"
    )
    demo.add_argument("--llm", metavar="MODEL", help=f"a language model instead of the bot's own: {LLM_FORMS}")
    demo.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    demo.add_argument("--verbose", action="store_true", help="log what happens inside")
    add_talk(commands)
    add_doctor(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.ERROR, format="%(name)s: %(message)s", stream=sys.stderr
    )
    try:
        run: Callable[[argparse.Namespace], Coroutine[Any, Any, int]]
        if options.command == "talk":
            from voiceloop.cli.talk import talk as run
        elif options.command == "doctor":
            from voiceloop.cli.doctor import doctor as run
        else:
            from voiceloop.cli.demo import demo as run
        return asyncio.run(run(options))
    except KeyboardInterrupt:
        return 130
    except (VoiceloopError, OSError) as error:
        print(f"voiceloop: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
