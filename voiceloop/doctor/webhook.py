"""The number and its webhook: whether a call that is made now would reach the bot."""

from __future__ import annotations

import asyncio
import os
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from voiceloop import wallclock
from voiceloop.doctor.finding import Finding
from voiceloop.errors import VoiceloopError
from voiceloop.twilio.rest import PhoneNumber, TwilioREST

__all__ = ["check_account", "check_public_url"]

LIMIT = 10.0
SKEW = 30.0
"""Seconds by which the machine's clock may differ from a server's: signatures and tokens are timed."""
_UNSIGNED = {"CallSid": "CA" + "0" * 32, "From": "+15005550006", "To": "+15005550006"}


async def check_account(public_url: str, number: str = "") -> list[Finding]:
    """Twilio's account, and where the calls of its numbers go.

    Args:
        public_url: where the bot is served; empty when that is not known yet.
        number: the one to look at; empty for all of the account.
    """
    found: list[Finding] = []
    loop = asyncio.get_running_loop()
    try:
        async with TwilioREST() as rest:
            began = loop.time()
            account = await rest.check()
            found.append(Finding("Twilio account", "ok", account.name or account.sid, loop.time() - began))
            if account.trial:
                text = "a trial: callers hear a notice first, and only verified numbers can be called"
                found.append(Finding("Twilio account", "warning", text))
            one = await rest.number(number) if number else None
            numbers = [one] if one is not None else [] if number else await rest.numbers()
    except VoiceloopError as error:
        return [*found, Finding("Twilio account", "wrong", str(error))]
    if not numbers:
        missing = f"the account has no number {number}" if number else "the account has no number"
        return [*found, Finding("Twilio number", "wrong", f"{missing}: get one in the console, Phone Numbers > Buy")]
    return found + [_check_number(each, public_url) for each in numbers]


def _check_number(number: PhoneNumber, public_url: str) -> Finding:
    what = f"number {number.number}"
    goes = number.voice_url or "nowhere"
    if not number.voice:
        return Finding(what, "warning", "it takes no voice calls")
    if number.goes_elsewhere:
        return Finding(what, "warning", f"its calls go to {number.goes_elsewhere}, whatever its webhook says")
    if not public_url:
        return Finding(what, "ok" if number.voice_url else "warning", f"its calls go to {goes}")
    wanted = f"{public_url.rstrip('/')}/voice"
    if number.voice_url != wanted:
        mend = "set it in the console: Phone Numbers > the number > Voice > A call comes in"
        return Finding(what, "wrong", f"its calls go to {goes}, expected {wanted}; {mend}")
    if number.voice_method != "POST":
        text = f"its webhook is asked by {number.voice_method}, expected POST: set it in the console"
        return Finding(what, "wrong", text)
    return Finding(what, "ok", f"its calls go to {goes}")


async def check_public_url(public_url: str) -> list[Finding]:
    """Whether the bot answers there, refuses what Twilio has not signed, and agrees with us on the time."""
    try:
        url = URL(public_url)
    except ValueError:
        url = URL()
    nearby = os.environ.get("TWILIO_BASE_URL", "") != ""  # the simulator's: it speaks http, as Twilio may not
    if not url.host or url.scheme not in ("http", "https"):
        text = f"expected an address such as https://agent.example.com, got {public_url!r}"
        return [Finding("public URL", "wrong", text)]
    if url.scheme != "https" and not nearby:
        text = f"{public_url} is http: Twilio opens the media stream by wss:// only, so put https in front"
        return [Finding("public URL", "wrong", text)]
    timeout = aiohttp.ClientTimeout(total=LIMIT)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            return await _look(session, url)
    except TimeoutError:
        text = f"{public_url} did not answer within {LIMIT:g} s"
    except (aiohttp.ClientError, OSError) as error:
        text = f"{public_url} cannot be reached: {error}"
    return [Finding("public URL", "wrong", f"{text}; is the bot running there?")]


async def _look(session: aiohttp.ClientSession, url: URL) -> list[Finding]:
    began = asyncio.get_running_loop().time()
    async with session.get(url / "healthz", allow_redirects=False) as response:
        took = asyncio.get_running_loop().time() - began
        date = response.headers.get("Date", "")
        if response.status != 200:
            text = f"GET {url / 'healthz'} gave status {response.status}: is voiceloop behind this address?"
            return [Finding("public URL", "wrong", text)]
    found = [Finding("public URL", "ok", f"{url} answers", took), *_skew(date)]
    async with session.post(url / "voice", data=_UNSIGNED, allow_redirects=False) as response:
        if response.status == 403:
            found.append(Finding("signature check", "ok", "a webhook that Twilio has not signed is refused"))
        else:
            text = f"a webhook without a signature gave status {response.status}, expected 403: anybody can start calls"
            found.append(Finding("signature check", "wrong", text))
    return found


def _skew(date: str) -> list[Finding]:
    try:
        skew = wallclock.unix() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return []
    if abs(skew) <= SKEW:
        return [Finding("clock", "ok", f"within {SKEW:g} s of the server's")]
    text = f"this machine's clock differs by {skew:.0f} s from the server's: tokens will be refused; let NTP set it"
    return [Finding("clock", "wrong", text)]
