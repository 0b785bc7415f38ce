"""The command ``voiceloop``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from importlib import import_module
from typing import Any, cast

from voiceloop import __version__
from voiceloop.cli.calls import add_calls
from voiceloop.cli.dial_arguments import add_dial
from voiceloop.cli.doctor import add_doctor
from voiceloop.cli.fuzz_arguments import add_fuzz
from voiceloop.cli.inspect_arguments import add_inspect
from voiceloop.cli.models import LLM_FORMS
from voiceloop.cli.new import add_new
from voiceloop.cli.replay import add_replay
from voiceloop.cli.scenario import add_scenario
from voiceloop.cli.serve import add_serve
from voiceloop.cli.sim import CALL, add_sim
from voiceloop.cli.talk import add_talk
from voiceloop.cli.tune_arguments import add_tune
from voiceloop.errors import VoiceloopError
from voiceloop.loopnoise import without_noise
from voiceloop.server.event_loop import open_standard_files, run

__all__ = ["main"]


class _CommandLine(argparse.ArgumentParser):
    """Takes ``sim call`` for one command: behind ``sim`` there may be names of services, and ``call`` is none."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        if words[:2] == CALL.split():
            words[:2] = [CALL]
        return super().parse_known_args(words, namespace)


_command_parser = partial(argparse.ArgumentParser, allow_abbrev=False)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = _CommandLine(prog="voiceloop", description="Phone agents in Python.")
    top.add_argument("--version", action="version", version=f"voiceloop {__version__}")
    commands = top.add_subparsers(
        dest="command",
        metavar="COMMAND",
        required=True,
        parser_class=cast("type[argparse.ArgumentParser]", _command_parser),
    )
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
    demo.add_argument("--record", metavar="FILE", help="where to write a flight recording (.vlog), for replay")
    demo.add_argument("--llm", metavar="MODEL", help=f"a language model instead of the bot's own: {LLM_FORMS}")
    demo.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    demo.add_argument("--verbose", action="store_true", help="log what happens inside")
    add_new(commands)
    add_talk(commands)
    add_serve(commands)
    add_dial(commands)
    add_calls(commands)
    add_doctor(commands)
    add_sim(commands)
    add_fuzz(commands)
    add_replay(commands)
    add_inspect(commands)
    add_scenario(commands)
    add_tune(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.ERROR, format="%(name)s: %(message)s", stream=sys.stderr
    )
    open_standard_files()
    try:
        return run(_run(options)) if _answers(options) else asyncio.run(_run(options))
    except KeyboardInterrupt:
        return 130
    except (VoiceloopError, OSError) as error:
        print(f"voiceloop: {error}", file=sys.stderr)
        return 1


def _answers(options: argparse.Namespace) -> bool:
    """Whether calls are answered in this process, in real time. A supervisor of workers has none."""
    return options.command == "talk" or bool(options.command == "serve" and options.workers <= 1)


async def _run(options: argparse.Namespace) -> int:
    without_noise(asyncio.get_running_loop())
    return await _command(options.command)(options)


def _command(name: str) -> Callable[[argparse.Namespace], Coroutine[Any, Any, int]]:
    """What runs a command. Imported when it is wanted: some need much."""
    module, function = {
        "demo": ("demo", "demo"),
        "new": ("new", "new"),
        "talk": ("talk", "talk"),
        "serve": ("serve", "serve"),
        "dial": ("dial", "dial"),
        "calls": ("calls", "calls"),
        "doctor": ("doctor", "doctor"),
        "sim": ("sim", "sim"),
        CALL: ("sim_call", "sim_call"),
        "fuzz": ("fuzz", "fuzz"),
        "replay": ("replay", "replay_files"),
        "inspect": ("inspect_call", "inspect_file"),
        "scenario": ("scenario", "scenario"),
        "tune": ("tune", "tune_folder"),
    }[name]
    run: Callable[[argparse.Namespace], Coroutine[Any, Any, int]] = getattr(
        import_module(f"voiceloop.cli.{module}"), function
    )
    return run


if __name__ == "__main__":
    sys.exit(main())
