"""One call's file in the spool, for its writer; and the names and locks of the spool, for everybody."""

from __future__ import annotations

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voiceloop.store.call_state import CallState, read_state
from voiceloop.store.record import RecordError

if TYPE_CHECKING:
    from voiceloop.store.spool import Spool

__all__ = [
    "CALL",
    "LOCK",
    "TAKEN",
    "SpoolFile",
    "SpoolLimits",
    "clear_away",
    "file_of",
    "folders",
    "lock_of",
    "state_in",
]

log = logging.getLogger("voiceloop.store")

LOCK: Final = "lock"
CALL: Final = ".jsonl"
TAKEN: Final = ".taken"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How large a process's part of the spool may become."""

    file: int = 1_000_000
    """Bytes of one call's file. Beyond them it is written anew, with its state instead of its changes."""
    files: int = 20_000
    """Files, live calls and records that wait for the database together."""
    total: int = 1_000_000_000
    """Bytes of all files."""


class SpoolFile:
    """One call's file, open for its writer."""

    __slots__ = ("_fd", "_size", "_spool", "identity", "path", "sid")

    def __init__(self, spool: Spool, sid: str, path: Path, fd: int, size: int) -> None:
        self._spool = spool
        self._fd = fd
        self._size = size
        self.sid = sid
        self.path = path
        self.identity = os.fstat(fd).st_ino
        """Tells whether what is at `path` is still this file."""

    def write(self, line: str, state: CallState) -> None:
        """Append a line; `state` is the state that it leads to. A disk that is full harms nobody but the file."""
        if self._fd < 0:
            return
        data = line.encode("ascii") + b"\n"
        if self._size + len(data) > self._spool.limits.file:
            self._rewrite(state)
            return
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            self._broken(error.strerror or str(error))
            return
        self._count(len(data))
        if written < len(data):
            self._broken("the disk is full")

    def _rewrite(self, state: CallState) -> None:
        """The state in place of all changes; a state that is too large itself is the last that is written."""
        before = self._size
        made = self._spool.create(state, counted=False)
        self.close()
        if made is None:
            return
        self._fd, self._size, self.identity, made._fd = made._fd, made._size, made.identity, -1
        self._spool.grow(self._size - before)
        if self._size > self._spool.limits.file * 3 // 4:
            self._broken(f"the call has more to tell than the {self._spool.limits.file} bytes it may have")

    def _count(self, size: int) -> None:
        self._size += size
        self._spool.grow(size)

    def _broken(self, why: str) -> None:
        """What is in it stays; a line that was cut short is passed over by its reader."""
        self._spool.complain(f"call {self.sid} is not written down from here on: {why}")
        self.close()

    @property
    def whole(self) -> bool:
        """Whether all that was to be written was."""
        return self._fd >= 0

    def close(self) -> None:
        """Write no more. The file stays."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def folders(root: Path) -> Iterator[Path]:
    """The processes' folders, in the order of their names. What another user of the machine has put there is none:
    calls would go on with words that nobody has said."""
    try:
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False) and _is_ours(entry):
            yield Path(entry.path)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_uid == os.geteuid()
    except OSError:  # it has just gone
        return False


def lock_of(folder: Path) -> int | None:
    """The lock of a process that has died; None when it lives, or somebody else has that lock."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_nlink:  # else somebody has just cleared the folder away
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def state_in(path: Path) -> CallState | None:
    try:
        with path.open("rb") as file:
            return read_state(file)
    except (OSError, RecordError):
        return None


def file_of(sid: str) -> str:
    name = sid if _NAME.fullmatch(sid) else f"id-{sha256(sid.encode(errors='surrogatepass')).hexdigest()[:40]}"
    return f"{name}{CALL}"


def clear_away(folder: Path) -> None:
    """A folder with nothing in it but its lock and markers."""
    try:
        for path in folder.iterdir():
            if path.name.endswith((TAKEN, ".new")):
                path.unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()
    except OSError as error:
        log.debug("%s is left: %s", folder, error)
