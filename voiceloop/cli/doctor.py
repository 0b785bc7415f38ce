"""``voiceloop doctor``: whether a bot can take calls, and what to mend when it cannot."""

from __future__ import annotations

import argparse
import json
from typing import Any

from voiceloop.cli.load import example, load_bot
from voiceloop.cli.prepare import providers
from voiceloop.doctor.examine import Request, examine
from voiceloop.doctor.finding import Finding
from voiceloop.errors import MissingExtra, VoiceloopError

__all__ = ["add_doctor", "doctor"]


def add_doctor(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "doctor",
        help="check versions, keys, services, number and webhook, and say what to mend",
        description="Asks every provider of a bot for a little work (a fraction of a cent), looks at the Twilio "
        "account, at the webhook of its number and at the public URL. Exit status 1 when something is wrong.",
    )
    command.add_argument("bot", nargs="?", help="a bot file (default: the Twilio bot: Google, Anthropic, Cartesia)")
    command.add_argument("--public-url", metavar="URL", help="where the bot is served (default: VOICELOOP_PUBLIC_URL)")
    command.add_argument("--number", default="", help="the number to look at (default: all of the account)")
    command.add_argument("--no-twilio", action="store_true", help="leave account, number and public URL out")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")


async def doctor(options: argparse.Namespace) -> int:
    """Look at everything; returns the exit status."""
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        if not options.json:
            print(finding.line(), flush=True)

    module = None
    try:
        module = load_bot(options.bot or example("twilio_bot.py"))
    except VoiceloopError as error:
        tell(Finding("extra" if isinstance(error, MissingExtra) else "bot file", "wrong", str(error)))
    request = Request(
        module=module,
        providers=tuple(providers(module)) if module is not None else (),
        twilio=not options.no_twilio,
        public_url=options.public_url,
        number=options.number,
    )
    async for finding in examine(request):
        tell(finding)
    wrong = sum(finding.state == "wrong" for finding in found)
    if options.json:
        print(json.dumps({"wrong": wrong, "findings": [finding.as_dict() for finding in found]}, indent=2))
    else:
        print(f"\n{wrong} to mend." if wrong else "\nAll is well.")
    return 1 if wrong else 0
