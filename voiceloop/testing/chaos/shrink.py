"""Makes a failing call short: drops what is not needed for it to fail, then makes its numbers simple."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from voiceloop.testing.chaos.items import Item
from voiceloop.testing.chaos.plan import Plan

__all__ = ["Budget", "Shrunk", "shrink"]


@dataclass(slots=True)
class Budget:
    """How much is tried: whichever of the two is used up first."""

    tries: int = 300
    """Calls."""
    seconds: float = 4000.0
    """Of telephone. Whoever makes the calls counts them down: what hangs may count for more than it lasted."""

    @property
    def left(self) -> bool:
        """Whether anything more may be tried."""
        return self.tries > 0 and self.seconds > 0


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The shortest call that was found."""

    kept: Plan
    """With fewer items, each as it was drawn."""
    simplest: Plan
    """With simpler numbers too, and perhaps fewer items; the same as `kept` when nothing was simpler."""
    tries: int
    """Calls made."""


def shrink(plan: Plan, fails: Callable[[Plan], bool], budget: Budget | None = None, *, numbers: bool = True) -> Shrunk:
    """Find a shorter plan that fails, too.

    Dropping halves, then quarters, then single items (Zeller's delta debugging), until no single item can be
    dropped; then every number of every item towards its simplest value.

    Args:
        plan: fails.
        fails: whether a plan fails in the same way.
        budget: how much is tried.
        numbers: whether numbers are made simpler, too.
    """
    search = _Search(fails, budget or Budget())
    kept = search.drop(plan)
    simplest, before = kept, None
    while numbers and simplest != before:
        before = simplest
        simplest = search.drop(search.simplify(simplest))
    return Shrunk(kept, simplest, search.tries)


class _Search:
    def __init__(self, fails: Callable[[Plan], bool], budget: Budget) -> None:
        self.tries = 0
        self._fails = fails
        self._budget = budget
        self._known: dict[Plan, bool] = {}

    def drop(self, plan: Plan) -> Plan:
        """Without the items that it fails without."""
        size = max(1, len(plan.items) // 2)
        while True:
            plan, dropped = self._pass(plan, size)
            if size == 1 and not dropped:
                return plan
            size = max(1, size // 2)

    def _pass(self, plan: Plan, size: int) -> tuple[Plan, bool]:
        dropped, place = False, 0
        while place < len(plan.items):
            rest = _without(plan, plan.items[place : place + size])
            if self._try(rest):
                plan, dropped = rest, True
            else:
                place += size
        return plan, dropped

    def simplify(self, plan: Plan) -> Plan:
        """With simpler numbers."""
        for number in plan.numbers:
            changed = True
            while changed:
                changed = False
                item = next(each for each in plan.items if each.number == number)
                for simpler in item.simpler():
                    candidate = plan.with_item(simpler)
                    if self._try(candidate):
                        plan, changed = candidate, True
                        break
        return plan

    def _try(self, plan: Plan) -> bool:
        known = self._known.get(plan)
        if known is None:
            if not self._budget.left:
                return False
            self._budget.tries -= 1
            self.tries += 1
            known = self._known[plan] = self._fails(plan)
        return known


def _without(plan: Plan, items: Sequence[Item]) -> Plan:
    gone = {item.number for item in items}
    return replace(plan, items=tuple(item for item in plan.items if item.number not in gone))
