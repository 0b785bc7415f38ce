"""The audio stream a recogniser reads."""

from __future__ import annotations

import asyncio
from typing import Final

from voiceloop.stt.base import Flush

__all__ = ["AudioFeed"]

MAX_SECONDS = 60.0
"""Audio kept for a recogniser that does not read; older audio is dropped."""
_MOST: Final = round(MAX_SECONDS * 8000)  # bytes


class AudioFeed:
    """Audio and flushes, handed out in chunks of the recogniser's own choosing, so that it seldom wakes.

    Args:
        chunk: seconds of audio to gather before the reader is woken; a flush or the end wakes it at once.
    """

    def __init__(self, chunk: float) -> None:
        self._chunk = chunk * 8000
        self._audio = bytearray()
        self._flush: Flush | None = None
        self._flushes = 0
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None
        self.dropped = 0
        """Bytes that were dropped because nobody read them."""

    def feed(self, audio: bytes) -> None:
        """Append mu-law audio."""
        self._audio += audio
        excess = len(self._audio) - _MOST
        if excess > 0:
            del self._audio[:excess]
            self.dropped += excess
        if self._waiter is not None and len(self._audio) >= self._chunk:
            self._wake()

    def flush(self) -> Flush:
        """Ask for everything heard so far to be settled. A flush that was not read yet is replaced."""
        self._flush = Flush(self._flushes)
        self._flushes += 1
        self._wake()
        return self._flush

    @property
    def pending(self) -> Flush | None:
        """The flush that was not read yet."""
        return self._flush

    def close(self) -> None:
        """No more audio will come."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> AudioFeed:
        return self

    async def __anext__(self) -> bytes | Flush:
        while True:
            if self._audio and (len(self._audio) >= self._chunk or self._flush is not None or self._closed):
                audio = bytes(self._audio)
                self._audio.clear()
                return audio
            if self._flush is not None:
                flush, self._flush = self._flush, None
                return flush
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
