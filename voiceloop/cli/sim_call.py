"""``voiceloop sim call``: a simulated caller rings a bot that is served."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from voiceloop.cli.outcome import Files, Show
from voiceloop.cli.sim import EXCHANGE, EXCHANGE_VARIABLE
from voiceloop.errors import VoiceloopError

__all__ = ["sim_call"]

_MAX_LINE: Final = 1024 * 1024
_MOST_PATIENT: Final = 60.0
"""Seconds, at most, of ``--patience``."""
_QUIET: Final = 120.0
"""Seconds in which the exchange has nothing to tell."""


async def sim_call(options: argparse.Namespace) -> int:
    """Ring, and show how it goes; returns the exit status.

    Raises:
        VoiceloopError: there is no exchange, or it refuses; a recording cannot be read, or written.
    """
    recording = Files(options.recording, None).recording
    exchange = options.exchange or os.environ.get(EXCHANGE_VARIABLE, "") or EXCHANGE
    if not 0 <= options.patience <= _MOST_PATIENT:
        raise VoiceloopError(f"expected --patience from 0 to {_MOST_PATIENT:g} seconds, got {options.patience:g}")
    order = {"url": _webhook(options.url), "lines": _lines(options), "patience": options.patience}
    show = Show(quiet=options.json)
    events: list[dict[str, Any]] = []
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_QUIET)
    try:
        async with aiohttp.ClientSession(exchange, timeout=timeout, read_bufsize=_MAX_LINE) as session:
            async for event in _ring(session, order, show):
                events.append(event)
                _show(event, events, show)
            recorded = await _recorded(session, events)
    except aiohttp.ClientConnectorError:
        raise VoiceloopError(f"nothing listens at {exchange}: start `voiceloop sim` in another terminal") from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise VoiceloopError(f"{exchange}: {str(error) or type(error).__name__}") from None
    if recorded:
        await asyncio.to_thread(recording.write_bytes, recorded)
    return _end(events, recording if recorded else None, show, as_json=options.json)


def _webhook(url: str | None) -> str:
    """Where to ring; an address without a path is that of the server."""
    if not url:
        return ""
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise VoiceloopError(f"expected the webhook of a bot, like http://127.0.0.1:8080/voice, got {url!r}")
    return str(parsed / "voice") if parsed.path in ("", "/") else url


def _lines(options: argparse.Namespace) -> list[dict[str, Any]]:
    from voiceloop.audio.mulaw import encode
    from voiceloop.audio.resample import resample, to_int16
    from voiceloop.audio.wav import WavError, read_wav

    lines: list[dict[str, Any]] = []
    for kind, value in options.lines or ():
        if kind == "says":
            lines.append({"shown": value.removeprefix("-").strip(), "over": value.startswith("-")})
            continue
        found = read_wav(value)
        if not found.seconds:
            raise WavError(f"{value} holds no sound: expected a recording of the caller")
        audio = encode(to_int16(resample(found.samples, found.rate, 8000)))
        lines.append({"shown": f"({Path(value).name})", "audio": base64.b64encode(audio).decode()})
    return lines


async def _ring(session: aiohttp.ClientSession, order: dict[str, Any], show: Show) -> AsyncIterator[dict[str, Any]]:
    async with session.post("/calls", json=order) as response:
        if response.status != 200:
            raise VoiceloopError((await response.text()).strip()[:500] or f"status {response.status}")
        show.line("The phone rings.")
        async for line in response.content:
            yield json.loads(line)


async def _recorded(session: aiohttp.ClientSession, events: list[dict[str, Any]]) -> bytes:
    call = next((event["call"] for event in events if "call" in event), "")
    async with session.get(f"/calls/{call}.wav") as response:
        return await response.read() if response.status == 200 else b""


def _show(event: dict[str, Any], events: list[dict[str, Any]], show: Show) -> None:
    if "said" in event:
        show.line(f"  caller: {event['said']}")
    elif "heard" in event:
        after = f"  [{event['after']:.2f} s]" if event.get("after") is not None else ""
        cut = "  [cut]" if event.get("cut") else ""
        show.line(f"  agent:  {event['heard'] or '(nothing that could be understood)'}{after}{cut}")
    elif "transferred" in event:
        show.line(f"Transferred to {event['transferred']}.")
    elif "over" in event and any("said" in each or "heard" in each for each in events):  # or only the error is told
        show.line(f"The call ended: {event['over']}.")


def _end(events: list[dict[str, Any]], recording: Path | None, show: Show, *, as_json: bool) -> int:
    failed = next((event for event in events if "failed" in event), None)
    over = next((event["over"] for event in events if "over" in event), "")
    if as_json:
        result = {
            "conversation": [event for event in events if "said" in event or "heard" in event],
            "transferred": next((event["transferred"] for event in events if "transferred" in event), None),
            "over": over,
            "failed": failed["failed"] if failed else None,
            "alerts": failed["alerts"] if failed else [],
            "recording": str(recording) if recording else None,
        }
        print(json.dumps(result, indent=2))
    if recording is not None:
        show.line(f"Recording, caller left and agent right: {recording}")
    if failed is not None:
        print(f"voiceloop: {failed['failed']}{_hint(failed['alerts'])}", file=sys.stderr)
    return 1 if failed is not None or not over else 0


def _hint(alerts: list[str]) -> str:
    """What to do, where a code of Twilio's tells."""
    said = " ".join(alerts)
    if "HTTP 403" in said:
        return (
            "\nThe bot does not take it for Twilio's: its VOICELOOP_PUBLIC_URL must be what stands before /voice in "
            "the URL, and its TWILIO_AUTH_TOKEN the one that `voiceloop sim` has printed."
        )
    return "\nIs the bot served there?" if "11200" in said or "11210" in said else ""
