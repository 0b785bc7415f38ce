"""What ``voiceloop dial`` is told."""

from __future__ import annotations

import argparse
from typing import Final

__all__ = ["MACHINE", "add_dial"]

MACHINE: Final = {"ignore": "ignore", "tell": "tell", "hang-up": "hang up", "message": "message"}


def add_dial(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "dial",
        help="call somebody by telephone: the bot talks to them",
        description="Serves the bot, calls a number through Twilio, shows the conversation, and ends with it. The exit "
        "status is 0 when somebody (or a machine) has answered, else 1. It needs what `voiceloop doctor` asks for: "
        "account, token, number, and a public address.",
    )
    command.add_argument("to", metavar="NUMBER", help="whom to call, with the country code: +15550001111")
    command.add_argument("bot", help="a bot file with bot(call) -> Pipeline")
    command.add_argument(
        "--from", dest="from_", metavar="NUMBER", help="number to call from (default: TWILIO_NUMBER, or the only one)"
    )
    command.add_argument(
        "--param", action="append", default=[], metavar="K=V", help="the bot finds it in call.params; may be repeated"
    )
    command.add_argument("--ring", type=int, default=30, metavar="SECONDS", help="let it ring so long (default: 30)")
    command.add_argument(
        "--limit", type=int, default=3600, metavar="SECONDS", help="the call may last so long (default: 3600)"
    )
    command.add_argument(
        "--machine",
        choices=tuple(MACHINE),
        help="what to do when an answering machine answers (default: ignore, or message with --message)",
    )
    command.add_argument("--message", default="", metavar="TEXT", help="left on a machine behind its beep")
    command.add_argument(
        "--wait", action="store_true", help="people wait in silence until it is known that they are no machine"
    )
    command.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all of this machine)")
    command.add_argument("--port", type=int, default=8080, help="to listen on; 0 takes a free one (default: 8080)")
    command.add_argument(
        "--public-url", metavar="URL", help="how Twilio reaches the port (default: VOICELOOP_PUBLIC_URL)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")
