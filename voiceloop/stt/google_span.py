"""Stretches of a call's audio between two flushes, and what was understood of each.

A span is recognised by one stream, or by several one after the other when streams end early: each continues behind the
last final result. Positions are samples of the call's audio.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voiceloop.audio import mulaw
from voiceloop.frames import Word
from voiceloop.stt.google_request import RATE, Dialect, Settings

__all__ = ["FRAME", "KEEP", "Attempt", "Span", "loud_end"]

PIECE = RATE
"""Bytes of audio in one request at most; Google takes 25,600."""
FRAME = 160
_LOUD = 10 ** (-45 / 20) * 32768
"""RMS amplitude from which 20 ms of audio may be speech."""
_SQUARES = mulaw.decode(bytes(range(256))).astype(np.float64) ** 2
QUIET = 3 * RATE
"""Samples kept of silence: faint words of it may still be on their way."""
ONSET = RATE // 10
"""Samples of a word that has just begun, at most."""
PAUSE = RATE // 8
"""Samples before it that are looked at; half of them are silent where a word begins."""
KEEP = 60 * RATE
"""Samples of sounds that may be words kept, to be sent again when a stream ends early."""


def loud_end(audio: bytes) -> int | None:
    """One past the last loud sample, to 20 ms; None when all is quiet. A part of a frame at the end counts as one."""
    squares = _SQUARES[np.frombuffer(audio, np.uint8)]
    edges = np.arange(0, len(audio), FRAME)
    if not len(edges):
        return None
    means = np.add.reduceat(squares, edges) / np.diff(np.append(edges, len(audio)))
    loud = np.flatnonzero(means > _LOUD**2)
    return min(len(audio), (int(loud[-1]) + 1) * FRAME) if len(loud) else None


class Attempt:
    """One stream at the service: what is to be sent, and where its audio lies in the call."""

    def __init__(self, opened: float, *, hinted: bool = False) -> None:
        self.opened = opened
        """Seconds on the loop's clock."""
        self.hinted = hinted
        """Whether it asks for hints."""
        self.base = 0
        """Position of its first sample."""
        self.sent = 0
        """Samples that it was given."""
        self.closing = False
        """No more audio will come: half-close when all is sent."""
        self.task: asyncio.Task[None] | None = None
        self.span: Span | None = None
        """The one it works for; None for a spare."""
        self._audio = bytearray()
        self._news = asyncio.Event()

    def feed(self, audio: bytes) -> None:
        """Send audio."""
        self._audio += audio
        self.sent += len(audio)
        self._news.set()

    def close(self) -> None:
        """Half-close behind what was fed."""
        self.closing = True
        self._news.set()

    async def requests(self, dialect: Dialect, settings: Settings, project: str) -> AsyncIterator[Any]:
        """The requests; they end by themselves, for a stream whose requests wait stays alive."""
        yield dialect.first(settings, project)
        while True:
            self._news.clear()
            while self._audio:
                piece = bytes(self._audio[:PIECE])
                del self._audio[: len(piece)]
                yield dialect.audio(piece)
            if self.closing:
                return
            if not self._news.is_set():
                await self._news.wait()

    def stop(self) -> None:
        """Send nothing more and let go of the stream."""
        self._audio.clear()
        self.close()
        if self.task is not None:
            self.task.cancel()


@dataclass(slots=True, eq=False)
class Span:
    """A stretch of audio. `number` is that of its open segment."""

    start: int
    end: int | None = None
    """None while it is open."""
    number: int | None = None
    done: bool = False
    """Nothing more will be understood of it."""
    attempt: Attempt | None = None
    rival: Attempt | None = None
    """Another one for the same audio, opened earlier, that has said nothing yet."""
    tries: int = 0
    """Streams in a row that ended badly without a result."""
    retry_at: float = math.inf
    drain_at: float = math.inf
    """When closed: no longer waited for."""
    stall_at: float = math.inf
    """When closed: another stream is asked if nothing was understood."""
    settled: str = ""
    """When closed: its finals since then, joined."""
    words: tuple[Word, ...] = ()
    text: str = ""
    """What is understood and not final."""
    told: str = ""
    """The text of the open segment as it was told last."""
    text_end: int = -1
    """Up to where `text` or a final goes."""
    final_end: int = -1
    changed: float = 0.0
    """When `text` changed last, seconds on the loop's clock."""
    loud_end: int | None = None
    shadow: int = -1
    """A new stream hears the same again: what it makes of audio before this is not yet better than what is known."""
    kept: bytearray = field(default_factory=bytearray)
    """Audio behind the last final."""
    kept_from: int = 0

    def hear(self, audio: bytes, position: int) -> None:
        """Audio came, which begins at a position."""
        if not self.kept:
            self.kept_from = position
        self.kept += audio
        if (loud := loud_end(audio)) is not None:
            self.loud_end = position + loud
        excess = len(self.kept) - (KEEP if self.unsettled(0) else QUIET)
        if excess > RATE and not self.text:
            self.forget(self.kept_from + excess)

    def forget(self, position: int) -> None:
        """Audio before a position is settled."""
        count = min(max(0, position - self.kept_from), len(self.kept))
        del self.kept[:count]
        self.kept_from += count

    def begun(self) -> bytes:
        """The first sounds of speech at its very end, behind a pause, and a little of that; empty without any."""
        tail = bytes(self.kept[-PAUSE - ONSET :])
        if self.loud_end is None or self.loud_end <= self.kept_from + len(self.kept) - ONSET or len(tail) < PAUSE:
            return b""
        before = loud_end(tail[:PAUSE]) or 0
        quiet = next((at for at in range(before, len(tail), FRAME) if loud_end(tail[at : at + FRAME]) is not None), 0)
        return tail[quiet - PAUSE // 2 :] if quiet - before >= PAUSE // 2 else b""

    def unsettled(self, tolerance: int) -> bool:
        """Whether there are words, or sounds that may be words, without a final result."""
        return bool(self.text) or (self.loud_end is not None and self.loud_end - tolerance > self.final_end)
