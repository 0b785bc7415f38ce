"""``voiceloop sim call``: a simulated caller rings a bot that is served."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any, Final

from voiceloop.cli.conversing import line_of
from voiceloop.cli.outcome import Files, Show
from voiceloop.cli.ring import ringing, webhook
from voiceloop.errors import VoiceloopError

__all__ = ["sim_call"]

_MOST_PATIENT: Final = 60.0
"""Seconds, at most, of ``--patience``."""
_TALK: Final = {"said", "pressed", "heard"}
"""Events that are the conversation."""


async def sim_call(options: argparse.Namespace) -> int:
    """Ring, and show how it goes; returns the exit status.

    Raises:
        VoiceloopError: nothing listens, or it refuses; a recording cannot be read, or written.
    """
    recording = Files(options.recording, None).recording
    webhook(options.url)
    if not 0 <= options.patience <= _MOST_PATIENT:
        raise VoiceloopError(f"expected --patience from 0 to {_MOST_PATIENT:g} seconds, got {options.patience:g}")
    order = {"lines": _lines(options), "patience": options.patience}
    show = Show(quiet=options.json)
    events: list[dict[str, Any]] = []

    async def tell(event: dict[str, Any]) -> None:
        events.append(event)
        _show(event, events, show)

    async with ringing(options, show) as (line, url):
        await line.ring({"url": url, **order}, tell)
        call = next((event["call"] for event in events if "call" in event), "")
        recorded = await line.recording(call)
    if recorded:
        await asyncio.to_thread(recording.write_bytes, recorded)
    return _end(events, recording if recorded else None, line.refused, show, as_json=options.json)


def _lines(options: argparse.Namespace) -> list[dict[str, Any]]:
    from voiceloop.audio.mulaw import encode
    from voiceloop.audio.resample import resample, to_int16
    from voiceloop.audio.wav import WavError, read_wav

    lines: list[dict[str, Any]] = []
    for kind, value in options.lines or ():
        if kind == "says":
            line = line_of(value.removeprefix("-").strip(), value.startswith("-"))
            lines.append({"shown": line.shown, "over": line.over})
            continue
        found = read_wav(value)
        if not found.seconds:
            raise WavError(f"{value} holds no sound: expected a recording of the caller")
        audio = encode(to_int16(resample(found.samples, found.rate, 8000)))
        lines.append({"shown": f"({Path(value).name})", "audio": base64.b64encode(audio).decode()})
    return lines


def _show(event: dict[str, Any], events: list[dict[str, Any]], show: Show) -> None:
    if "rings" in event:
        show.line("The phone rings.")
    elif "said" in event:
        show.line(f"  caller: {event['said']}")
    elif "pressed" in event:
        show.line(f"  caller: (presses {event['pressed']})")
    elif "heard" in event:
        after = f"  [{event['after']:.2f} s]" if event.get("after") is not None else ""
        cut = "  [cut]" if event.get("cut") else ""
        show.line(f"  agent:  {event['heard'] or '(nothing that could be understood)'}{after}{cut}")
    elif "silent" in event:
        show.line(f"  agent:  (silent for {event['silent']:g} s)")
    elif "cut_off" in event:
        show.line("The line was cut; the call comes back.")
    elif "transferred" in event:
        show.line(f"Transferred to {event['transferred']}.")
    elif "over" in event and any(_TALK & each.keys() for each in events):  # or only the error is told
        show.line(f"The call ended: {event['over']}.")


def _end(events: list[dict[str, Any]], recording: Path | None, refused: str, show: Show, *, as_json: bool) -> int:
    failed = next((event for event in events if "failed" in event), None)
    over = next((event["over"] for event in events if "over" in event), "")
    if as_json:
        result = {
            "conversation": [event for event in events if _TALK & event.keys()],
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
        print(f"voiceloop: {failed['failed']}{_hint(failed['alerts'], refused)}", file=sys.stderr)
    return 1 if failed is not None or not over else 0


def _hint(alerts: list[str], refused: str) -> str:
    """What to do, where a code of Twilio's tells."""
    said = " ".join(alerts)
    if "HTTP 403" in said:
        return f"\n{refused}"
    if "HTTP 5" not in said and ("11200" in said or "11210" in said):
        return "\nIs the bot served there?"
    return "\nLook at the terminal of the bot."
