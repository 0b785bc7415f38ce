"""Where a call that is driven again first does something else than it did."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voiceloop.errors import quoted
from voiceloop.flight.entries import PROVIDERS, Entry, Kind
from voiceloop.flight.items import decode_item, from_json

__all__ = ["Difference", "shown"]

WIDTH = 56
"""Characters of a column when two things stand side by side."""


@dataclass(slots=True)
class Difference:
    """The first of them."""

    at: float
    """Seconds since the recording began."""
    what: str
    """In a line."""
    recorded: str
    """What the recording has here."""
    today: str
    """What came instead."""
    before: list[str] = field(default_factory=list)
    """The last things on which both agree."""

    def __str__(self) -> str:
        lines = [f"first difference at {self.at:.3f} s: {self.what}"]
        lines += [f"  both        {line}" for line in self.before]
        left, right = _folded(self.recorded), _folded(self.today)
        lines.append(f"  {'recorded':<{WIDTH}}  today")
        for index in range(max(len(left), len(right))):
            one = left[index] if index < len(left) else ""
            other = right[index] if index < len(right) else ""
            lines.append(f"  {one:<{WIDTH}}  {other}")
        return "\n".join(lines)


def _folded(text: str) -> list[str]:
    folded: list[str] = []
    for line in text.splitlines() or [""]:
        folded += [line[start : start + WIDTH] for start in range(0, max(1, len(line)), WIDTH)]
    return folded[:60]


def shown(entry: Entry, names: dict[int, str]) -> str:
    """An entry in words; `names` are those of the tasks."""
    kind, number = entry.kind, entry.number
    if kind in (Kind.STEP, Kind.DONE):
        what = "goes on" if kind is Kind.STEP else "is over"
        return f"{names.get(number, f'task {number}')} {what}"
    describe: Callable[[Entry], str] | None = _SHOWN.get(kind)
    return (
        describe(entry)
        if describe is not None
        else f"{kind.name.lower().replace('_', ' ')} {quoted(entry.text)}".strip()
    )


def _item(entry: Entry) -> str:
    item = decode_item(entry.content)
    audio = getattr(item, "audio", None)
    value = f"{len(audio)} bytes of voice" if audio is not None else quoted(repr(item))
    return f"{PROVIDERS[entry.number]} gives {value}"


def _note(entry: Entry) -> str:
    note = from_json(entry.content)
    kind = note.pop("k", "note")
    return f"{kind} " + quoted(json.dumps(note, ensure_ascii=False))


_SHOWN: Final[dict[Kind, Callable[[Entry], str]]] = {
    Kind.MEDIA_IN: lambda entry: f"{len(entry.content)} bytes from the caller, timestamp {entry.number} ms",
    Kind.MEDIA_OUT: lambda entry: f"{len(entry.content)} bytes to the caller",
    Kind.MARK_OUT: lambda entry: f"mark {entry.text}",
    Kind.CLEAR_OUT: lambda entry: "clear",
    Kind.ITEM: _item,
    Kind.ENDED: lambda entry: f"{PROVIDERS[entry.number]} has given all {quoted(entry.text)}".rstrip(),
    Kind.REQUEST: lambda entry: f"{PROVIDERS[entry.number]} is asked",
    Kind.TIMER: lambda entry: f"timer {entry.text!r} fires",
    Kind.SPAWN: lambda entry: f"{entry.text} begins",
    Kind.MOMENT: lambda entry: f"the call: {entry.text}",
    Kind.NOTE: _note,
    Kind.SENT: lambda entry: f"of answer {entry.number}",
    Kind.JUDGED: lambda entry: "a window of audio has been judged",
    Kind.VAD: lambda entry: "a window of audio is judged",
    Kind.CANNED: lambda entry: f"speech rendered ahead is {'there' if entry.number else 'not there'}",
}


def side_by_side(recorded: list[str], today: list[str]) -> tuple[str, str]:
    """Two lists of texts, the lines that differ marked."""
    left: list[str] = []
    right: list[str] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=recorded, b=today, autojunk=False).get_opcodes():
        mark = "  " if tag == "equal" else "> "
        one, other = [mark + each for each in recorded[a:b]], [mark + each for each in today[c:d]]
        size = max(len(one), len(other))
        if tag == "equal" and size > 4:
            one = other = [one[0], f"  … {size - 2} more …", one[-1]]
            size = 3
        left += one + [""] * (size - len(one))
        right += other + [""] * (size - len(other))
    return "\n".join(left), "\n".join(right)
