"""A scenario while it is played: what its steps and checks look at, and how they fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from voiceloop.errors import quoted
from voiceloop.report import CallReport
from voiceloop.sim.playback import RATE
from voiceloop.testing.scenario_source import Place
from voiceloop.testing.scenario_talk import Line

if TYPE_CHECKING:
    from voiceloop.testing.dial import Dialled

__all__ = ["Check", "Play", "Question", "Step", "StepFailed", "heard", "shown"]


class StepFailed(AssertionError):
    """The call did not go as the file says.

    Args:
        place: of the step in the file.
        step: as it is written there.
        expected: in words.
        came: what came instead, or what was heard.
    """

    def __init__(self, place: Place, step: str, expected: str, came: str) -> None:
        super().__init__(f"{place}: {step}\n  expected: {expected}\n  came:     {came}")
        self.place = place
        self.step = step
        self.expected = expected
        self.came = came


@dataclass(frozen=True, slots=True)
class Question:
    """Something for a judge, about the conversation as it was when it was asked."""

    place: Place
    text: str
    yes: bool
    """The answer that is expected."""
    conversation: str
    """As `voiceloop.testing.judge.transcript_of` gives it."""


@dataclass(slots=True)
class Play:
    """One run of a scenario."""

    dialled: Dialled
    patience: float
    """Seconds that the caller waits for anything."""
    report: CallReport | None = None
    """Once the call is over."""
    questions: list[Question] = field(default_factory=list)
    others: list[Line] = field(default_factory=list)
    """What the caller did that cannot be read from the sound."""

    @property
    def heard(self) -> str:
        """All that the caller heard so far."""
        return self.dialled.lexicon.text(bytes(self.dialled.carrier.heard))

    @property
    def now(self) -> float:
        """Seconds since the call began."""
        return len(self.dialled.carrier.heard) / RATE


class Check(Protocol):
    """Something that must hold. Raises `StepFailed`."""

    def check(self, play: Play) -> None: ...


class Step(Protocol):
    """Something that the caller does. Raises `StepFailed`, and what a `Dialled` raises."""

    @property
    def place(self) -> Place: ...

    @property
    def step(self) -> str:
        """As it is written."""
        ...

    async def take(self, play: Play) -> None: ...


def shown(text: str) -> str:
    """What came, for a failure."""
    return quoted(text) if text else "nothing"


def heard(text: str) -> str:
    """What was heard, for a failure."""
    return f'heard "{quoted(text)}"' if text else "heard nothing"
