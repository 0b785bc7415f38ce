"""The echoes of marks when the carrier gets them wrong: early, late, never, twice, in the wrong order. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from voiceloop.sim.line_faults import MarksDoubled, MarksEarly, MarksLate, MarksNever, MarksSwapped
from voiceloop.sim.playback import Mark

__all__ = ["MarkEchoes", "MarkFault"]

MarkFault: TypeAlias = MarksEarly | MarksLate | MarksNever | MarksDoubled | MarksSwapped

_HAIR = 1e-6  # seconds: sums of blocks are off by less


class MarkEchoes:
    """Decides when each mark is echoed. Times are seconds on the loop's clock.

    Args:
        faults: the first that names a mark decides about it.
        send: sends an echo, as at a time.
        struck: told of a fault when it takes effect.
    """

    def __init__(
        self,
        faults: tuple[MarkFault, ...],
        send: Callable[[Mark, float], None],
        struck: Callable[[MarkFault, float], None],
    ) -> None:
        self._faults = faults
        self._send = send
        self._struck = struck
        self._fates: dict[Mark, MarkFault] = {}  # of the marks that are still to be echoed
        self._planned: list[tuple[float, Mark]] = []
        self._held: list[Mark] = []

    def set(self, mark: Mark, number: int, at: float, due: float) -> None:
        """The agent has set mark `number`; with nothing in between it will be reached when it is `due`."""
        for fault in self._faults:
            if number >= fault.first and (fault.count is None or number < fault.first + fault.count):
                self._fates[mark] = fault
                if isinstance(fault, MarksEarly):
                    self._planned.append((max(at, due - fault.by), mark))
                return

    def reached(self, mark: Mark, at: float) -> None:
        """All before the mark was played, or flushed: a carrier that works would echo it now."""
        fault = self._fates.pop(mark, None)
        if fault is None:
            self._echo(mark, at)
        elif isinstance(fault, MarksEarly):
            if mark.echoed_at is None:
                self._planned = [plan for plan in self._planned if plan[1] is not mark]
                self._echo(mark, at)
        else:
            self._struck(fault, at)
            if isinstance(fault, MarksLate):
                self._planned.append((at + fault.by, mark))
            elif isinstance(fault, MarksSwapped):
                self._held.append(mark)
            elif isinstance(fault, MarksDoubled):
                self._echo(mark, at)
                self._echo(mark, at)

    def look(self, at: float) -> None:
        """Echo what was planned for this time."""
        if self._planned:
            until = at + _HAIR
            ready = [plan for plan in self._planned if plan[0] <= until]
            self._planned = [plan for plan in self._planned if plan[0] > until]
            for _, mark in ready:
                fault = self._fates.get(mark)
                if fault is not None:  # an early one: `reached` is still to come
                    self._struck(fault, at)
                self._echo(mark, at)

    def _echo(self, mark: Mark, at: float) -> None:
        held, self._held = self._held, []
        self._send(mark, at)
        for other in held:
            self._send(other, at)
