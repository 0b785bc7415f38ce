"""What a failing test adds to its report: every call as a table, and the paths of what it leaves."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from voiceloop.faults import describe
from voiceloop.testing.book import Book
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.failure_files import clear, folder_for, save
from voiceloop.testing.failure_text import told

__all__ = ["sections", "without_our_log"]

_RECORD = re.compile(r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\s+([\w.]+):\S+\.py:\d+ ", re.MULTILINE)
"""A record in pytest's own format."""


def without_our_log(shown: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sections of a report without a captured log that holds nothing but the library's own: every fault in it stands in
    the table of its call."""
    return [(title, text) for title, text in shown if not (title.startswith("Captured log") and _ours(text))]


def _ours(text: str) -> bool:
    names = _RECORD.findall(text)
    return _RECORD.match(text) is not None and all(name.startswith("voiceloop.") for name in names)


def sections(book: Book, base: Path, test: str, here: Path) -> list[tuple[str, str]]:
    """Headings and texts for the report of a test, one for each call that is kept. Never raises: the test's own
    failure is what matters.

    Args:
        book: the calls of the test.
        base: the folder in which every failing test has one.
        test: its id.
        here: what paths are shown relative to.
    """
    folder = folder_for(base, test)
    try:
        clear(folder)
        unwritable = ""
    except OSError as error:
        unwritable = f"no picture and no log: {error}"
    first = book.made - len(book.calls) + 1
    found = []
    for number, dialled in enumerate(book.calls, first):
        of = f" {number} of {book.made}" if book.made > 1 else ""
        left_out = f" ({first - 1} before it are not kept)" if number == first > 1 else ""
        text = _told(dialled, unwritable, folder, number, f"{test}{f', call{of}' if of else ''}", here)
        found.append((f"voiceloop: call{of}{left_out}", text))
    return found


def _told(dialled: Dialled, unwritable: str, folder: Path, number: int, title: str, here: Path) -> str:
    try:
        text, timeline = told(dialled, shutil.get_terminal_size((100, 24)).columns)
    except Exception as error:
        return f"The call cannot be shown; please report this: {describe(error)[1]}"
    if unwritable:
        return f"{text}{unwritable}\n"
    try:
        files = save(folder, number, dialled, text, timeline, title)
    except OSError as error:
        return f"{text}no picture and no log: {error}\n"
    except Exception as error:
        return f"{text}no picture: {describe(error)[1]}"
    return text + "".join(f"{_kind(path)}: {_shown(path, here)}\n" for path in files if path.suffix != ".txt")


def _kind(path: Path) -> str:
    return {".html": "picture", ".jsonl": "events"}[path.suffix]


def _shown(path: Path, here: Path) -> str:
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
