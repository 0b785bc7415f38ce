"""The text of a scenario file as nodes that know where they stand. YAML, without what makes YAML dangerous.

Nothing is made of the values here: ``yes``, ``007`` and ``12:30`` stay the text that was written, and whoever reads a
field says what it takes them for. Tags, anchors and aliases are refused: they could build objects, or a file of a few
lines that unfolds to millions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from voiceloop.errors import VoiceloopError, quoted, require

__all__ = ["Node", "Place", "Problem", "ScenarioError", "Source", "Wrong"]

MAX_BYTES: Final = 256 * 1024
"""Of a file."""
MAX_DEPTH: Final = 12
"""Of lists and settings within each other."""
MAX_NODES: Final = 20_000
"""Texts, lists and settings in a file."""
MAX_PROBLEMS: Final = 20
"""Problems that are told of one file."""

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # where YAML ends a line
_QUOTES = "put the whole text in quotes"
_HINTS: Final = (
    ("mapping values are not allowed", f'a text that holds ": " must be quoted ({_QUOTES}); or this line is indented '
     "further than the one above"),
    ("found character '\\t'", "a tab stands here: indent with spaces"),
    ("that cannot start any token", f"a text cannot begin with this character: {_QUOTES}"),
    ("found unexpected end of stream", "a quote is opened here and never closed"),
    ("but found '<scalar>'", f"nothing may follow a closing quote: {_QUOTES}, and write '' for a quote within '…'"),
    ("expected <block end>", "this line is indented differently from those it belongs to"),
    ("could not find expected ':'", "a setting is written as 'name: value', with a space behind the colon"),
    ("expected ',' or", "a [ or { is not closed, or a comma is missing; within them a text that holds ? : , or a "
     "bracket must be quoted"),
    ("found undefined alias", f"a text cannot begin with *: {_QUOTES}"),
    ("found another document", "one file holds one document: several calls go under 'scenarios:'"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written."""

    file: str
    """As the reader knows it: relative to the working directory where it is below that."""
    line: int
    """From 1."""
    column: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that cannot be used."""

    place: Place
    message: str
    """What was expected, and what came."""
    line: str = ""
    """The text of the line."""

    def __str__(self) -> str:
        shown = f"\n    {self.line}\n    {' ' * (self.place.column - 1)}^" if self.line.strip() else ""
        return f"{self.place}: {self.message}{shown}"


class ScenarioError(VoiceloopError):
    """A scenario file that cannot be used; `problems` has all that is wrong with it, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            shown.append(f"… and {len(self.problems) - MAX_PROBLEMS} more")
        super().__init__("\n".join(shown))


class Wrong(Exception):
    """Internal: what stands at a place is not what is wanted there."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Node:
    """A text, a list, or a mapping of names to nodes."""

    place: Place
    kind: Literal["text", "list", "mapping"]
    text: str = ""
    """Of a text: as it is written, without its quotes."""
    quoted: bool = False
    """Of a text: whether it stands in quotes, or is a block of lines."""
    items: tuple[Node, ...] = ()
    """Of a list."""
    pairs: tuple[tuple[Node, Node], ...] = ()
    """Of a mapping, names first; a name may be there twice."""

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.kind == "text" and not self.quoted and self.text in ("", "~", "null")

    @property
    def shown(self) -> str:
        """What came, for an error."""
        if self.kind == "list":
            return f"a list of {len(self.items)}"
        if self.kind == "mapping":
            names = ", ".join(name.text for name, _ in self.pairs[:3])
            return f"settings ({quoted(names)}{', …' if len(self.pairs) > 3 else ''})"
        return "nothing" if self.empty else f'"{quoted(self.text)}"'


class Source:
    """A file, read. Problems that others find in it are gathered with `wrong`; `finish` raises them together.

    Args:
        path: the file.
        text: its text, if it was read before.

    Raises:
        ScenarioError: it cannot be read, or is not YAML.
        MissingExtra: PyYAML is not installed.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.file = _shown_path(path)
        self._problems: list[Problem] = []
        self._lines: list[str] = []
        text = self._read() if text is None else text
        self._lines = _BREAK.split(text)
        try:
            self.root = _Builder(self.file, text).root()
        except Wrong as wrong:
            self.wrong(wrong)
            self.finish()

    def wrong(self, wrong: Wrong) -> None:
        """Keep a problem."""
        number = wrong.place.line
        line = self._lines[number - 1] if 0 < number <= len(self._lines) else ""
        shown = "".join(character if character.isprintable() else " " for character in line[:160])
        problem = Problem(wrong.place, str(wrong), shown)
        if problem not in self._problems:  # what several calls share is read for each of them
            self._problems.append(problem)

    def finish(self) -> None:
        """Raise `ScenarioError` if there is any problem."""
        if self._problems:
            raise ScenarioError(sorted(self._problems, key=lambda each: (each.place.line, each.place.column)))

    def _read(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            raise ScenarioError([Problem(Place(self.file, 1, 1), message)]) from None
        if len(data) > MAX_BYTES:
            message = f"expected a file of at most {MAX_BYTES // 1024} KiB: divide it"
            raise ScenarioError([Problem(Place(self.file, 1, 1), message)])
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = data[: error.start]
            place = Place(self.file, before.count(b"\n") + 1, len(before.rpartition(b"\n")[2]) + 1)
            raise ScenarioError([Problem(place, "expected UTF-8 text: save the file as UTF-8")]) from None


class _Builder:
    """Makes nodes of the events of the YAML parser, within the limits."""

    def __init__(self, file: str, text: str) -> None:
        self._yaml: Any = require("yaml", "scenarios", "A scenario file")
        self._file = file
        self._text = text
        self._count = 0

    def root(self) -> Node:
        try:
            events = self._yaml.parse(self._text, Loader=self._yaml.SafeLoader)
            next(events)  # the stream begins
            if isinstance(next(events), self._yaml.StreamEndEvent):
                raise Wrong(Place(self._file, 1, 1), "expected a scenario, but the file is empty")
            node = self._node(next(events), events, 1)
            next(events)  # the document ends
            if not isinstance(end := next(events), self._yaml.StreamEndEvent):
                raise Wrong(self._place(end.start_mark), "one file holds one document: several go under 'scenarios:'")
        except self._yaml.MarkedYAMLError as error:
            raise self._told(error) from None
        except self._yaml.reader.ReaderError as error:
            before = self._text[: error.position]
            place = Place(self._file, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
            raise Wrong(place, "a character stands here that no text may hold") from None
        return node

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        yaml, place = self._yaml, self._place(event.start_mark)
        self._count += 1
        if self._count > MAX_NODES:
            raise Wrong(place, f"expected at most {MAX_NODES} entries in a file: divide it")
        if depth > MAX_DEPTH:
            raise Wrong(place, f"expected at most {MAX_DEPTH} levels of lists and settings within each other")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            raise Wrong(
                place,
                f"a text cannot begin with {sign}: {_QUOTES}. (YAML's anchors and aliases are not taken; what several "
                "calls share stands once, above 'scenarios:'.)",
            )
        if event.tag is not None:
            raise Wrong(place, f"a text cannot begin with !: {_QUOTES}. (YAML's tags are not taken.)")
        if isinstance(event, yaml.ScalarEvent):
            return Node(place, "text", text=event.value, quoted=event.style is not None)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._node(each, events, depth + 1) for each in _until(yaml.SequenceEndEvent, events))
            return Node(place, "list", items=items)
        pairs = []
        for each in _until(yaml.MappingEndEvent, events):
            name = self._node(each, events, depth + 1)
            if name.kind != "text":
                raise Wrong(name.place, f"expected the name of a setting, got {name.shown}")
            pairs.append((name, self._node(next(events), events, depth + 1)))
        return Node(place, "mapping", pairs=tuple(pairs))

    def _place(self, mark: Any) -> Place:
        return Place(self._file, mark.line + 1, mark.column + 1)

    def _told(self, error: Any) -> Wrong:
        """What the parser says, and what mostly is the reason."""
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        hint = next((hint for sign, hint in _HINTS if sign in said), "")
        mark = error.problem_mark or error.context_mark
        if "unexpected end of stream" in said and error.context_mark is not None:
            mark = error.context_mark  # where the quote was opened, not the end of the file
        return Wrong(self._place(mark), f"not YAML: {hint}" if hint else f"not YAML: {quoted(said)}")


def _until(end: type, events: Iterator[Any]) -> Iterator[Any]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _shown_path(path: Path) -> str:
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
