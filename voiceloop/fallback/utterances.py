"""A recogniser that hears one utterance at a time, in a stream of the whole call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from voiceloop.errors import VoiceloopError
from voiceloop.fallback.segments import shifted
from voiceloop.fallback.tape import BEFORE, RATE, quiet
from voiceloop.frames import Transcript
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush

__all__ = ["by_utterance"]


class _Utterance:
    """Audio from the first sound to the next flush. Behind that nothing more comes until its reader is closed."""

    def __init__(self, audio: AsyncIterator[bytes | Flush], first: bytes) -> None:
        self._audio = audio
        self._first = first
        self._flushed = False
        self.behind = 0
        """Bytes that came behind the first."""
        self.over = False
        """The call has ended."""

    def __aiter__(self) -> _Utterance:
        return self

    async def __anext__(self) -> bytes | Flush:
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._flushed:
            await asyncio.get_running_loop().create_future()
        try:
            item = await anext(self._audio)
        except StopAsyncIteration:
            self.over = True
            raise
        self._flushed = isinstance(item, Flush)
        self.behind += 0 if isinstance(item, Flush) else len(item)
        return item


async def by_utterance(
    stt: STT, audio: AsyncIterator[bytes | Flush]
) -> AsyncGenerator[Transcript | Flush | Served, None]:
    """Transcribe a whole call with a recogniser of utterances: a new stream at each sound behind an answered flush.

    Silence is not handed on, but for a little before a sound. Segments are numbered through the call.
    """
    before, base, position = bytearray(), 0, 0
    async for piece in audio:
        if isinstance(piece, Flush):
            yield piece
            continue
        before += piece
        position += len(piece)
        if quiet(piece):
            del before[:-BEFORE]
            continue
        utterance, start = _Utterance(audio, bytes(before)), (position - len(before)) / RATE
        before.clear()
        top, flushed = base, False
        async with aclosing(stt.transcribe(utterance)) as items:
            async for item in items:
                if isinstance(item, Transcript):
                    top = max(top, base + item.segment + 1)
                    item = Transcript(item.text, item.final, base + item.segment, words=shifted(item.words, start))
                yield item
                if isinstance(item, Flush):
                    flushed = True
                    break
        if not flushed and not utterance.over:
            raise VoiceloopError("it ended while the caller's audio was still coming")
        base = top
        position += utterance.behind
