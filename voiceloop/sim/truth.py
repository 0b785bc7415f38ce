"""What really happened on the line, for tests and benchmarks to compare with what the agent believes."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from voiceloop.sim.playback import QUIET, RATE, Mark, Playback

__all__ = ["Clear", "Entry", "PlayedSegment", "Truth"]

_QUIET_RUN: Final = re.compile(b"[" + re.escape(QUIET) + b"]+")
_SOUND: Final = re.compile(b"[^" + re.escape(QUIET) + b"]")


@dataclass(slots=True, frozen=True)
class Entry:
    """One line of the log."""

    at: float
    """Seconds on the loop's clock."""
    kind: str
    """``start``, ``media``, ``mark``, ``clear``, ``echo``, ``dtmf``, ``dropped``, ``discarded``, ``congested``,
    ``fault``, ``stall``, ``end``."""
    detail: str | int = ""
    """Media, clear: bytes; mark, echo: the name; dropped, end: why; discarded, congested: how much; fault: its kind;
    stall: seconds of virtual time for which the agent's process stands still from then on."""


@dataclass(slots=True, frozen=True)
class Clear:
    """A ``clear`` the agent has sent."""

    at: float
    """When it reached the carrier, seconds on the loop's clock."""
    dropped: int
    """Bytes it took back."""


@dataclass(slots=True, frozen=True)
class PlayedSegment:
    """A range of the bytes of one media message, and when it was heard or dropped."""

    message: int
    """Number of the media message, from 0."""
    offset: int
    """Where the range begins in the message's audio, bytes."""
    size: int
    """Length of the range, bytes."""
    start: float
    """When its first byte was played, or when it was dropped if `flushed`; seconds on the loop's clock."""
    flushed: bool
    """True when it was never heard."""


@dataclass(slots=True)
class Truth:
    """Answers about one stream. Times are seconds on the loop's clock, at the carrier; audio is mu-law, 8000 Hz."""

    playback: Playback
    started: float
    """When the stream began: the time of the first sample in both directions."""
    log: list[Entry] = field(default_factory=list)
    """Everything that came from the agent and went to it, except the caller's media, in order."""
    marks: list[Mark] = field(default_factory=list)
    """Every mark in the order it was set, with its fate."""
    clears: list[Clear] = field(default_factory=list)

    def time_of(self, sample: int) -> float:
        """When a sample, counted from the start of the stream, is on the line."""
        return self.started + sample / RATE

    def sample_at(self, at: float) -> int:
        """The sample on the line at a time; not below 0."""
        return max(0, round((at - self.started) * RATE))

    def played_bytes_at(self, at: float) -> int:
        """How many bytes of the agent's audio (silence of underruns not counted) had been played by then."""
        sample = self.sample_at(at)
        runs = self.playback.runs
        index = bisect_right(runs, sample, key=lambda run: run[0]) - 1
        if index < 0:
            return 0
        first, length, before = runs[index]
        return before + min(length, sample - first)

    def heard_between(self, start: float, end: float) -> bytes:
        """What the caller's ear got in that time, silence included."""
        return bytes(self.playback.heard[self.sample_at(start) : self.sample_at(end)])

    @property
    def segments(self) -> list[PlayedSegment]:
        """Every range of outbound media with its fate. While the call runs, what is still buffered is not listed."""
        return [
            PlayedSegment(part.message, part.offset, part.size, self.time_of(part.start), part.flushed)
            for part in self.playback.segments
        ]

    def holes(self, min_ms: float = 20.0) -> list[tuple[float, float]]:
        """Silences inside an answer because its audio came too late: start, and duration in seconds.

        A silence counts when the agent's audio ran dry, more came later, and in between there was neither a ``clear``
        nor a mark that ends an answer (`CarrierOptions.is_answer_end`).
        """
        return [
            (self.time_of(first), length / RATE)
            for first, length in self.playback.underruns
            if length * 1000 >= min_ms * RATE
        ]

    def first_sound_after(self, at: float) -> float | None:
        """When the agent is first heard at or after a time; None when it is not."""
        found = self.next_sound(self.sample_at(at))
        return None if found is None else self.time_of(found)

    def next_sound(self, sample: int) -> int | None:
        """The first sample at or after `sample` that is louder than `QUIET`; None when there is none yet."""
        if sample >= self.playback.sound_end:
            return None
        found = _SOUND.search(self.playback.heard, sample)
        return found.start() if found else None

    def sounds(self, gap: float = 0.3) -> list[tuple[float, float]]:
        """When the agent is heard: start and end of each stretch; pauses of less than `gap` seconds do not end one."""
        stretches: list[tuple[float, float]] = []
        quiet = round(gap * RATE)
        sample = self.next_sound(0)
        while sample is not None:
            end = self.sound_until(sample, quiet)
            stretches.append((self.time_of(sample), self.time_of(end)))
            sample = self.next_sound(end)
        return stretches

    def sound_until(self, sample: int, quiet: int) -> int:
        """One past the last loud sample from `sample` on, before `quiet` samples of silence or the end of record."""
        # Run by run: one pattern of that many quiet samples would look at each sample of a short run again and again.
        for run in _QUIET_RUN.finditer(self.playback.heard, sample):
            if run.end() - run.start() >= max(1, quiet):
                return run.start()
        return max(sample, self.playback.sound_end)
