"""Labels of metrics: few, and nothing of a caller. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["OTHER", "Bounded", "one_of"]

OTHER: Final = "other"
"""Stands for whatever has no label of its own."""
_LONGEST: Final = 80
_PLAIN: Final = re.compile(rf"[A-Za-z_][\w.\- ]{{0,{_LONGEST - 1}}}", re.ASCII)
_NUMBER: Final = re.compile(r"\d{3}")


def one_of(known: Collection[str], value: str) -> str:
    """The value, if it is one of those that are known."""
    return value if value in known else OTHER


class Bounded:
    """Names that are chosen by code, the library's and the bot's: each is a label, up to a number of them. One that
    does not look like such a name (a telephone number, a sentence) is none.

    Args:
        most: different labels that are given.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, name: str) -> str:
        """The label of a name."""
        if name in self._known:
            return name
        if len(self._known) >= self._most or not _PLAIN.fullmatch(name) or _NUMBER.search(name):
            return OTHER
        self._known.add(name)
        return name
