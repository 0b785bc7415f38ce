"""The stated limits of a call, and what is said when one does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Bounds", "BrokenInvariants", "Violation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What holds of every call. Times in seconds.

    Limits of time are for a line without delay: its round trip and jitter are added.
    """

    ahead: int = 0
    """Words of an answer that may be remembered and were not heard."""
    behind: int = 1
    """Words of a cut answer that may have been heard and are not remembered: one may end while the ``clear`` is on
    its way. Behind a line with jitter one more. Words whose mark could not come back before the call was over do not
    count."""
    barge_in: float = 0.3
    """So long after the caller began to speak an answer that may be interrupted is still heard: 0.12 s of speech
    (`TurnOptions.barge_in`), what the voice activity model takes to notice it, and one message each way."""
    hole: float = 0.02
    """Silence within an answer that nobody notices."""
    lead: float = 1.0
    """Seconds of voice that are sent ahead at the most (`PlayoutOptions.lead`). The process, or the line, may stand
    still for that less `PlayoutOptions.step` without being heard to."""
    dead_air: float = 16.0
    """So long nobody is heard, at the most: then the agent speaks or the call ends, whichever provider stalls. Longer
    where `TurnOptions` waits longer."""
    mute: float = 25.0
    """The same for an agent that was never heard at all: it has no voice to say goodbye with, and gives up."""
    end: float = 15.0
    """So long after the line has ended there is a report: a line that nobody closes is given up after 10 s
    (`TransportOptions.silence`), and what must stop has 3 s for it (`Limits.stop`)."""
    latency: float = 0.05
    """Difference between the latency in the report and what the caller waited."""
    latency_parts: float = 1e-6
    """Difference between the sum of the parts and the whole."""
    slack: float = 0.0
    """Added to every limit of time: a wall clock needs some."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold."""

    invariant: str
    """Its name."""
    message: str
    """What was expected, and what came."""
    at: float | None = None
    """When, seconds on the loop's clock; None when it is of no one moment."""
    until: float | None = None
    """When it was over, if it lasted."""

    def __str__(self) -> str:
        when = "" if self.at is None else f" at {self.at:.3f} s"
        return f"{self.invariant}{when}: {self.message}"


class BrokenInvariants(AssertionError):
    """A call did what no call may do; `violations` has all of it."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("\n".join(str(violation) for violation in violations))
        self.violations = list(violations)
