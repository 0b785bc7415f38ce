"""A call as a table for a terminal: what a failing test prints."""

from __future__ import annotations

import re
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path

import voiceloop
from voiceloop.record.scene import plain
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.failure_rows import Row, report_of, rows

__all__ = ["WIDTHS", "call_text", "heading", "table", "told"]

WIDTHS = (80, 140)
"""Columns of a terminal, at least and at most, that a table is made for."""
ROWS = 200
"""Rows shown; in a longer call those in the middle are left out."""
TRACE = 15
"""Lines shown of the traceback of a fault."""
TRACES = 3
"""Faults of which a traceback is shown."""
UNFINISHED = 12
"""Things shown that were going on when the test failed."""
_TIME = 8  # columns
_FRAME = re.compile(r'  File "(.*)", line \d+')
_HOMES = (Path(voiceloop.__file__).parent, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")))


def call_text(dialled: Dialled, timeline: Timeline | None, report: CallReport | None, width: int = 100) -> str:
    """What is told of a call: a line of facts, the table, then what went wrong and what was left unfinished."""
    if timeline is None or report is None:
        return f"The bot {dialled.name} never took the call; the line: {dialled.carrier.end or 'open'}.\n"
    lines = [heading(dialled, report), *table(rows(dialled, timeline), width)]
    lines += _ends(dialled, report)
    traces = [fault for fault in report.faults if fault.detail][:TRACES]
    for fault in traces:
        lines += ["", f"{fault.at:.2f} s, {fault.kind}:"]
        lines += [f"    {line}" for line in _own_frames(fault.detail)[-TRACE:]]
    return "\n".join(lines) + "\n"


def _own_frames(trace: str) -> list[str]:
    """A traceback without the frames of the library, of Python and of packages; as it is, when no others are in it."""
    lines = trace.rstrip().splitlines()
    kept, found, foreign = [], False, False
    for line in lines:
        if place := _FRAME.match(line):
            foreign = any(Path(place[1]).is_relative_to(home) for home in _HOMES)
            found = found or not foreign
        elif not line.startswith("    "):
            foreign = False  # a heading, or what was raised
        if not foreign:
            kept.append(line)
    return kept if found else lines


def heading(dialled: Dialled, report: CallReport) -> str:
    """One line: which bot, how long, how it ended."""
    turns = len(report.turns)
    end = report.reason or "still running"
    if dialled.left is not None and not dialled.over and report.reason:
        end = f"going on when the test failed, then {end}"
    return f"{dialled.name}: {report.duration:.2f} s, {turns} turn{'' if turns == 1 else 's'}, {end}"


def _ends(dialled: Dialled, report: CallReport) -> list[str]:
    lines = []
    marks = dialled.marks
    pending = sum(mark.echoed_at is None for mark in marks)
    if pending:
        lines.append(f"marks: {pending} of {len(marks)} were never echoed")
    if dialled.carrier.errors:
        lines.append(
            "the carrier's errors: " + ", ".join(f"{code} ({n})" for code, n in dialled.carrier.errors.items())
        )
    if report.abandoned:
        lines.append("left behind by the call: " + ", ".join(report.abandoned))
    if dialled.unfinished:
        lines.append(
            "going on when the test failed: " + "; ".join(plain(each, 200) for each in dialled.unfinished[:12])
        )
    return lines


def table(found: list[Row], width: int = 100) -> Iterator[str]:
    """The rows as lines of at most `width` characters: time, caller, agent, and what else happened."""
    width = min(max(width, WIDTHS[0]), WIDTHS[1])
    caller = (width - _TIME) * 27 // 100
    agent = (width - _TIME) * 41 // 100
    columns = (caller, agent, width - _TIME - caller - agent)
    yield _line(" " * 6, ("caller", "agent", ""), columns)
    middle = len(found) - ROWS
    for index, row in enumerate(found):
        if middle > 0 and ROWS // 2 <= index < ROWS // 2 + middle:
            if index == ROWS // 2:
                yield f"        … {middle} rows …"
            continue
        texts = (row.caller, row.agent, row.event)
        wrapped = [_wrap(text, column - 2) for text, column in zip(texts, columns, strict=True)]
        for number in range(max(map(len, wrapped))):
            cells = tuple(lines[number] if number < len(lines) else "" for lines in wrapped)
            yield _line(f"{row.at:6.2f}" if number == 0 else " " * 6, cells, columns)


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _line(time: str, cells: tuple[str, ...], columns: tuple[int, ...]) -> str:
    body = "".join(cell.ljust(column) for cell, column in zip(cells, columns, strict=True))
    return f"{time}  {body}".rstrip()


def told(dialled: Dialled, width: int = 100) -> tuple[str, Timeline | None]:
    """The text of a call and its timeline, for the picture; None when the bot never took it."""
    report = report_of(dialled)
    timeline = None if report is None else dialled.timeline(report)
    return call_text(dialled, timeline, report, width), timeline
