"""Faults of a line: marks, what is heard on it, and the process at its end. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Self

from voiceloop.sim.line_fault import Fault, moment

__all__ = [
    "LineEcho",
    "MarksDoubled",
    "MarksEarly",
    "MarksLate",
    "MarksNever",
    "MarksSwapped",
    "Noise",
    "Stall",
    "StrayMark",
]


# --- marks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Marks(Fault):
    """Which marks: those set at the carrier are counted from 0."""

    first: int = 0
    """The first one."""
    count: int | None = None
    """How many; None for all from there on."""

    @staticmethod
    def _some(random: Random, length: float) -> tuple[int, int | None]:
        return random.randrange(max(1, int(length))), random.choice((1, 1, 3, None))


@dataclass(frozen=True, slots=True)
class MarksEarly(_Marks):
    """Echoed before their audio has been played."""

    kind: ClassVar[str] = "marks early"
    by: float = 0.2
    """Seconds; not before they are set."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length), round(random.uniform(0.02, 1.0), 3))


@dataclass(frozen=True, slots=True)
class MarksLate(_Marks):
    """Echoed some time after they were due; others may overtake them."""

    kind: ClassVar[str] = "marks late"
    by: float = 0.5
    """Seconds."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length), round(random.uniform(0.02, 5.0), 3))


@dataclass(frozen=True, slots=True)
class MarksNever(_Marks):
    """Never echoed."""

    kind: ClassVar[str] = "marks never"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class MarksDoubled(_Marks):
    """Echoed twice."""

    kind: ClassVar[str] = "marks doubled"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class MarksSwapped(_Marks):
    """Echoed behind the one after them, each; one that none follows is never echoed."""

    kind: ClassVar[str] = "marks swapped"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """Some of the marks of a call of that many seconds."""
        return cls(*cls._some(random, length))


@dataclass(frozen=True, slots=True)
class StrayMark(Fault):
    """The echo of a mark that was never set."""

    kind: ClassVar[str] = "stray mark"
    at: float
    """When, seconds."""
    name: str = "never set"

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One somewhere in a call of that many seconds; its name may be one the agent is yet to use."""
        name = random.choice(("never set", f"end:{random.randrange(9)}", f"f:{random.randrange(9)}", "ü" * 300))
        return cls(moment(random, length), name)


# --- what is heard on the line ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineEcho(Fault):
    """The agent's own voice comes back in the caller's audio."""

    kind: ClassVar[str] = "line echo"
    delay: float = 0.15
    """From the caller's ear back into the line, seconds; 50-400 ms are usual."""
    level: float = -25.0
    """Of the echo against the voice, dB."""
    at: float = 0.0
    """From when on, seconds."""
    length: float | None = None
    """For how long, seconds; None for the rest of the call."""

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """For the whole call or a part of it."""
        at, part = (0.0, None) if random.random() < 0.5 else (moment(random, length), round(random.uniform(1, 10), 3))
        return cls(round(random.uniform(0.05, 0.4), 3), round(random.uniform(-40, -10), 1), at, part)


@dataclass(frozen=True, slots=True)
class Noise(Fault):
    """Noise in the caller's audio: white, evenly distributed."""

    kind: ClassVar[str] = "noise"
    level: float = -50.0
    """RMS, dBFS."""
    at: float = 0.0
    """From when on, seconds."""
    length: float | None = None
    """For how long, seconds; None for the rest of the call."""
    seed: int = 0

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """For the whole call or a part of it."""
        at, part = (0.0, None) if random.random() < 0.5 else (moment(random, length), round(random.uniform(1, 10), 3))
        return cls(round(random.uniform(-65, -30), 1), at, part, random.randrange(1000))


# --- the process ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """The agent's process stands still. The carrier and the caller do not: they are elsewhere."""

    kind: ClassVar[str] = "stall"
    at: float
    """When, seconds; to the moment, not every 20 ms."""
    seconds: float

    @classmethod
    def draw(cls, random: Random, length: float) -> Self:
        """One of 50-500 ms, somewhere in a call of that many seconds."""
        return cls(moment(random, length), round(random.uniform(0.05, 0.5), 3))
