"""``voiceloop doctor``: whether a bot can take calls, and what to mend when it cannot."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from voiceloop.cli.load import example, load_bot
from voiceloop.cli.prepare import providers
from voiceloop.doctor.finding import Finding
from voiceloop.doctor.providers import check_provider
from voiceloop.doctor.versions import check_versions
from voiceloop.errors import MissingExtra, VoiceloopError
from voiceloop.llm.base import LLM
from voiceloop.stt.base import STT
from voiceloop.tts.base import TTS

__all__ = ["add_doctor", "doctor"]


def add_doctor(commands: Any) -> None:
    """Add the command to those of ``voiceloop``."""
    command = commands.add_parser(
        "doctor",
        help="check keys, services, versions and the webhook, and say what to mend",
        description="Asks every provider of a bot for a little work (a fraction of a cent), looks at the Twilio "
        "account and at the webhook of its number. Exit status 1 when something is wrong.",
    )
    command.add_argument("bot", nargs="?", help="a bot file (default: the Twilio bot: Google, Anthropic, Cartesia)")
    command.add_argument("--public-url", metavar="URL", help="where the bot is served (default: VOICELOOP_PUBLIC_URL)")
    command.add_argument("--number", default="", help="the number to look at (default: all of the account)")
    command.add_argument("--no-twilio", action="store_true", help="leave the account and the webhook out")
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    command.add_argument("--verbose", action="store_true", help="log what happens inside")


async def doctor(options: argparse.Namespace) -> int:
    """Look at everything; returns the exit status."""
    found: list[Finding] = []

    def tell(*findings: Finding) -> None:
        found.extend(findings)
        if not options.json:
            for finding in findings:
                print(finding.line(), flush=True)

    tell(*check_versions())
    await _check_bot(options.bot, tell)
    if not options.no_twilio:
        await _check_phone(options, tell)
    wrong = sum(finding.state == "wrong" for finding in found)
    if options.json:
        print(json.dumps({"wrong": wrong, "findings": [finding.as_dict() for finding in found]}, indent=2))
    else:
        print(f"\n{wrong} to mend." if wrong else "\nAll is well.")
    return 1 if wrong else 0


async def _check_bot(path: str | None, tell: Any) -> None:
    try:
        module = load_bot(path or example("twilio_bot.py"))
    except VoiceloopError as error:
        kind = "extra" if isinstance(error, MissingExtra) else "bot file"
        tell(Finding(kind, "wrong", str(error)))
        return
    asked = [each for each in providers(module) if isinstance(each, STT | LLM | TTS)]
    if not asked:
        tell(Finding("bot file", "warning", "it builds no provider at its top level, so none could be tried"))
    for provider in asked:
        tell(await check_provider(provider))


async def _check_phone(options: argparse.Namespace, tell: Any) -> None:
    from voiceloop.doctor.webhook import check_account, check_public_url

    public_url = options.public_url or os.environ.get("VOICELOOP_PUBLIC_URL", "")
    tell(*await check_account(public_url, options.number))
    if public_url:
        tell(*await check_public_url(public_url))
    else:
        text = "not given, so the webhook was not tried: --public-url https://…, or VOICELOOP_PUBLIC_URL"
        tell(Finding("public URL", "skipped", text))
