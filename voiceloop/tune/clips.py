"""Calls, or single utterances, with what was truly said in them and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from voiceloop.frames import Transcript

__all__ = ["Clip", "Noticed", "Recognised", "RecordedEars", "TrueTurn"]


@dataclass(frozen=True, slots=True)
class TrueTurn:
    """What a caller said before waiting for an answer; pauses inside it do not end it."""

    text: str
    """Its words; empty when nobody wrote them down."""
    started: float
    """First sample of speech, seconds from the first sample of the clip."""
    ended: float
    """Last sample of speech, likewise."""

    def __post_init__(self) -> None:
        if not 0 <= self.started < self.ended:
            raise ValueError(f"expected a turn that ends after it started, got {self.started} to {self.ended} s")


@dataclass(frozen=True, slots=True)
class Noticed:
    """A model of voice activity noticed that speech began or paused. Seconds from the first sample of the clip."""

    now: float
    """When it was noticed."""
    at: float
    """The first, or the last, sample of speech."""
    speaking: bool
    """True when speech began."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Something a recogniser gave in a recorded call."""

    now: float
    """When, seconds from the first sample of the clip."""
    transcript: Transcript | None
    """None: it had answered for all audio up to the pause before."""
    stream: int = 0
    """The number of its stream of audio in the call."""


@dataclass(frozen=True, slots=True)
class RecordedEars:
    """What was noticed and understood in a recorded call, in order."""

    noticed: tuple[Noticed, ...]
    recognised: tuple[Recognised, ...]
    asked: tuple[tuple[float, str], ...] = ()
    """What the agent said, as it was heard, each when it was over."""


@dataclass(frozen=True, slots=True)
class Clip:
    """What one caller said."""

    name: str
    audio: bytes = field(repr=False)
    """Mu-law, 8000 Hz."""
    turns: tuple[TrueTurn, ...]
    """In order; they do not overlap."""
    ears: RecordedEars | None = field(default=None, repr=False)
    """Of a recorded call."""

    def __post_init__(self) -> None:
        for before, after in zip(self.turns, self.turns[1:], strict=False):
            if after.started < before.ended:
                raise ValueError(f"{self.name}: a turn starts at {after.started} s, before the last ended")

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.audio) / 8000

    @property
    def written(self) -> bool:
        """Whether the words of every turn are known."""
        return bool(self.turns) and all(turn.text for turn in self.turns)
