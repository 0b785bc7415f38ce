"""Twilio's account, and where the calls of its numbers go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from voiceloop.doctor.finding import Finding
from voiceloop.errors import VoiceloopError
from voiceloop.twilio.rest import PhoneNumber, TwilioREST

__all__ = ["check_account"]

_WHERE: Final = "in Twilio's console, Phone Numbers > Manage > Active numbers > the number > Voice"


async def check_account(base: str, number: str = "") -> AsyncIterator[Finding]:
    """Twilio's account, and where the calls of its numbers go.

    Args:
        base: what stands before ``/voice`` where the bot is served; empty when that is not known.
        number: the one to look at (E.164); empty: it is enough that one of the account's leads there.
    """
    loop = asyncio.get_running_loop()
    try:
        async with TwilioREST() as rest:
            began = loop.time()
            account = await rest.check()
            yield Finding("Twilio account", "ok", account.name or account.sid, loop.time() - began)
            if account.trial:
                text = "a trial: callers hear a notice first, and only verified numbers can be called"
                yield Finding("Twilio account", "warning", text)
            one = await rest.number(number) if number else None
            numbers = [one] if one is not None else [] if number else await rest.numbers()
    except VoiceloopError as error:
        yield Finding("Twilio account", "wrong", str(error))
        return
    if not numbers:
        missing = f"the account has no number {number}" if number else "the account has no number"
        yield Finding("Twilio number", "wrong", f"{missing}: get one in the console, Phone Numbers > Buy a number")
    for finding in _numbers(numbers, f"{base}/voice" if base else ""):
        yield finding


def _numbers(numbers: list[PhoneNumber], wanted: str) -> list[Finding]:
    """What is to be said about them. Other numbers of an account may serve others."""
    found = [_number(each, wanted) for each in numbers]
    if len(found) > 1 and any(each.state == "ok" for each in found):
        return [each for each in found if each.state == "ok"]
    return found


def _number(number: PhoneNumber, wanted: str) -> Finding:
    what = f"number {number.number}"
    if not number.voice:
        return Finding(what, "wrong", "it takes no voice calls: get one that does, Phone Numbers > Buy a number")
    if number.goes_elsewhere:
        kind = "SIP trunk" if number.goes_elsewhere.startswith("TK") else "TwiML app"
        text = f"its calls go to the {kind} {number.goes_elsewhere}, whatever its webhook says: choose Webhook {_WHERE}"
        return Finding(what, "wrong", text)
    if not number.voice_url:
        text = f"it has no webhook: set it to {wanted or 'https://…/voice'} {_WHERE}, A call comes in"
        return Finding(what, "wrong", text)
    if not wanted:
        return Finding(what, "ok", f"its calls go to {number.voice_url}")
    if number.voice_url != wanted:
        return Finding(
            what, "wrong", f"its calls go to {number.voice_url}, expected {wanted}: set it {_WHERE}, A call comes in"
        )
    if number.voice_method != "POST":
        text = f"its webhook is asked by HTTP {number.voice_method}, expected HTTP POST: set it {_WHERE}"
        return Finding(what, "wrong", text)
    return Finding(what, "ok", f"its calls go to {number.voice_url}")
