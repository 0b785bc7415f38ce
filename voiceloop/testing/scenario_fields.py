"""What may stand in a field of a scenario file: texts, times, numbers, choices; and the error when it is not that."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from voiceloop.errors import quoted
from voiceloop.testing.scenario_source import Node, Place, Source, Wrong

__all__ = [
    "Fields",
    "choice",
    "count",
    "each",
    "entries",
    "flag",
    "listed",
    "name_of",
    "nearest",
    "number",
    "one_or_more",
    "ratio",
    "seconds",
    "text",
    "value",
]

T = TypeVar("T")
Read = Callable[[Node], T]

MAX_TEXT: Final = 2000
"""Characters of a text."""
MAX_SECONDS: Final = 3600.0
"""Of any time: a call in virtual time lasts an hour at most."""
MAX_LIST: Final = 200
"""Entries of a list."""
_NO_LIST: Final = "expected a list of {}, each on a line that begins with '- '; got {}"
_SECONDS = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)\s*(ms|milliseconds?|s|sec|seconds?|min|minutes?)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,15})?")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
_YES: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of an error message: the known word that was perhaps meant."""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def name_of(node: Node) -> str:
    """A name as it is looked up: ``Hangs_Up`` and ``hangs-up`` are ``hangs up``."""
    return " ".join(re.split(r"[\s_-]+", node.text.strip().lower()))


# --- one value ----------------------------------------------------------------------------------------------


def text(node: Node) -> str:
    """A text that is not empty. ``yes``, ``12:30`` and ``007`` are what is written."""
    if node.kind != "text" or not node.text.strip():
        raise Wrong(node.place, f"expected a text, got {node.shown}")
    if len(node.text) > MAX_TEXT:
        raise Wrong(node.place, f"expected a text of at most {MAX_TEXT} characters, got {len(node.text)}")
    return node.text.strip()


def seconds(node: Node) -> float:
    """A time: ``1.5``, ``300 ms``, ``2 minutes``."""
    found = _SECONDS.fullmatch(node.text.strip()) if node.kind == "text" else None
    if found is None:
        raise Wrong(node.place, f"expected a time in seconds, such as 1.5 or 300 ms, got {node.shown}{_comma(node)}")
    unit = (found[2] or "s").lower()
    time = float(found[1]) * (0.001 if unit.startswith(("ms", "milli")) else 60 if unit.startswith("min") else 1)
    if time > MAX_SECONDS:
        raise Wrong(node.place, f"expected at most {MAX_SECONDS:g} seconds, got {node.shown}")
    return time


def number(node: Node) -> float:
    """A number above 0."""
    if node.kind != "text" or not _NUMBER.fullmatch(node.text.strip()) or float(node.text) <= 0:
        raise Wrong(node.place, f"expected a number above 0, such as 40, got {node.shown}{_comma(node)}")
    return float(node.text)


def ratio(node: Node) -> float:
    """A number from 0 to 1."""
    if node.kind != "text" or not _NUMBER.fullmatch(node.text.strip()) or not 0 <= float(node.text) <= 1:
        raise Wrong(node.place, f"expected a number from 0 to 1, such as 0.05, got {node.shown}{_comma(node)}")
    return float(node.text)


def count(node: Node) -> int:
    """A whole number from 0."""
    if node.kind != "text" or not re.fullmatch(r"\d{1,9}", node.text.strip()):
        raise Wrong(node.place, f"expected a whole number, such as 2, got {node.shown}")
    return int(node.text)


def flag(node: Node) -> bool:
    """``yes`` or ``no``."""
    found = _YES.get(node.text.strip().lower()) if node.kind == "text" else None
    if found is None:
        raise Wrong(node.place, f"expected yes or no, got {node.shown}")
    return found


def choice(known: Mapping[str, T], what: str) -> Read[T]:
    """One of these words."""

    def read(node: Node) -> T:
        name = name_of(node) if node.kind == "text" else ""
        if name not in known:
            raise Wrong(node.place, f"expected {what}: {', '.join(known)}; got {node.shown}{nearest(name, known)}")
        return known[name]

    return read


def value(node: Node) -> Any:
    """A value as a tool is given it: text, number, true, false, null, and lists and settings of them.

    Raises `Wrong` for what people and YAML read differently: an unquoted yes, no, on or off.
    """
    if node.kind == "list":
        return [value(each) for each in node.items]
    if node.kind == "mapping":
        return {name: value(each) for name, each in entries(node).items()}
    if node.quoted:
        return node.text
    plain = node.text.strip()
    if plain in ("true", "false", "null", "~", ""):
        return {"true": True, "false": False}.get(plain)
    if plain.lower() in _YES:
        meant = "true" if _YES[plain.lower()] else "false"
        raise Wrong(node.place, f'{plain} could be a text or a truth: write "{plain}" in quotes, or {meant}')
    if _JSON_NUMBER.fullmatch(plain):
        return float(plain) if "." in plain else int(plain)
    return node.text


def entries(node: Node) -> dict[str, Node]:
    """A mapping whose names are the author's own. None may be there twice."""
    found: dict[str, Node] = {}
    for name, entry in node.pairs:
        if name.text in found:
            raise Wrong(name.place, f'"{quoted(name.text)}" is here twice')
        found[name.text] = entry
    return found


def _comma(node: Node) -> str:
    return ": write a point, not a comma" if node.kind == "text" and re.search(r"\d,\d", node.text) else ""


# --- several ------------------------------------------------------------------------------------------------


def listed(read: Read[T], what: str) -> Read[tuple[T, ...]]:
    """A list of something; not empty."""

    def read_list(node: Node) -> tuple[T, ...]:
        if node.kind != "list" or not node.items:
            raise Wrong(node.place, _NO_LIST.format(what, node.shown))
        return tuple(read(item) for item in _bounded(node))

    return read_list


def one_or_more(read: Read[T]) -> Read[tuple[T, ...]]:
    """One of something, or a list."""

    def read_any(node: Node) -> tuple[T, ...]:
        if node.kind == "list" and node.items:
            return tuple(read(item) for item in _bounded(node))
        return (read(node),)

    return read_any


def each(source: Source, node: Node, what: str, read: Read[T], most: int = MAX_LIST) -> list[T]:
    """A list of which every entry is read, also behind one that is wrong."""
    found = []
    if node.kind != "list" or not node.items:
        raise Wrong(node.place, _NO_LIST.format(what, node.shown))
    for item in _bounded(node, most):
        try:
            found.append(read(item))
        except Wrong as wrong:
            source.wrong(wrong)
    return found


def _bounded(node: Node, most: int = MAX_LIST) -> Sequence[Node]:
    if len(node.items) > most:
        raise Wrong(node.items[most].place, f"expected at most {most} entries in a list, got {len(node.items)}")
    return node.items


class Fields:
    """The settings of a mapping. What is not known, or there twice, is a problem of the source.

    Args:
        source: gathers the problems.
        node: the mapping.
        what: what it describes, for errors, such as "the line".
        known: names that it may have.
    """

    def __init__(self, source: Source, node: Node, what: str, known: Sequence[str]) -> None:
        self._source = source
        self.node = node
        self._pairs: dict[str, tuple[Node, Node]] = {}
        if node.kind != "mapping":
            raise Wrong(node.place, f"expected settings of {what} ({', '.join(known)}), got {node.shown}")
        for name, entry in node.pairs:
            key = name_of(name)
            if key not in known:
                hint = nearest(key, known) or (": write a point, not a comma" if key.isdigit() else "")
                message = f'"{quoted(name.text)}" is no setting of {what}: expected {", ".join(known)}{hint}'
                source.wrong(Wrong(name.place, message))
            elif key in self._pairs:
                first = self._pairs[key][0].place.line
                source.wrong(Wrong(name.place, f'"{key}" is here twice: it stands in line {first}, too'))
            else:
                self._pairs[key] = (name, entry)

    def __contains__(self, name: str) -> bool:
        return name in self._pairs

    def place(self, name: str) -> Place:
        """Where a setting stands that is there."""
        return self._pairs[name][0].place

    def entry(self, name: str) -> Node | None:
        """What stands behind a name."""
        return self._pairs[name][1] if name in self._pairs else None

    def get(self, name: str, read: Read[T], default: T) -> T:
        """What a setting says, or the default when it is not there; then, too, when it is wrong, which is kept."""
        if name not in self._pairs:
            return default
        try:
            return read(self._pairs[name][1])
        except Wrong as wrong:
            self._source.wrong(wrong)
            return default

    def need(self, name: str, read: Read[T], why: str) -> T:
        """What a setting says that must be there. Raises `Wrong`."""
        if name not in self._pairs:
            raise Wrong(self.node.place, why)
        return read(self._pairs[name][1])
