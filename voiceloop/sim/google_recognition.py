"""What Google makes of the audio of one stream, and when: interims while somebody speaks, a final for each segment.

Works on positions in the audio (samples from the start of the stream). When a thing was said follows from when its
audio came; each outcome is due so long after that.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np

from voiceloop.audio import mulaw
from voiceloop.frames import Word
from voiceloop.sim.google_listen import RATE, Listener

__all__ = ["PROFILES", "Outcome", "Recognition", "Timing"]

FRAME = 160
_LOUD = 10 ** (-45 / 20) * 32768
"""RMS amplitude from which a frame of 20 ms is speech."""
_SQUARES = mulaw.decode(bytes(range(256))).astype(np.float64) ** 2
_BEFORE = round(0.3 * RATE)
"""Samples kept from before speech."""
_Z95 = 1.645
"""Standard deviations from the median to the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How quick the service is. All in seconds.

    The default is the profile ``google``: finals as measured of ``latest_long`` (1,000 samples of pipecat's
    stt-benchmark: median 878 ms, p95 1,155 ms). How far interims are behind is not published.
    """

    interim: float = 0.25
    """From the end of a word until it is in an interim result."""
    median: float = 0.88
    """From the end of speech to the final result: half of them are quicker."""
    p95: float = 1.155
    """The same: 95 of 100 are quicker. Delays in between are distributed log-normally."""
    pause: float = 0.5
    """Silence that ends a segment; a final is never quicker."""
    longest: float = 30.0
    """A segment ends after so much speech, at the next gap between words."""
    flush: float | None = None
    """From the half-close of the client to the finals; None: a half-close makes nothing quicker (how quick it is with
    the real service is not known)."""

    def __post_init__(self) -> None:
        if not 0 < self.median <= self.p95 or self.interim < 0 or self.pause <= 0:
            raise ValueError(f"expected 0 < median <= p95, and no negative delay, got {self}")

    def final(self, draw: random.Random) -> float:
        """Seconds from the end of speech to a final."""
        spread = math.log(self.p95 / self.median) / _Z95
        return max(self.pause, self.median * math.exp(spread * draw.gauss(0.0, 1.0)))


PROFILES = {"google": Timing(), "fast": Timing(interim=0.1, median=0.25, p95=0.25, pause=0.2)}


@dataclass(slots=True)
class Outcome:
    """Something to tell the client."""

    due: float
    """When, seconds on the loop's clock."""
    kind: str
    """``interim``, ``final``, ``begin``, ``end``, ``utterance`` (the end of a single one), ``timeout`` or ``over``."""
    end: float
    """Where in the stream's audio, seconds."""
    words: tuple[Word, ...] = ()
    """Times in seconds of the stream's audio."""
    first: bool = True
    """Whether nothing was said in this stream before."""


class Recognition:
    """One stream's audio in, outcomes out, in the order in which they are due.

    Args:
        listener: says what was said.
        timing: how quick.
        draw: for delays.
        ends: where an interim result says it ends: at its last ``word``, or at the end of the ``audio`` that was heard
            by then (what Google does is not documented).
    """

    def __init__(self, listener: Listener, timing: Timing, draw: random.Random, *, ends: str = "word") -> None:
        self._listener = listener
        self._timing = timing
        self._draw = draw
        self._ends = ends
        self._longest = timing.longest * RATE
        self.position = 0
        """Samples so far."""
        self._start = 0  # of the audio that is kept: of the open segment, or a little before it
        self._audio = bytearray()
        self._judged = 0  # samples of it of which it is known whether they are loud
        self._begun = False  # somebody speaks, or has spoken, in the open segment
        self.loud_end: int | None = None
        """One past the last loud sample of the stream."""
        self._heard: list[Word] = []
        self._heard_at = 0  # position at which the listener was asked last
        self._spoken = False  # a final was given
        self._floor = 0.0  # nothing is due before what came before it

    async def hear(self, audio: bytes, now: float) -> list[Outcome]:
        """Audio came."""
        self._audio += audio
        self.position += len(audio)
        outcomes = self._judge(now)
        if not self._begun:
            self._forget(self.position - _BEFORE)
            return outcomes
        assert self.loud_end is not None
        silence = self.position - self.loud_end
        outcomes += await self._interim(now, settled=silence >= FRAME * 10)
        long = self.position - self._start > self._longest and silence >= FRAME
        if silence >= self._timing.pause * RATE or long:
            outcomes += await self._final(now)
        return outcomes

    async def finish(self, now: float) -> list[Outcome]:
        """No more audio will come."""
        return await self._final(now) if self._begun else []

    # --- parts ---

    def _judge(self, now: float) -> list[Outcome]:
        """Find the loud frames of what is new."""
        outcomes: list[Outcome] = []
        count = (len(self._audio) - self._judged) // FRAME
        if not count:
            return outcomes
        fresh = np.frombuffer(bytes(self._audio[self._judged : self._judged + count * FRAME]), np.uint8)
        loud = np.flatnonzero(_SQUARES[fresh].reshape(-1, FRAME).mean(axis=1) > _LOUD**2)
        if len(loud):
            first = self._start + self._judged + int(loud[0]) * FRAME
            self.loud_end = self._start + self._judged + (int(loud[-1]) + 1) * FRAME
            if not self._begun:
                self._begun = True
                outcomes.append(self._outcome(now, "begin", first / RATE))
        self._judged += count * FRAME
        return outcomes

    async def _interim(self, now: float, *, settled: bool) -> list[Outcome]:
        waited = self.position - self._heard_at
        assert self.loud_end is not None
        if waited < self._listener.every * RATE and not (settled and self._heard_at < self.loud_end):
            return []
        before = [word.text for word in self._heard]
        await self._listen()
        if not self._heard or [word.text for word in self._heard] == before:
            return []
        last = self._heard[-1].end
        due = max(now, now - (self.position / RATE - last) + self._timing.interim)
        end = last if self._ends == "word" else self.position / RATE
        return [self._outcome(due, "interim", end, tuple(self._heard))]

    async def _final(self, now: float) -> list[Outcome]:
        """End the segment."""
        assert self.loud_end is not None
        if self._heard_at < self.loud_end or self._listener.every == 0.0:
            await self._listen()
        ended = now - (self.position - self.loud_end) / RATE
        outcomes = [self._outcome(now, "end", self.loud_end / RATE)]
        if self._heard:
            due = max(now, ended + self._timing.final(self._draw))
            outcomes.append(self._outcome(due, "final", self.position / RATE, tuple(self._heard)))
            self._spoken = True
        self._begun, self._heard = False, []
        self._forget(self.position)
        return outcomes

    async def _listen(self) -> None:
        start = self._start / RATE
        self._heard_at = self.position
        self._heard = [
            Word(word.text, start + word.start, start + word.end)
            for word in await self._listener.words(bytes(self._audio))
        ]

    def _forget(self, position: int) -> None:
        """Drop audio before a position."""
        count = min(position - self._start, self._judged)
        if count > 0:
            del self._audio[:count]
            self._start += count
            self._judged -= count

    def _outcome(self, due: float, kind: str, end: float, words: tuple[Word, ...] = ()) -> Outcome:
        due = max(self._floor, due)
        if kind != "interim":  # an interim that would come later than its final does not come: see Stream
            self._floor = due
        return Outcome(due, kind, end, words, not self._spoken)
