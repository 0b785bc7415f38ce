"""Which of several providers to ask now. A state machine without I/O and without a clock.

Each one is well, or rests after a failure, or is being tried after its rest. All requests of all calls report to the
same machine, so what one call learns spares the others, and only one of them tries at a time. Times are seconds on one
clock; `now` never falls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Choosing"]


@dataclass(slots=True)
class _Rest:
    """The state of one that failed."""

    until: float
    failures: int
    """In a row."""
    why: str
    tried: bool = False
    """Some request finds out just now whether it is well again."""


class Choosing:
    """Keeps who is well.

    Args:
        rest: seconds after a first failure; doubled with each further one.
        rest_most: the longest.
    """

    def __init__(self, rest: float, rest_most: float) -> None:
        self._rest = rest
        self._rest_most = rest_most
        self._resting: dict[int, _Rest] = {}

    def order(self, now: float, among: Iterable[int]) -> list[int]:
        """All of them, the one to ask first first.

        Those that are well, and those whose rest is over, in the order given. Then the others, for want of better:
        whose rest ends first is first.
        """
        everyone = list(among)
        usable = [index for index in everyone if self._usable(index, now)]
        others = [index for index in everyone if index not in usable]
        return usable + sorted(others, key=lambda index: self._resting[index].until)

    def ask(self, index: int, now: float) -> bool:
        """It is asked now; True when that is the one request that tries whether it is well again.

        Whoever got True reports `well`, `failed` or `left`.
        """
        state = self._resting.get(index)
        if state is None or state.tried or state.until > now:
            return False
        state.tried = True
        return True

    def failed(self, index: int, now: float, why: str) -> None:
        """It raised, stalled or gave nothing. Further reports during its rest (from other calls) change nothing."""
        state = self._resting.get(index)
        if state is not None and now < state.until:
            return
        failures = 1 if state is None else state.failures + 1
        # Beyond 2**60 the product means nothing; the bound holds long before.
        rest = min(self._rest * 2 ** min(failures - 1, 60), self._rest_most)
        self._resting[index] = _Rest(now + rest, failures, why)

    def well(self, index: int) -> None:
        """It did what it was asked."""
        self._resting.pop(index, None)

    def left(self, index: int) -> None:
        """The request ended before it could show anything: the caller interrupted, or somebody else was quicker."""
        state = self._resting.get(index)
        if state is not None:
            state.tried = False

    def why(self, index: int) -> str:
        """What happened to it; empty when it is well."""
        state = self._resting.get(index)
        return state.why if state is not None else ""

    def rests_until(self, index: int) -> float | None:
        """When its rest ends, or ended; None when it is well."""
        state = self._resting.get(index)
        return state.until if state is not None else None

    def _usable(self, index: int, now: float) -> bool:
        state = self._resting.get(index)
        return state is None or (state.until <= now and not state.tried)
