"""How long a silence ends the caller's turn. Pure: what is known of the turn in, a wait out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from voiceloop.language import Cues
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.expect import Expect

__all__ = ["Endpointing", "FixedSilence", "SoFar", "Wait"]


@dataclass(frozen=True, slots=True)
class SoFar:
    """What is known of a turn while the caller is silent, or has just been."""

    text: str
    """Its words as recognised by now; they may still change."""
    asked: str = ""
    """What the agent said last, as it was heard; empty before it said anything."""
    expected: Expect | None = None
    """What the bot said would come."""
    cues: Cues = field(default_factory=Cues)
    """Words of the language that tell something."""
    spoken: float = 0.0
    """Seconds from the turn's first sample of speech to its last."""
    judged: float | None = None
    """What `Endpointing.judge` made of the sound: how likely the caller is done, 0 to 1; None while nobody knows."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait for the caller to go on."""

    seconds: float
    """So long after the last sample of speech the turn is over."""
    whole: bool = False
    """Whether the turn looks whole: worth preparing an answer before it is certain."""
    why: str = ""
    """For people: ``half a number``, ``ends with "and"``, …"""


class Endpointing(ABC):
    """Decides how long a silence ends a turn. One object for each call: it may learn how this caller speaks."""

    listens: ClassVar[float] = 0.0
    """Seconds of the caller's latest audio that `judge` wants; 0 when it is not to be called."""
    costs: ClassVar[float] = 0.05
    """Seconds that `judge` takes, as virtual time charges them."""

    @abstractmethod
    def wait(self, turn: SoFar, options: TurnOptions) -> Wait:
        """How long to wait. Called whenever something of the turn has changed; must be quick and keep no state."""

    def judge(self, audio: bytes) -> float:
        """How likely the caller is done, 0 to 1, by the sound. Run off the event loop at each first short silence.

        Args:
            audio: mu-law, 8000 Hz: the latest `listens` seconds, or less, up to the silence that was noticed.
        """
        raise NotImplementedError

    def went_on(self, pause: float) -> None:
        """The caller went on after so many seconds of silence: in the same turn, or after one that was ended too
        soon."""


class FixedSilence(Endpointing):
    """The same silence whatever was said: `TurnOptions.silence`."""

    def wait(self, turn: SoFar, options: TurnOptions) -> Wait:
        """Always the same."""
        return Wait(options.silence, bool(turn.text))
