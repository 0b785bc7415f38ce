"""The shortest call is short, fails in the same way, and is found within bounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.testing.chaos.bot_items import BotSpeaks
from voiceloop.testing.chaos.caller_items import Says
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.shrink import Budget, shrink

ITEMS = 24
PLAN = Plan(5, tuple(Says(number, wait=1.7, words=9) for number in range(ITEMS)), ITEMS)


@given(st.sets(st.integers(0, ITEMS - 1), max_size=5))
@settings(max_examples=60)
def test_only_what_is_needed_is_left(needed: set[int]) -> None:
    shrunk = shrink(PLAN, lambda plan: needed <= set(plan.numbers), Budget(tries=2000))
    assert set(shrunk.kept.numbers) == needed
    assert all(item in PLAN.items for item in shrunk.kept.items)


@given(st.sets(st.integers(0, ITEMS - 1), min_size=1, max_size=3))
@settings(max_examples=40)
def test_no_single_item_can_be_dropped_whatever_makes_it_fail(odd: set[int]) -> None:
    def fails(plan: Plan) -> bool:  # not monotonous: with too few others it does not fail
        return odd <= set(plan.numbers) and len(plan.items) % 2 == len(odd) % 2

    if not fails(PLAN):
        odd = {0, 1}
    kept = shrink(PLAN, fails, Budget(tries=5000)).kept
    assert fails(kept)
    assert not any(fails(kept.keep(set(kept.numbers) - {number})) for number in kept.numbers)


def test_numbers_become_simple() -> None:
    def fails(plan: Plan) -> bool:
        return any(item.words >= 4 for item in plan.items if isinstance(item, Says))

    shrunk = shrink(PLAN, fails)
    assert len(shrunk.simplest.items) == 1
    (item,) = shrunk.simplest.items
    assert isinstance(item, Says)
    assert (item.wait, item.words) == (0.0, 4)
    assert isinstance(shrunk.kept.items[0], Says)
    assert (shrunk.kept.items[0].wait, shrunk.kept.items[0].words) == (1.7, 9)


def test_what_simpler_numbers_made_needless_is_dropped() -> None:
    def fails(plan: Plan) -> bool:  # what is long needs another item beside it
        first = next((item for item in plan.items if item.number == 0), None)
        return isinstance(first, Says) and (first.words == 1 or len(plan.items) > 1)

    shrunk = shrink(PLAN, fails)
    assert (len(shrunk.kept.items), len(shrunk.simplest.items)) == (2, 1)


def test_a_switch_is_turned_to_its_simplest_side() -> None:
    plan = Plan(1, (BotSpeaks(0, at=7.3, how="queue", words=8, interruptible=False),), 1)
    shrunk = shrink(plan, lambda plan: len(plan.items) == 1)
    assert shrunk.simplest.items == (BotSpeaks(0, at=1.0, how="say", words=1, interruptible=True),)


def test_tries_are_bounded_and_none_is_made_twice() -> None:
    tried: list[Plan] = []

    def fails(plan: Plan) -> bool:
        tried.append(plan)
        return {3, 11} <= set(plan.numbers)

    shrunk = shrink(PLAN, fails, Budget(tries=15))
    assert len(tried) == shrunk.tries == 15
    assert len(set(tried)) == len(tried)
    assert {3, 11} <= set(shrunk.simplest.numbers)


def test_nothing_more_is_tried_when_the_time_is_used_up() -> None:
    budget = Budget(seconds=10.0)

    def fails(plan: Plan) -> bool:
        budget.seconds -= 4.0
        return 7 in plan.numbers

    assert shrink(PLAN, fails, budget).tries == 3
