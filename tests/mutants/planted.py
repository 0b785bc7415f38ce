"""The bugs of ``planted.toml``, and how one is planted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FILE", "ROOT", "Bug", "BugGone", "bugs"]

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("planted.toml")
MOST_LINES = 3


class BugGone(ValueError):
    """The code has changed, and the bug has no place any more."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A few lines that somebody may well have written."""

    name: str
    why: str
    """What is wrong with it."""
    file: str
    """From the root of the checkout."""
    before: str
    """Stands there once."""
    after: str
    tests: tuple[str, ...]
    """Tried first: the tests of what it breaks."""

    def changed(self, text: str) -> str:
        """The file with the bug.

        Raises:
            BugGone: what it replaces does not stand there, or more than once.
        """
        if (times := text.count(self.before)) != 1:
            raise BugGone(f"{self.name!r}: expected once in {self.file}, found {times} times: {self.before!r}")
        return text.replace(self.before, self.after)

    def plant(self, tree: Path) -> None:
        """Put it into a copy of the checkout."""
        path = tree / self.file
        path.write_text(self.changed(path.read_text(encoding="utf-8")), encoding="utf-8")

    @property
    def lines(self) -> int:
        """Lines that are added or taken away, whichever are more."""
        old, new = (text.rstrip("\n").splitlines() for text in (self.before, self.after))
        return max(len([line for line in new if line not in old]), len([line for line in old if line not in new]))


def bugs(path: Path = FILE) -> Iterator[Bug]:
    """All of them, in the order of the file."""
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["bug"]:
        yield Bug(**{**entry, "tests": tuple(entry["tests"])})
