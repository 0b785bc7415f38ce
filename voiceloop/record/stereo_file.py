"""A stereo WAV file of a call that is being written.

The header is true after every write, so what a killed process leaves is a whole file that lacks its last seconds. In
real time one thread of the process does all the writing, so that no disk holds the event loop; in virtual time there
are no threads, and it is done at once.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from voiceloop.audio import mulaw
from voiceloop.record.timeline import RATE

__all__ = ["StereoFile"]

BEHIND: Final = 64
"""Writes that may wait for a slow disk: two minutes of sound. Then it is given up."""
PIECE: Final = 60 * RATE
"""Samples of silence that are written at once."""
MOST_NAMES: Final = 1000
"""Files of one call on one day."""
_SILENCE: Final = b"\xff\xff"

_thread: ThreadPoolExecutor | None = None


def _writing_thread() -> ThreadPoolExecutor:
    global _thread
    if _thread is None:
        _thread = ThreadPoolExecutor(1, thread_name_prefix="voiceloop-record")
    return _thread


class StereoFile:
    """One file, ``<folder>/<name>-<n>.wav``, that is made with the first sound. Only its owner can read it (mode 0600).

    Args:
        folder: where it is; made, if it is not there.
        name: how it begins.
        pcm: whether samples are linear, 16 bits; else they stay mu-law, 8 bits, as they are on the phone.
        threaded: whether a thread writes.
        number: the `n` that is tried first; while there is such a file, one more.
    """

    def __init__(self, folder: Path, name: str, *, pcm: bool, threaded: bool, number: int = 1) -> None:
        self.failure = ""
        """Why nothing more is written; empty while all goes well."""
        self._folder, self._name, self._pcm, self._threaded = folder, name, pcm, threaded
        self._number = number
        self._path = folder / f"{name}-{number}.wav"
        self._made = self._closed = False
        self._handle: int | None = None
        self._broken = False  # what was taken before it was too slow is still written
        self._bytes = 0  # of sound
        self._asked = self._done = 0
        self._owed = 0  # samples of silence that stand before the next sound

    @property
    def path(self) -> Path | None:
        """Where it is or will be; another when there is a file already. None when it was closed and never made."""
        return None if self._closed and not self._made else self._path

    def put(self, left: bytes | bytearray, right: bytes | bytearray) -> None:
        """Append sound: as many samples of either channel, mu-law."""
        owed, self._owed = self._owed, 0
        self._do(partial(self._append, owed, left, right))

    def silence(self, samples: int) -> None:
        """Append silence. It is written with the sound behind it, so there is none at the end."""
        self._owed += samples

    def close(self) -> Future[None] | None:
        """No more comes. Gives what to wait for, when a thread writes."""
        return self._do(self._close)

    # --- on the event loop ---

    def _do(self, job: Callable[[], None]) -> Future[None] | None:
        if not self._threaded:
            job()
            return None
        if self._asked - self._done >= BEHIND and job != self._close:
            self.failure = self.failure or f"the disk is too slow: {BEHIND} writes are waiting"
            return None
        self._asked += 1
        return _writing_thread().submit(self._guarded, job)

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        finally:
            self._done += 1

    # --- in the thread ---

    def _append(self, owed: int, left: bytes | bytearray, right: bytes | bytearray) -> None:
        if self._broken:
            return
        try:
            while owed > 0:
                self._write(_SILENCE * min(owed, PIECE))
                owed -= PIECE
            both = bytearray(2 * len(left))
            both[0::2], both[1::2] = left, right
            self._write(both)
        except OSError as error:
            self._broken = True
            self.failure = f"{self._path if self._made else self._folder} cannot be written: {error.strerror or error}"
            self._close()

    def _write(self, sound: bytes | bytearray) -> None:
        handle = self._open() if self._handle is None else self._handle
        data = memoryview(mulaw.decode(sound).astype("<i2").tobytes() if self._pcm else sound)
        at = HEADER + self._bytes
        self._bytes += len(data)
        while data:
            written = os.pwrite(handle, data, at)
            data, at = data[written:], at + written
        os.pwrite(handle, _header(self._bytes, pcm=self._pcm), 0)  # last: it never promises what is not there

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(self._number, self._number + MOST_NAMES):
            self._path = self._folder / f"{self._name}-{number}.wav"  # before it is there: whoever asks then knows it
            try:
                handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            self._made, self._handle = True, handle
            return handle
        raise OSError(f"it holds {MOST_NAMES} recordings of {self._name} already")

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        self._closed = True
        if handle is not None:
            os.close(handle)


HEADER: Final = 58
"""Bytes before the sound."""


def _header(size: int, *, pcm: bool) -> bytes:
    """The header of a file with so many bytes of sound.

    As the "Multimedia Programming Interface and Data Specifications 1.0" and its revision 3 (1994) have it: anything
    but PCM has an extension of the format, here an empty one, and a ``fact`` chunk with the number of samples. PCM may
    have both.
    """
    code, width = (1, 2) if pcm else (7, 1)
    frame = 2 * width
    form = struct.pack("<HHIIHHH", code, 2, RATE, RATE * frame, frame, 8 * width, 0)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", HEADER - 8 + size, b"WAVE", b"fmt ", len(form))
        + form
        + struct.pack("<4sII4sI", b"fact", 4, size // frame, b"data", size)
    )
