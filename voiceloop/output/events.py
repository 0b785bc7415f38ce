"""What playout is set to, and what it gives back: messages for the carrier and news for the call."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "RATE",
    "Assumed",
    "Finished",
    "Output",
    "PlayoutOptions",
    "Position",
    "SendClear",
    "SendMark",
    "SendMedia",
    "Settled",
    "Started",
]

RATE = 8000
"""Bytes a second on the phone: mu-law, 8000 Hz, mono, one byte a sample."""


@dataclass(frozen=True, slots=True)
class PlayoutOptions:
    """How far ahead audio is sent and how long echoes are waited for. All in seconds."""

    lead: float = 1.0
    """How far ahead of real time audio is sent."""
    step: float = 0.4
    """The most that is sent at once, up to a mark, and how much room there then is: just before that the lead is so
    much shorter (see `margin`). At most half of the lead counts."""
    chunk: float = 0.1
    """While `margin` is still to be played, pieces of a voice wait until a step is full; below it those of this size
    leave at once."""
    gather: float = 0.200
    """Smaller ones wait for more while this much is still to be played; below it they leave at once, too."""
    mark_every: float = 0.2
    """Distance of marks where no word is known (yet)."""
    round_trip: float = 0.120
    """Guess of the time from sending a mark into an empty buffer to its echo, until one was measured."""
    fence_limit: float = 1.0
    """How long the echo of the fence behind a clear is waited for; then the heard state is judged without it."""
    echo_limit: float = 2.0
    """How long after its estimated time the echo of a mark is waited for; then the clock says what was played."""
    voice_limit: float = 15.0
    """So long without sound in the middle of an answer it is given up: what it was to say does not come."""
    held_limit: float = 0.25
    """How long the event loop may be held by one piece of code before that is told (see `voiceloop.watch_loop`)."""

    def __post_init__(self) -> None:
        if not 0 < self.chunk < self.lead:
            raise ValueError(f"chunk must be positive and below lead ({self.lead} s), got {self.chunk} s")
        if not 0 <= self.gather <= self.lead - self.chunk:
            raise ValueError(f"gather must lie in 0 … lead - chunk = {self.lead - self.chunk:g} s, got {self.gather} s")
        limits = (self.mark_every, self.fence_limit, self.echo_limit, self.voice_limit, self.held_limit)
        if min(limits) <= 0 or self.round_trip < 0:
            raise ValueError(f"mark_every and all limits must be positive, round_trip not negative, got {self}")
        if self.step < self.chunk:
            raise ValueError(f"step must not be below chunk ({self.chunk} s), got {self.step} s")

    @property
    def margin(self) -> float:
        """What the carrier has to play at least while there is more to send, seconds: a process that stands still this
        long is not heard to."""
        return self.lead - max(self.chunk, min(self.step, self.lead / 2))


# --- messages for the carrier -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendMedia:
    """Send this audio."""

    payload: bytes
    """Mu-law, 8000 Hz, mono."""
    key: int = field(default=0, compare=False)
    """The answer it belongs to."""
    position: int = field(default=0, compare=False)
    """Where it begins in the answer's voice, bytes."""
    due: float = field(default=0.0, compare=False)
    """When its first sample would be played by a carrier without delay, seconds."""


@dataclass(frozen=True, slots=True)
class SendMark:
    """Send a mark right behind everything sent so far."""

    name: str
    """``s:3`` start of answer 3, ``w:3:17`` its 17th place, ``end:3`` its end, ``f:5`` fence of the fifth clear.

    A start or an end that was flushed and is sent again gets a number: ``end:3:1``."""


@dataclass(frozen=True, slots=True)
class SendClear:
    """Send a clear: what the carrier has not played is dropped. A fence mark always follows."""


# --- news ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assumed:
    """An echo did not come: from here on what was played of an answer is an estimate by the clock. Once for each."""

    key: int
    waited: float
    """How long the echo was late, seconds; 0 when this carrier is known to echo nothing."""
    limit: float
    """How long it was waited for, seconds."""
    never: bool = False
    """True when no echo has ever come: nothing is waited for any more."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first sound of an answer was played. Comes once for an answer, and not for one without sound."""

    key: int
    at: float
    """When it was played at the carrier (estimated: half the smallest round trip before the echo), seconds."""
    assumed: bool = False
    """True when no echo said so."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer was played to its end. `Settled` follows it in the same list."""

    key: int
    at: float
    """When its last sample was played at the carrier (estimated likewise), seconds."""
    assumed: bool = False
    """True when its end was never echoed and the limit for that has passed."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was heard of an answer is final: it was played to its end, or cut. The last news of each answer."""

    key: int
    at: float
    """When its sound ended, seconds."""
    complete: bool
    """True when it was played to its end."""


Output = SendMedia | SendMark | SendClear | Assumed | Started | Finished | Settled
"""What every method of `Playout` that takes the time returns a list of, to be carried out in order."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far an answer was played, in bytes from the first sample of its voice."""

    played: int = 0
    """At least this much was played: everything up to a mark whose echo says so."""
    bound: int = 0
    """At most this much, by the times of sending: for an even way to the carrier, up to one 20 ms frame."""
    total: int = 0
    """Audio known so far."""
    finished: bool = False
    """True when no more audio will come."""
    complete: bool = False
    """True when it was played to its end."""
    settled: bool = False
    """True when nothing of this will change."""
    assumed: bool = False
    """True when `played` rests on the clock because echoes failed to come."""
    doubt: int = 0
    """So much of `played` no echo vouches for: the clock does, or echoes of this carrier have come too early."""
