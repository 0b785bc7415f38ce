"""The calls of the test that is running: for the report when it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voiceloop.testing.dialled import Dialled

__all__ = ["Book", "enter", "entered", "opened", "tests_folder", "waits_for"]

KEPT = 8
"""Calls kept, the latest: a test may make hundreds."""


class Book:
    """The calls of one test, oldest first.

    Args:
        folder: of the test's file.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.waiting: list[object] = []
        """Calls that were made and have not begun: nobody has entered them."""
        self.calls: deque[Dialled] = deque(maxlen=KEPT)
        self.made = 0
        """Calls so far, also those not kept."""

    def add(self, dialled: Dialled) -> None:
        """A call begins."""
        self.made += 1
        self.calls.append(dialled)


_books: list[Book] = []  # a stack: a test may run pytest inside itself


@contextmanager
def opened(folder: Path | None = None) -> Iterator[Book]:
    """Every call that is dialled in the block is entered in the book."""
    book = Book(folder)
    _books.append(book)
    try:
        yield book
    finally:
        _books.remove(book)
        book.calls.clear()
        book.waiting.clear()


def enter(dialled: Dialled) -> None:
    """Enter a call that begins in the book that is open, if one is."""
    if _books:
        _books[-1].add(dialled)


def waits_for(call: object) -> None:
    """Somebody has dialled; whether the call is ever entered is to be seen."""
    if _books:
        _books[-1].waiting.append(call)


def entered(call: object) -> None:
    """It has been entered."""
    for book in _books:
        book.waiting = [each for each in book.waiting if each is not call]


def tests_folder() -> list[Path]:
    """The folder of the test that is running, if one is."""
    return [_books[-1].folder] if _books and _books[-1].folder is not None else []
