"""What was sent and not yet played: a model of the carrier's buffer by the times of sending."""

from __future__ import annotations

import math

from voiceloop.output.events import RATE
from voiceloop.output.marks import EARLY, Mark, MarkKind
from voiceloop.output.voice import Voice

__all__ = ["Transit"]

FRAME = 0.02
"""Seconds of audio that a carrier takes from its buffer at once."""


class Transit:
    """Audio and marks since the last clear. Its times are those of a carrier without delay.

    The delay of audio, marks and clears to the carrier is much the same, so it drops out of most questions.
    """

    __slots__ = ("_guess", "_latest", "_measured", "delay", "early", "head", "marks", "voiced")

    def __init__(self, guess: float) -> None:
        self._guess = guess
        self._measured: float | None = None
        self.head = -math.inf
        """When all that was sent will have been played, seconds."""
        self.voiced = -math.inf
        """When all voices that were sent will have been played: behind them there may be a filler."""
        self._latest = -math.inf  # the same as the head, whatever echoes say
        self.early = 0.0
        """By how much echoes came sooner than the way there and back allows, seconds: the largest so far. Either it has
        become shorter, or they come before their audio was played."""
        self.marks: list[Mark] = []
        """Those not known to be played, oldest first."""
        self.delay = 0.0
        """From `due` to echo of the last mark played, seconds."""

    @property
    def round_trip(self) -> float:
        """The smallest time from sending a mark into an empty buffer to its echo, or the guess, seconds."""
        return self._guess if self._measured is None else self._measured

    @property
    def least_round_trip(self) -> float:
        """The same, but 0 while it is not known."""
        return self._measured or 0.0

    def ahead(self, now: float) -> float:
        """Seconds of audio that were sent and not played."""
        return max(0.0, self.head - now)

    def media(self, size: int, now: float) -> float:
        """Audio is sent; returns when it begins to play. After an underrun that is now: the buffer never catches up."""
        due = self.fill(size, now)
        self.voiced = self.head
        return due

    def fill(self, size: int, now: float) -> float:
        """The same of sound that is nobody's voice."""
        due = max(self.head, now)
        self.head = due + size / RATE
        self._latest = max(self._latest, now) + size / RATE
        return due

    def mark(self, kind: MarkKind, voice: Voice, now: float) -> str:
        """A mark is sent behind the audio; returns its name."""
        name = f"{kind.value}:{voice.key}"
        if kind is MarkKind.PLACE:
            voice.marks += 1
            name = f"{name}:{voice.marks}"
        elif voice.tries:
            name = f"{name}:{voice.tries}"
        voice.marked = voice.sent
        due = max(self.head, now)
        earliest = max(self._latest, now)
        self.marks.append(Mark(name, kind, voice.key, voice.sent, now, due, self.head <= now, earliest))
        return name

    def find(self, name: str) -> int | None:
        return next((index for index, mark in enumerate(self.marks) if mark.name == name), None)

    def measured(self, round_trip: float) -> None:
        """A mark sent into an empty buffer came back."""
        self._measured = round_trip if self._measured is None else min(self._measured, round_trip)

    def believes(self, index: int, now: float) -> bool:
        """Whether a mark whose echo comes now can have been played. No carrier plays faster than time passes.

        One that cannot is played when its time has come, by the clock: it is not waited for any more.
        """
        if now >= self.marks[index].earliest - FRAME:
            return True
        for mark in self.marks[: index + 1]:
            mark.early = True
        return False

    def echoed(self, mark: Mark, now: float) -> None:
        """Learn from the echo of a mark that was played.

        A late one proves nothing, its way back may have been slow, so it takes no lead away. One that is too early
        proves that the carrier has played further than the times of sending say.
        """
        self.delay = now - mark.due
        if mark.empty:
            self.measured(self.delay)
        surplus = self.least_round_trip - self.delay
        if surplus > EARLY:
            self.early = max(self.early, surplus)
            self.head -= surplus
            self.voiced -= surplus
            for other in self.marks:
                other.due -= surplus

    def take(self, index: int) -> list[Mark]:
        """The marks up to this one were played: remove and return them."""
        played, self.marks = self.marks[: index + 1], self.marks[index + 1 :]
        return played

    def clear(self, now: float) -> list[Mark]:
        """A clear is sent: returns the marks that may have been played or not."""
        pending, self.marks, self.head, self.delay = self.marks, [], now, 0.0
        self._latest = self.voiced = now
        return pending

    def gives_up(self, index: int, limit: float) -> float:
        """When the echo of a mark is `limit` seconds late, or when one that came too early is due."""
        mark = self.marks[index]
        if mark.early:
            return max(mark.due, mark.earliest) + self.round_trip
        return mark.due + max(self.round_trip, self.delay) + limit

    def overdue(self, limit: float, now: float) -> int | None:
        """The last mark whose echo is late; None when there is none."""
        late = None
        for index in range(len(self.marks)):
            if self.gives_up(index, limit) > now:
                break
            late = index
        return late

    def reached(self, voice: Voice, at: float) -> int:
        """Where the play head is in this voice, bytes from its first sample."""
        low = voice.played
        for mark in self.marks:
            if mark.key == voice.key:
                if mark.due > at:
                    return max(low, mark.position - int((mark.due - at) * RATE))
                low = max(low, mark.position)
        if not voice.flying or voice.settling or voice.ended:
            return low
        return max(low, voice.sent - int(max(0.0, self.voiced - at) * RATE))
