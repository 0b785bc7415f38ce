"""``voiceloop inspect``: shows a recorded call, and says why its turns were slow or cut."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from voiceloop.audio import mulaw
from voiceloop.audio.wav import write_wav
from voiceloop.cli.inspect_rows import rows_of
from voiceloop.cli.table import turn_table
from voiceloop.errors import VoiceloopError, require
from voiceloop.flight.reader import Flight, read_flight
from voiceloop.flight.timeline import report_of, timeline_of
from voiceloop.record.picture import save_picture
from voiceloop.record.png import picture_png
from voiceloop.record.scene import plain, when
from voiceloop.record.timeline import RATE, Timeline
from voiceloop.record.why import Explanation, why
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.report import CallReport
from voiceloop.testing.failure_text import WIDTHS, table

__all__ = ["inspect_file", "inspected"]


_OPEN: Final = {".html": ", to be opened in a browser"}


async def inspect_file(options: argparse.Namespace) -> int:
    """Show it; returns the exit status."""
    return await asyncio.to_thread(_inspect, options)  # it reads and draws


def _inspect(options: argparse.Namespace) -> int:
    flight = read_flight(options.file)
    picture = Path(options.picture) if options.picture else flight.path.with_suffix(".html")
    audio = Path(options.audio) if options.audio else None
    _check(flight, picture, audio)
    timeline, report = timeline_of(flight), report_of(flight)
    files = {"picture": picture, **({"audio": audio} if audio is not None else {})}
    _save_picture(timeline, picture, f"Recorded call: {flight.path.name}")
    if audio is not None:
        _save_audio(timeline, audio)
    if options.json:
        print(json.dumps(inspected(flight, timeline, report) | {name: str(path) for name, path in files.items()}))
        return 0
    print("\n".join(_told(flight, timeline, report)))
    print(f"\nPicture of the call{_OPEN.get(picture.suffix, '')}: {picture}")
    if audio is not None:
        print(f"Both voices, the caller left and the agent right: {audio}")
    return 0


# --- files --------------------------------------------------------------------------------------------------


def _check(flight: Flight, picture: Path, audio: Path | None) -> None:
    """See that nothing is overwritten that must not be, before anything is made."""
    if picture.suffix not in (".html", ".png"):
        raise VoiceloopError(f"--picture takes the name of a file that ends in .html or .png, got {str(picture)!r}")
    if picture.suffix == ".png":
        require("PIL.Image", "picture", "A PNG")
    if audio is not None and audio.suffix != ".wav":
        raise VoiceloopError(f"--audio takes the name of a file that ends in .wav, got {str(audio)!r}")
    if audio is not None and "audio" in flight.redacted:
        raise VoiceloopError(f"the voices were left out of {flight.path} when it was recorded: there is no audio in it")
    for path, option in ((picture, "--picture"), (audio, "--audio")):
        if path is None:
            continue
        folder = path.resolve().parent
        if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
            raise VoiceloopError(f"{path} cannot be written: name a file in a folder that exists with {option}")


def _save_picture(timeline: DetailedTimeline, path: Path, title: str) -> None:
    if path.suffix == ".png":
        picture_png(timeline, path, title=title)
    else:
        save_picture(timeline, path, title=title, audio="audio" not in timeline.redacted)


def _save_audio(timeline: Timeline, path: Path) -> None:
    voices = [mulaw.decode(audio) for audio in (timeline.caller_audio, timeline.agent_audio)]
    both = np.zeros((max(map(len, voices)), 2), dtype=np.int16)
    for channel, voice in enumerate(voices):
        both[: len(voice), channel] = voice
    write_wav(path, both, RATE)


# --- in words -----------------------------------------------------------------------------------------------


def _told(flight: Flight, timeline: DetailedTimeline, report: CallReport | None) -> Iterator[str]:
    yield from _heading(flight, timeline, report)
    yield ""
    width = min(max(shutil.get_terminal_size((100, 24)).columns, WIDTHS[0]), WIDTHS[1])
    yield from table(rows_of(timeline), width)
    turns = timeline.listed
    if turns:
        yield ""
        yield turn_table(turns)
    yield ""
    *told, end = why(timeline, report)
    if not told:
        yield "No turn was slow or cut." if turns else "No turn of the caller's was answered."
    for each in (*told, end):
        yield textwrap.fill(f"- {each.text}", width, subsequent_indent="  ", break_on_hyphens=False)
    if report is not None and report.abandoned:
        yield f"Left behind by the call: {', '.join(plain(name, 100) for name in report.abandoned)}"


def _heading(flight: Flight, timeline: DetailedTimeline, report: CallReport | None) -> Iterator[str]:
    parties = [f"from {plain(timeline.caller, 100)}"] if timeline.caller else []
    parties += [f"to {plain(timeline.number, 100)}"] if timeline.number else []
    yield " ".join([f"Call {plain(timeline.call_id, 100)}", *parties])
    count = len(timeline.listed)
    ended = "the recording breaks off" if report is None else plain(report.reason, 200)
    yield f"{when(timeline)}: {timeline.end:.1f} s, {count} turn{'' if count == 1 else 's'}, {ended}"
    providers = ", ".join(f"{kind} {plain(name, 100)}" for kind, name in timeline.providers.items())
    yield f"recorded by voiceloop {plain(str(flight.header.get('voiceloop', '')), 50)}: {providers}"
    if timeline.redacted:
        yield f"Left out of the recording: {' and '.join(timeline.redacted)}."
    if flight.torn:
        yield f"The last {flight.torn} bytes of the file are no whole block and are not read."


# --- as JSON ------------------------------------------------------------------------------------------------


def inspected(flight: Flight, timeline: DetailedTimeline, report: CallReport | None) -> dict[str, Any]:
    """All of it as plain values."""
    told: list[Explanation] = why(timeline, report)
    values = timeline.as_dict()
    del values["unfinished"], values["listed"]
    return {
        "file": str(flight.path),
        "torn": flight.torn,
        "report": flight.report,
        "why": [each.as_dict() for each in told],
        "timeline": values,
    }
