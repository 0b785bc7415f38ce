"""From a seed that fails to the shortest call that shows why."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from voiceloop.sim.artificial import Lexicon
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.run import HANGS, LETTER, SAME_TWICE, Failure, Outcome, run_plan, run_twice
from voiceloop.testing.chaos.shrink import Budget, shrink
from voiceloop.twilio.media import Bot

__all__ = ["Bench", "Finding", "find"]

COLLECT = 50
"""Calls after which garbage is collected."""

HUNG_COST = 400.0
"""Seconds of telephone that a hung call counts for: it takes seconds of real time."""
HUNG_WALL = 3.0
"""Seconds of real time after which a call counts as hung while one that hangs is made shorter."""
WORDS = 5000
"""Words after which a lexicon is made anew."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A failure, and the shortest call that shows it."""

    drawn: Plan
    """All that was drawn."""
    kept: Plan
    """Fewer of the items: what ``--keep`` names."""
    simplest: Plan
    """With simpler numbers, too: what a case file holds."""
    failure: Failure
    """Of the simplest plan."""
    tries: int
    """Calls that were made to find it."""


class Bench:
    """Where a bot is called again and again, in one process: what calls can share is shared."""

    def __init__(self, bot: Bot, *, bounds: Bounds | None = None, wall: float | None = None) -> None:
        self._bot = bot
        self._bounds = bounds
        self._wall = wall
        self._lexicon = Lexicon(letter=LETTER)
        self._runs = 0

    def run(self, plan: Plan, *, twice: bool = False, wall: float | None = None) -> Outcome:
        """Have a call; with `twice` also look whether it is the same when it is made again."""
        if len(self._lexicon._sounds) > WORDS:
            self._lexicon = Lexicon(letter=LETTER)
        self._runs += 1
        if self._runs % COLLECT == 0:
            gc.collect()  # what was looked at when its call was over is in no young generation any more
        run = run_twice if twice else run_plan
        return run(self._bot, plan, bounds=self._bounds, lexicon=self._lexicon, wall=wall or self._wall)

    def fails(self, plan: Plan, cause: str, budget: Budget) -> Failure | None:
        """The failure of a plan that has this cause, if there is one."""
        wall = HUNG_WALL if cause == HANGS and self._wall is not None else None
        outcome = self.run(plan, twice=cause == SAME_TWICE, wall=wall)
        hung = any(failure.invariant == HANGS for failure in outcome.failures)
        budget.seconds -= HUNG_COST if hung else outcome.seconds
        return next((failure for failure in outcome.failures if failure.cause == cause), None)


def find(where: Bench, plan: Plan, cause: str, budget: Budget | None = None) -> Finding | None:
    """The shortest call that fails for a cause; None when the plan does not fail so here and now."""
    budget = budget or Budget()
    last: dict[Plan, Failure] = {}

    def fails(candidate: Plan) -> bool:
        failure = where.fails(candidate, cause, budget)
        if failure is not None:
            last[candidate] = failure
        return failure is not None

    if not fails(plan):
        return None
    shrunk = shrink(plan, fails, budget)
    return Finding(plan, shrunk.kept, shrunk.simplest, last[shrunk.simplest], shrunk.tries)
