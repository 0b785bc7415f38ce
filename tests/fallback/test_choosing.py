"""Who is asked: tables and properties of the machine that chooses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.fallback.choosing import Choosing

ALL = range(3)
STEPS: list[tuple[float, str, int, list[int]]] = [
    # when, what, of whom, and the order afterwards
    (0.0, "", 0, [0, 1, 2]),
    (1.0, "failed", 0, [1, 2, 0]),  # rests until 11
    (2.0, "failed", 0, [1, 2, 0]),  # of another call: still until 11
    (3.0, "failed", 1, [2, 0, 1]),  # until 13
    (10.9, "", 0, [2, 0, 1]),
    (11.0, "", 0, [0, 2, 1]),
    (11.0, "try", 0, [2, 0, 1]),  # one request tries, the others do not
    (12.0, "failed", 0, [2, 1, 0]),  # until 32
    (13.0, "", 0, [1, 2, 0]),
    (13.0, "try", 1, [2, 1, 0]),
    (14.0, "left", 1, [1, 2, 0]),  # nothing was shown: somebody else tries
    (14.0, "try", 1, [2, 1, 0]),
    (15.0, "well", 1, [1, 2, 0]),
    (32.0, "", 0, [0, 1, 2]),
    (32.0, "try", 0, [1, 2, 0]),
    (33.0, "well", 0, [0, 1, 2]),
    (40.0, "failed", 0, [1, 2, 0]),  # as the first time: until 50
    (50.0, "", 0, [0, 1, 2]),
]


def act(choosing: Choosing, now: float, what: str, index: int) -> bool:
    if what == "failed":
        choosing.failed(index, now, "broken")
    elif what == "try":
        return choosing.ask(index, now)
    elif what:
        getattr(choosing, what)(index)
    return False


def test_a_failure_means_a_rest_and_a_trial_by_one() -> None:
    choosing = Choosing(10.0, 100.0)
    for now, what, index, order in STEPS:
        assert act(choosing, now, what, index) is (what == "try")
        assert (now, what, choosing.order(now, ALL)) == (now, what, order)


def test_rests_double_up_to_the_longest_and_begin_anew_when_it_was_well() -> None:
    choosing = Choosing(10.0, 60.0)
    now, rests = 0.0, []
    for _ in range(5):
        choosing.failed(0, now, "broken")
        until = choosing.rests_until(0)
        assert until is not None
        rests.append(until - now)
        now = until
        assert choosing.ask(0, now)
    assert rests == [10.0, 20.0, 40.0, 60.0, 60.0]
    choosing.well(0)
    assert (choosing.rests_until(0), choosing.why(0)) == (None, "")
    choosing.failed(0, now, "again")
    assert (choosing.rests_until(0), choosing.why(0)) == (now + 10.0, "again")


def test_those_that_are_well_are_asked_without_a_trial() -> None:
    choosing = Choosing(10.0, 60.0)
    assert not choosing.ask(0, 0.0)
    choosing.failed(0, 0.0, "broken")
    assert not choosing.ask(0, 5.0)  # for want of better, during its rest


EVENTS = st.lists(
    st.tuples(st.floats(0.0, 30.0), st.sampled_from(["failed", "try", "well", "left"]), st.integers(0, 2)), max_size=60
)


@given(EVENTS)
def test_whatever_happens_the_order_is_sound(events: list[tuple[float, str, int]]) -> None:
    choosing = Choosing(10.0, 80.0)
    now = 0.0
    trying: set[int] = set()
    for step, what, index in events:
        now += step
        before = choosing.rests_until(index)
        tried = act(choosing, now, what, index)
        assert not (tried and index in trying)  # one at a time
        trying = trying | {index} if tried else trying - {index} if what != "try" else trying
        if what == "failed":
            until: Any = choosing.rests_until(index)
            assert 9.99 <= until - now <= 80.01 or until == before
            trying = trying if until == before else trying - {index}
        order = choosing.order(now, ALL)
        assert sorted(order) == list(ALL)
        well = [each for each in ALL if choosing.rests_until(each) is None]
        usable = [each for each in ALL if each in well or (choosing.rests_until(each) or 0) <= now]
        assert [each for each in order if each in well] == well
        if well:
            assert order[0] in usable
            assert all(order.index(each) < 3 - len([x for x in ALL if x not in usable]) for each in well)
        assert choosing.order(now + 1000.0, [1]) == [1]


@pytest.mark.parametrize("among", [[0, 2], [2], [1, 0]])
def test_only_those_asked_for_are_ordered(among: list[int]) -> None:
    choosing = Choosing(10.0, 60.0)
    assert choosing.order(0.0, among) == among
