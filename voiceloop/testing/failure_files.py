"""What a failing test leaves beside its report: for each call a picture, a log and the table."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from voiceloop.record.picture import save_picture
from voiceloop.record.timeline import Timeline
from voiceloop.testing.dialled import Dialled

__all__ = ["clear", "event_lines", "folder_for", "forget", "save"]

NAME = 120
"""Characters of a folder's name."""
_PLAIN = re.compile(r"[\w/]+\.py(?:::\w+)+(?:\[[\w.]+\])?|\w+")
"""Ids that their names give back."""
_OURS = ("call-*.html", "call-*.jsonl", "call-*.txt")


def folder_for(base: Path, test: str) -> Path:
    """The folder of a test, by its id within the test run: ``tests/test_shop.py::test_hello[one]``."""
    name = re.sub(r"[^\w.]+", "-", test).strip("-.")
    if len(name) > NAME or _PLAIN.fullmatch(test) is None:  # something was lost
        name = f"{name[:NAME]}-{zlib.crc32(test.encode()):08x}"
    return base / name


def forget(base: Path, test: str) -> None:
    """Take away what an earlier failure of a test left, and its folder unless something else is in it."""
    folder = folder_for(base, test)
    if not folder.is_dir():
        return
    with contextlib.suppress(OSError):
        for pattern in _OURS:
            for old in folder.glob(pattern):
                old.unlink()
        folder.rmdir()


def clear(folder: Path) -> None:
    """Make the folder, and take away what an earlier run left in it.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ignored = folder.parent / ".gitignore"
    if not ignored.exists():
        ignored.write_text("# made by voiceloop: what failing tests leave\n*\n", encoding="utf-8")
    for pattern in _OURS:
        for old in folder.glob(pattern):
            old.unlink()


def save(folder: Path, number: int, dialled: Dialled, text: str, timeline: Timeline | None, title: str) -> list[Path]:
    """Write the files of a call; returns their paths.

    Raises:
        OSError: one cannot be written.
    """
    table = folder / f"call-{number}.txt"
    table.write_text(f"{title}\n\n{text}", encoding="utf-8")
    events = folder / f"call-{number}.jsonl"
    with events.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in event_lines(dialled))
    if timeline is None:
        return [table, events]
    picture = folder / f"call-{number}.html"
    save_picture(timeline, picture, title=title)
    return [picture, events, table]


def event_lines(dialled: Dialled) -> Iterator[str]:
    """The log of both sides as lines of JSON: ``{"at": 1.24, "side": "agent", "kind": "in", "detail": "…"}``.

    ``at`` is in seconds on the loop's clock. ``agent``: every wake-up of the call, and every message sent (see
    `voiceloop.eventlog`). ``carrier``: what came from the agent and went to it (see `voiceloop.sim.truth`).
    """
    events: list[tuple[float, str, str, str | int]] = [
        (entry.at, "carrier", entry.kind, entry.detail) for entry in dialled.carrier.truth.log
    ]
    if dialled.taken and dialled.call.log is not None:
        events += [(at, "agent", kind, detail) for at, kind, detail in dialled.call.log.events]
    events.sort(key=lambda event: event[0])
    for at, side, kind, detail in events:
        yield json.dumps({"at": round(at, 6), "side": side, "kind": kind, "detail": detail}, ensure_ascii=False)
