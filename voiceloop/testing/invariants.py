"""What stays true of every call, whatever caller, providers and line do: `check` says where it does not.

Each invariant is one small function that takes an `Evidence` and `Bounds` and yields what it found. They stand in the
modules ``invariants_*``, one for each subject, and in one table here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from voiceloop.testing import (
    invariants_answers,
    invariants_audio,
    invariants_ends,
    invariants_floor,
    invariants_memory,
    invariants_turns,
)
from voiceloop.testing.bounds import Bounds, BrokenInvariants, Violation
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.excuses import excused

__all__ = ["INVARIANTS", "Bounds", "BrokenInvariants", "Invariant", "Violation", "check", "require_invariants"]

Invariant = Callable[[Evidence, Bounds], Iterator[Violation]]
"""Yields what it found against it."""

INVARIANTS: dict[str, Invariant] = {
    each.__name__.replace("_", " "): each
    for module in (
        *(invariants_ends, invariants_answers, invariants_memory, invariants_audio, invariants_turns),
        invariants_floor,
    )
    for each in module.INVARIANTS
}
"""All of them, by name, in the order they are looked at."""


def check(evidence: Evidence, bounds: Bounds | None = None, *, only: Iterable[str] | None = None) -> list[Violation]:
    """Look at what a call left; returns what was found, in the order of the invariants.

    What was made to go wrong excuses what must follow from it (`voiceloop.testing.excuses`). What could not be looked
    at, because the voices are no artificial ones or there was no line, stands in `Evidence.skipped` afterwards.

    Args:
        evidence: of one call.
        bounds: the stated limits.
        only: names of invariants; default: all.

    Raises:
        KeyError: a name that is no invariant's.
    """
    bounds = bounds or Bounds()
    chosen = INVARIANTS if only is None else {name: INVARIANTS[name] for name in only}
    return [
        violation
        for invariant in chosen.values()
        for violation in invariant(evidence, bounds)
        if not excused(violation, evidence, bounds)
    ]


def require_invariants(evidence: Evidence, bounds: Bounds | None = None) -> None:
    """As `check`, but what was found is raised.

    Raises:
        BrokenInvariants: with all that was found.
    """
    if found := check(evidence, bounds):
        raise BrokenInvariants(found)
