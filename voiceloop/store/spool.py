"""The spool: a folder in which every call of every worker has a file while nothing else knows of it.

Each process has a folder of its own in it, with a file ``lock`` that it holds locked (flock) as long as it lives. A
call's file is appended to with plain writes: what is written is there when the process is killed; a machine that loses
its power may lose the last seconds. Whoever goes on with a call moves its file into its own folder, in one step, so
that only one can; a file ``….taken`` tells the one before, should it live.

What is in the spool is never deleted to make room: when it is full, further calls go on without a file.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from voiceloop.errors import VoiceloopError
from voiceloop.store.call_state import CallState, lines_of
from voiceloop.store.phone_number import same_number
from voiceloop.store.rows import Deleted
from voiceloop.store.spool_file import (
    CALL,
    LOCK,
    TAKEN,
    SpoolFile,
    SpoolLimits,
    clear_away,
    file_of,
    folders,
    lock_of,
    state_in,
)

__all__ = ["Spool", "SpoolError", "SpoolFile", "SpoolLimits", "delete_number"]

log = logging.getLogger("voiceloop.store")

_SPOILT: Final = ".unreadable"
_REFUSED: Final = ".refused.jsonl"
_WORKERS: Final = 10_000
"""Folders of processes of one number, at most."""


class SpoolError(VoiceloopError):
    """The spool's folder cannot be used."""


class Spool:
    """One process's part of the spool, and the way to that of others.

    Opened by `open`; until then, and when that fails, calls have no files.

    Args:
        root: the folder of all processes.
        limits: its size.
        complain: told once for each thing that goes wrong, in one line.
    """

    def __init__(
        self, root: Path, limits: SpoolLimits | None = None, complain: Callable[[str], object] | None = None
    ) -> None:
        self.root = root
        self.limits = limits or SpoolLimits()
        self.complain = complain or log.error
        self._own: Path | None = None
        self._lock = -1
        self._files = 0
        self._bytes = 0
        self._full = False

    # --- its own folder ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Make the process's folder, and lock it.

        Raises:
            SpoolError: that is not to be done here.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._own, self._lock = self._claim()
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise SpoolError(
                f"calls cannot be written down in {self.root} ({why}): what is said on a call is lost when the process "
                "dies, and a record when the database is down; name a folder that can be written, VOICELOOP_SPOOL"
            ) from error

    def _claim(self) -> tuple[Path, int]:
        """A folder that is locked before anybody can see it under its name."""
        for number in range(_WORKERS):
            name = f"{os.getpid()}-{number}"
            hidden = self.root / f".{name}"
            try:
                hidden.mkdir(mode=0o700)
            except FileExistsError:
                continue  # of a process that died before it had its name; nothing is in it
            lock = os.open(hidden / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own = self.root / name
            if own.exists():  # of another process with this number, dead or of another container
                os.close(lock)
                (hidden / LOCK).unlink()
                hidden.rmdir()
                continue
            hidden.rename(own)
            return own, lock
        raise OSError(f"{_WORKERS} folders of processes with this number are there already")

    def close(self) -> None:
        """Leave what is there to the others; a folder with nothing in it goes."""
        own, self._own = self._own, None
        lock, self._lock = self._lock, -1
        if own is not None and not any(own.glob(f"*{CALL}")):
            clear_away(own)
        if lock >= 0:
            os.close(lock)

    @property
    def worker(self) -> str:
        """Name of the process's folder; empty when it has none."""
        return "" if self._own is None else self._own.name

    # --- files of calls ------------------------------------------------------------------------------------

    def create(self, state: CallState, *, counted: bool = True) -> SpoolFile | None:
        """A file with the state of a call, in place of the one that it may have here; None when there is no room, or
        no folder."""
        if self._own is None or (counted and self._no_room()):
            return None
        path = self._own / file_of(state.sid)
        data, hidden = lines_of(state), path.with_suffix(".new")
        replaced = counted and path.exists()
        try:
            fd = os.open(hidden, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.write(fd, data) < len(data):
                    raise OSError("the disk is full")
                os.rename(hidden, path)
            except BaseException:
                os.close(fd)
                hidden.unlink(missing_ok=True)
                raise
        except OSError as error:
            self.complain(f"call {state.sid} is not written down: {error.strerror or error}")
            return None
        if counted:
            self._files += not replaced
            self.grow(len(data))
        return SpoolFile(self, state.sid, path, fd, len(data))

    def _no_room(self) -> bool:
        full = self._files >= self.limits.files or self._bytes >= self.limits.total
        if full and not self._full:
            self.complain(
                f"{self.root} is full ({self._files} files, {self._bytes} bytes wait for the database): further calls "
                "are not written down until it takes them"
            )
        self._full = full
        return full

    def grow(self, size: int) -> None:
        """So many bytes more, or less."""
        self._bytes = max(0, self._bytes + size)

    def remove(self, sid: str) -> None:
        """The file of a call has served."""
        if self._own is None:
            return
        path = self._own / file_of(sid)
        try:
            size = path.stat().st_size
            path.unlink()
        except OSError:
            return
        self._files = max(0, self._files - 1)
        self.grow(-size)

    def read(self, sid: str) -> CallState | None:
        """The state that the process's own file of a call holds."""
        return None if self._own is None else state_in(self._own / file_of(sid))

    def has(self, sid: str) -> bool:
        """Whether the process has a file of this call."""
        return self._own is not None and (self._own / file_of(sid)).exists()

    def taken(self, sid: str) -> bool:
        """Whether another process has taken this call's file; says so once."""
        if self._own is None:
            return False
        marker = self._own / f"{file_of(sid)}{TAKEN}"
        if (self._own / file_of(sid)).exists() or not marker.exists():
            return False
        marker.unlink(missing_ok=True)
        self._files = max(0, self._files - 1)
        return True

    # --- files of others -----------------------------------------------------------------------------------

    def look(self, sid: str) -> CallState | None:
        """The newest state of a call in any process's folder."""
        states = [state for path in self._paths(sid) if (state := state_in(path)) is not None]
        return max(states, key=lambda state: state.age, default=None)

    def take(self, sid: str) -> CallState | None:
        """Move the file of a call here, from whichever process has it, and read it. A call that is over for good is
        left where it is. None when nobody has one, or somebody else was faster."""
        best: CallState | None = None
        for path in self._paths(sid):
            state = state_in(path)
            if state is None or state.over:
                continue
            moved = self._move(path)
            state = None if moved is None else state_in(moved)
            if state is not None and (best is None or state.age > best.age):
                best = state
        return best

    def _paths(self, sid: str) -> list[Path]:
        name = file_of(sid)
        return [path for folder in folders(self.root) if (path := folder / name).exists()]

    def _move(self, path: Path) -> Path | None:
        """A file of another process, here. Its writer, should it live, learns of it by the marker."""
        own = self._own
        if own is None:
            return None
        if path.parent == own:
            return path
        goal, marker = own / path.name, path.with_name(f"{path.name}{TAKEN}")
        here, there = state_in(goal), state_in(path)
        if here is not None and there is not None and here.age >= there.age:  # it has gone on here since
            path.unlink(missing_ok=True)
            return None
        try:
            marker.touch(mode=0o600)
            new = not goal.exists()
            path.rename(goal)
        except OSError:
            marker.unlink(missing_ok=True)
            return None
        self._files += new
        self.grow(goal.stat().st_size)
        return goal

    def take_ended(self, sid: str) -> CallState | None:
        """Move the file of a call here that is on no line any more: its line is over, or its process has died."""
        for path in self._paths(sid):
            state = state_in(path)
            if state is None or state.over:
                continue
            lock = None if state.ending or path.parent == self._own else lock_of(path.parent)
            try:
                goes_on = not state.ending and lock is None
                moved = None if goes_on else self._move(path)
                if moved is not None:
                    return state_in(moved)
            finally:
                if lock is not None:
                    os.close(lock)
        return None

    def set_aside(self, sid: str) -> None:
        """Keep the file of a record that the database refuses, under another name."""
        if self._own is not None and (path := self._own / file_of(sid)).exists():
            path.rename(self.root / f"{path.stem}{_REFUSED}")
            self._files = max(0, self._files - 1)

    def adopt(self) -> list[CallState]:
        """Take over the folders of processes that have died.

        Returns: the calls whose files are here now.
        """
        adopted: list[CallState] = []
        for folder in folders(self.root):
            if folder == self._own or (lock := lock_of(folder)) is None:
                continue
            try:
                for path in sorted(folder.glob(f"*{CALL}")):
                    moved = self._move(path)
                    if moved is not None and (state := self._readable(moved)) is not None:
                        adopted.append(state)
                clear_away(folder)
            finally:
                os.close(lock)
        return adopted

    def _readable(self, path: Path) -> CallState | None:
        state = state_in(path)
        if state is None:
            self.complain(f"{path} is no file of a call's, and is left aside")
            path.rename(self.root / f"{path.stem}{_SPOILT}")
            self._files = max(0, self._files - 1)
        return state


def delete_number(root: Path, number: str) -> Deleted:
    """Delete what the spool holds of the calls of an outside person, but for those that are on the line.

    A process that lives forgets with the file what it has in memory of such a call.

    Args:
        root: the spool's folder.
        number: in any form that `same_number` takes.

    Returns: how many records, and the recordings they named, which are still there: `unlink_recordings`.
    """
    wanted, deleted = same_number(number), 0
    recordings: dict[str, None] = {}
    for folder in folders(root):
        lock = lock_of(folder)
        try:
            for path in folder.glob(f"*{CALL}"):
                state = state_in(path)
                live = lock is None and state is not None and not state.ending
                if state is not None and not live and same_number(state.record.party) == wanted:
                    path.unlink(missing_ok=True)
                    deleted += 1
                    recordings |= dict.fromkeys(state.record.recordings)
        finally:
            if lock is not None:
                os.close(lock)
    return Deleted(deleted, tuple(recordings))
