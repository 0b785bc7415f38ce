"""Standard output and error of a phone server: written by a thread, so that whoever reads them holds no call.

A terminal that is stopped (Ctrl-S), or a pipe whose reader hangs, blocks whoever writes to it: with the event loop all
calls would stand still. Lines wait here instead, up to a bound; beyond it the newest are left out, and counted.
"""

from __future__ import annotations

import io
import logging
import os
import queue
import select
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final
from weakref import WeakSet

__all__ = ["MOST", "Outlet", "unheld_output"]

MOST: Final = 1024 * 1024
"""Bytes that wait to be written."""
FLUSH: Final = 2.0
"""Seconds that a process which ends waits for what it has said to be written."""
_GATHER: Final = 0.02
"""Seconds in which lines are gathered, to be written together."""
_BLOCK: Final = 4096
"""Bytes that several processes can write to one pipe without a line within a line (PIPE_BUF of Linux)."""
_LINE: Final = 16 * 1024
"""Characters after which a line is written though it has not ended."""


class Outlet:
    """Writes to a file from a thread of its own, in order.

    Args:
        descriptor: of the file.
        most: bytes that may wait.
    """

    def __init__(self, descriptor: int, most: int = MOST) -> None:
        self._descriptor = descriptor
        self._most = most
        # The garbage collector runs anywhere, and what it frees may say something: in the midst of `put`, too. So the
        # lock is had twice, and the news go by a queue that allows for that, as an Event does not.
        self._lock = threading.RLock()
        self._pieces: list[bytes] = []
        self._waiting = 0  # bytes that are not written yet
        self._lost = 0  # lines
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._told = False  # that there are news
        self._ending = threading.Event()
        self._forked = False
        self._thread = threading.Thread(target=self._run, name="voiceloop output", daemon=True)
        self._thread.start()
        _inherited.add(self)

    def put(self, piece: bytes) -> None:
        """Have this written soon. Returns at once; when too much waits, it is left out."""
        with self._lock:
            if self._forked:
                self._write(piece)
                return
            if self._waiting + len(piece) > self._most:
                self._lost += max(1, piece.count(b"\n"))
                return
            self._waiting += len(piece)
            self._pieces.append(piece)
        if not self._told:
            self._told = True
            self._news.put(None)

    def close(self, limit: float) -> bool:
        """Write what waits, for so many seconds at most; nothing may be put any more. Returns whether all was."""
        self._ending.set()
        self._news.put(None)
        self._thread.join(limit)
        return not self._thread.is_alive()

    def after_fork(self) -> None:
        """This is a child that was forked: it has no such thread, and writes by itself. What waits is the parent's."""
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._pieces, self._forked = [], True

    # --- the thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ending.is_set():
            self._news.get()
            self._ending.wait(_GATHER)
            self._told = False
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        with self._lock:
            pieces, self._pieces = self._pieces, []
        for block in _blocks(pieces):
            self._write(block)
            with self._lock:
                self._waiting -= len(block)
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            self._write(b"(%d lines were left out here: they were not read in time)\n" % lost)

    def _write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody has set the terminal so
                select.select([], [self._descriptor], [], 1.0)
            except OSError:  # nobody reads it any more
                return


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces joined, as long as that can be written in one go."""
    block = b""
    for piece in pieces:
        if block and len(block) + len(piece) > _BLOCK:
            yield block
            block = b""
        block += piece
    if block:
        yield block


class _Unheld(io.TextIOBase):
    """A standard stream that writes to an outlet.

    Args:
        prefix: stands before each line.
    """

    def __init__(self, stream: IO[str], outlet: Outlet, prefix: str) -> None:
        self._stream = stream
        self._outlet = outlet
        self._prefix = prefix
        self._rest = ""
        self._lock = threading.RLock()  # as of `Outlet`
        _inherited.add(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        """Of the stream itself: bytes that are written to it are not gathered with the lines."""
        return self._stream.buffer  # type: ignore[attr-defined]

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def reconfigure(self, **how: Any) -> None:
        """Set the stream's encoding. When lines are written is not its to say here."""
        self._stream.reconfigure(**how)  # type: ignore[attr-defined]

    def write(self, text: str) -> int:
        with self._lock:
            whole, newline, self._rest = (self._rest + text).rpartition("\n")
            if len(self._rest) > _LINE:
                whole, newline, self._rest = whole + newline + self._rest, "\n", ""
            if newline:
                self._put(whole)
        return len(text)

    def flush(self) -> None:
        """Have the beginning of a line written, too, unless lines are written whole. Waits for nothing."""
        with self._lock:
            if self._rest and not self._prefix:
                rest, self._rest = self._rest, ""
                self._outlet.put(self._bytes(rest))

    def end(self) -> None:
        """No more comes: what is left is a line."""
        with self._lock:
            if self._rest:
                rest, self._rest = self._rest, ""
                self._put(rest)

    def after_fork(self) -> None:
        """This is a child that was forked. What has no end yet is the parent's."""
        self._lock = threading.RLock()
        self._rest = ""

    def _put(self, lines: str) -> None:
        if self._prefix:
            lines = "\n".join(f"{self._prefix}{line}" if line else "" for line in lines.split("\n"))
        self._outlet.put(self._bytes(f"{lines}\n"))

    def _bytes(self, text: str) -> bytes:
        return text.encode(self.encoding, errors="backslashreplace")


_inherited: WeakSet[Outlet | _Unheld] = WeakSet()
"""By a child that is forked."""


def _after_fork() -> None:
    for each in list(_inherited):
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def unheld_output(prefix: str = "") -> Iterator[None]:
    """Have all that this process prints and logs written by a thread, for a block; at its end what waits is written.

    Streams without a file behind them stay as they are, and so do those that this was done to before.

    Args:
        prefix: stands before each line.
    """
    outlets: dict[tuple[int, int], Outlet] = {}
    replaced: list[tuple[str, IO[str], _Unheld]] = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if (file := _file_of(stream)) is None:
            continue
        if file not in outlets:  # two streams to one terminal keep their order
            outlets[file] = Outlet(stream.fileno())
        unheld = _Unheld(stream, outlets[file], prefix)
        setattr(sys, name, unheld)
        _redirect(stream, unheld)
        replaced.append((name, stream, unheld))
    try:
        yield
    finally:
        for name, stream, unheld in replaced:
            unheld.end()
            if getattr(sys, name) is unheld:
                setattr(sys, name, stream)
            _redirect(unheld, stream)
        for outlet in outlets.values():
            outlet.close(FLUSH)


def _file_of(stream: Any) -> tuple[int, int] | None:
    """What tells one file from another; None when there is none to write to."""
    if stream is None or isinstance(stream, _Unheld):
        return None
    try:
        stream.flush()
        about = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return about.st_dev, about.st_ino


def _redirect(old: Any, new: Any) -> None:
    """Have the handlers of all loggers that write to one stream write to another."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.stream = new
