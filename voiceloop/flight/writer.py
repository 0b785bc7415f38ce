"""Writes a flight recording: blocks of entries, each with its length and checksum, appended and never touched again.

The file begins with `MAGIC`. A block is its length (4 bytes), the CRC-32 of what follows (4), and its entries. What
is in the file when the process is killed is readable up to the last whole block.

In real time a thread of the process does the writing, so that no disk holds the event loop; in virtual time there are
no threads, and it is done at once.
"""

from __future__ import annotations

import logging
import struct
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

__all__ = ["BLOCK_HEAD", "MAGIC", "FlightWriter"]

log = logging.getLogger("voiceloop.flight")

MAGIC: Final = b"voiceloop flight 1\n"
BLOCK_HEAD: Final = struct.Struct("<II")

_thread: ThreadPoolExecutor | None = None


def _writing_thread() -> ThreadPoolExecutor:
    global _thread
    if _thread is None:
        _thread = ThreadPoolExecutor(1, thread_name_prefix="voiceloop-flight")
    return _thread


class FlightWriter:
    """One file that is being written.

    Args:
        path: of the file; it must not be there yet.
        most: bytes after which no more is written.
        threaded: whether a thread writes.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path, most: int, *, threaded: bool) -> None:
        self.path = path
        self._file: IO[bytes] | None = path.open("xb", buffering=0)  # a killed process loses nothing it has written
        self._most = most
        self._size = len(MAGIC)
        self._threaded = threaded
        self._file.write(MAGIC)

    @property
    def full(self) -> bool:
        """Whether nothing more is taken."""
        return self._size >= self._most

    def put(self, entries: bytes) -> None:
        """Append a block."""
        if self.full:
            return
        block = BLOCK_HEAD.pack(len(entries), zlib.crc32(entries)) + entries
        self._size += len(block)
        if self.full:
            log.warning("%s has reached %d bytes: the rest of the call is not recorded", self.path, self._most)
        self._do(block)

    def close(self) -> None:
        """No more comes."""
        self._do(None)

    def _do(self, block: bytes | None) -> Future[None] | None:
        if self._threaded:
            return _writing_thread().submit(self._write, block)
        self._write(block)
        return None

    def _write(self, block: bytes | None) -> None:
        file = self._file
        if file is None:
            return
        try:
            if block is not None:
                file.write(block)
                return
        except OSError as error:
            log.error("%s cannot be written, the rest of the call is not recorded: %s", self.path, error)
        self._file = None
        file.close()
