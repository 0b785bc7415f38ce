"""The calls of the test that is running: for the report when it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceloop.testing.dialled import Dialled

__all__ = ["Book", "enter", "opened"]

KEPT = 8
"""Calls kept, the latest: a test may make hundreds."""


class Book:
    """The calls of one test, oldest first."""

    def __init__(self) -> None:
        self.calls: deque[Dialled] = deque(maxlen=KEPT)
        self.made = 0
        """Calls so far, also those not kept."""

    def add(self, dialled: Dialled) -> None:
        """A call begins."""
        self.made += 1
        self.calls.append(dialled)


_books: list[Book] = []  # a stack: a test may run pytest inside itself


@contextmanager
def opened() -> Iterator[Book]:
    """Every call that is dialled in the block is entered in the book."""
    book = Book()
    _books.append(book)
    try:
        yield book
    finally:
        _books.remove(book)
        book.calls.clear()


def enter(dialled: Dialled) -> None:
    """Enter a call that begins in the book that is open, if one is."""
    if _books:
        _books[-1].add(dialled)
