"""The caller's audio, kept until it was recognised, and handed to any number of recognisers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from voiceloop.audio import mulaw
from voiceloop.stt.base import Flush

__all__ = ["Lane", "Tape", "quiet"]

RATE = 8000
KEPT_SECONDS = 60.0
"""Of audio, since the last point at which all was recognised; older audio is dropped."""
BEFORE = round(0.35 * RATE)
"""Bytes of silence kept in front of sound: soft consonants lie there."""
_QUIET_BELOW = 400
"""Amplitude (of 32768) of silence on a phone line; speech is ten times as loud."""
_QUIET = bytes(code for code in range(256) if abs(int(mulaw.decode(bytes([code]))[0])) < _QUIET_BELOW)
_LOUD_SHARE = 0.02
"""Share of louder samples in what is still silence: clicks."""


def quiet(audio: bytes) -> bool:
    """Whether a piece of mu-law audio is certain to hold no speech, by level."""
    return len(audio.translate(None, delete=_QUIET)) <= _LOUD_SHARE * len(audio)


class Tape:
    """Audio and flushes since the last settled flush. Silence at its beginning is not kept."""

    def __init__(self) -> None:
        self._items: deque[bytes | Flush] = deque()
        self._size = 0
        self._total = 0
        self._sounded = False

    def __iter__(self) -> Iterator[bytes | Flush]:
        return iter(self._items)

    @property
    def start(self) -> float:
        """Where it begins, in seconds from the first sample that was ever added."""
        return (self._total - self._size) / RATE

    @property
    def sounded(self) -> bool:
        """Whether there is anything but silence in it."""
        return self._sounded

    def add(self, item: bytes | Flush) -> None:
        """Append."""
        self._total += 0 if isinstance(item, Flush) else len(item)
        self._keep(item)

    def _keep(self, item: bytes | Flush) -> None:
        self._items.append(item)
        if isinstance(item, Flush):
            return
        self._size += len(item)
        self._sounded = self._sounded or not quiet(item)
        most = round(KEPT_SECONDS * RATE) if self._sounded else BEFORE
        while self._size > most:
            self._drop(self._size - most)

    def _drop(self, excess: int) -> None:
        """Of the oldest audio, so many bytes at most; flushes stay."""
        place = next(place for place, item in enumerate(self._items) if not isinstance(item, Flush))
        oldest = self._items[place]
        assert isinstance(oldest, bytes)
        if len(oldest) > excess:
            self._items[place] = oldest[excess:]
        else:
            del self._items[place]
        self._size -= min(excess, len(oldest))

    def settled(self, flush: Flush) -> None:
        """All up to there was recognised."""
        if flush not in self._items:
            return
        while self._items.popleft() is not flush:
            pass
        rest = list(self._items)
        self._items.clear()
        self._size, self._sounded = 0, False
        for item in rest:
            self._keep(item)


class Lane:
    """What one recogniser reads. An iterator and no generator: it need not be closed.

    Args:
        chunk: seconds of audio to gather before the reader is woken; a flush or the end wakes it at once.
    """

    def __init__(self, chunk: float) -> None:
        self._chunk = chunk * RATE
        self._items: deque[bytes | Flush] = deque()
        self._audio = bytearray()  # behind them
        self._over = False
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: bytes | Flush) -> None:
        """Append."""
        if isinstance(item, Flush):
            self._gather()
            self._items.append(item)
        else:
            self._audio += item
            excess = len(self._audio) - round(KEPT_SECONDS * RATE)
            if excess > 0:  # nobody reads it
                del self._audio[:excess]
        if self._items or len(self._audio) >= self._chunk:
            self._wake()

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._gather()
        self._wake()

    def _gather(self) -> None:
        if self._audio:
            self._items.append(bytes(self._audio))
            self._audio.clear()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Lane:
        return self

    async def __anext__(self) -> bytes | Flush:
        while True:
            if not self._items and len(self._audio) >= self._chunk:
                self._gather()
            if self._items:
                return self._items.popleft()
            if self._over:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
