"""The clock of this machine: tokens are signed with its time, and refused when it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from voiceloop import wallclock
from voiceloop.doctor.finding import Finding

__all__ = ["check_clock"]

LIMIT: Final = 5.0
"""Seconds for a server to tell the time."""
SKEW: Final = 30.0
"""Seconds by which the clock may differ. Google's client allows for 20 s, its service for some minutes."""


async def check_clock(servers: Sequence[str]) -> Finding:
    """Compare this machine's clock with the ``Date`` that a server tells: the first one that does."""
    timeout = aiohttp.ClientTimeout(total=LIMIT)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        for server in servers:
            try:
                async with session.get(server, allow_redirects=False) as response:
                    date = parsedate_to_datetime(response.headers.get("Date", ""))
            except (aiohttp.ClientError, OSError, ValueError):
                continue
            return _judged(wallclock.unix() - date.timestamp())
    return Finding("clock", "skipped", "no server could be asked for the time")


def _judged(skew: float) -> Finding:
    if abs(skew) <= SKEW:
        return Finding("clock", "ok", f"within {SKEW:g} s of a server's")
    text = (
        f"this machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}: tokens that are signed here, "
        "such as Google's, will be refused. Have it set by NTP (timedatectl set-ntp true)"
    )
    return Finding("clock", "wrong", text)
