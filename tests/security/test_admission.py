"""Who is let in when many come: the pure decisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceloop.server.admission import Connections, Handshakes, WebhookOptions, Webhooks

SID, OTHER = "CA" + "1" * 32, "CA" + "2" * 32


def test_the_oldest_handshake_goes_for_a_newcomer_of_its_kind() -> None:
    room: Handshakes[str] = Handshakes(2)
    came = [("a", False), ("b", False), ("A", True), ("c", False), ("B", True), ("C", True), ("d", False)]
    assert [room.enter(key, signed=signed) for key, signed in came] == [None, None, None, "a", None, "A", "b"]
    assert len(room) == 4


def test_a_handshake_that_is_over_makes_room() -> None:
    room: Handshakes[str] = Handshakes(1)
    assert room.enter("a", signed=False) is None
    room.leave("a")
    room.leave("a")
    assert room.enter("b", signed=False) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.integers(1, 5))
def test_a_newcomer_is_always_in_and_no_kind_outgrows_its_room(steps: list[tuple[bool, bool]], most: int) -> None:
    room: Handshakes[int] = Handshakes(most)
    inside: dict[bool, list[int]] = {True: [], False: []}
    for number, (comes, signed) in enumerate(steps):
        if comes:
            gone = room.enter(number, signed=signed)
            assert gone == (inside[signed].pop(0) if len(inside[signed]) == most else None)
            inside[signed].append(number)
        elif inside[signed]:
            room.leave(inside[signed].pop())
        assert len(room) == len(inside[True]) + len(inside[False]) <= 2 * most


def test_the_connection_that_waits_longest_goes_first() -> None:
    held: Connections[str] = Connections(3)
    for key in "abc":
        held.opened(key)
    held.asks("a")
    held.answered("a")  # it begins to wait anew
    assert held.full
    assert held.victim(lambda key: True) == "b"


def test_of_those_that_ask_only_one_whose_body_is_missing_goes() -> None:
    held: Connections[str] = Connections(2)
    for key in "ab":
        held.opened(key)
        held.asks(key)
    assert held.victim(lambda key: key == "b") == "b"
    assert held.victim(lambda key: False) is None


def test_one_that_waits_goes_before_one_that_asks() -> None:
    held: Connections[str] = Connections(2)
    held.opened("a")
    held.asks("a")
    held.opened("b")
    assert held.victim(lambda key: True) == "b"


STEPS = st.lists(st.tuples(st.sampled_from(["opened", "asks", "answered", "gone"]), st.integers(0, 5)), max_size=80)


@given(STEPS)
def test_a_connection_counts_once_however_often_it_is_told_of(steps: list[tuple[str, int]]) -> None:
    held: Connections[int] = Connections(100)
    there: set[int] = set()
    for what, key in steps:
        if what == "opened" and key in there:
            continue
        getattr(held, what)(key)
        if what == "opened":
            there.add(key)
        elif what == "gone":
            there.discard(key)
        assert len(held) == len(there)
        victim = held.victim(lambda key: True)
        assert (victim in there) if there else victim is None


# --- requests that were answered ------------------------------------------------------------------------------


def test_the_same_request_is_answered_again_soon_and_not_often() -> None:
    seen = Webhooks(WebhookOptions(again=15.0, asks=3))
    assert [seen.refusal("sig", SID, now) for now in (0.0, 3.0, 15.0)] == ["", "", ""]
    assert seen.refusal("sig", SID, 15.0) == "it was answered 3 times"
    assert seen.refusal("sig", SID, 15.1) == "it was answered 15 s ago"
    assert seen.refusal("another", SID, 15.1) == ""


def test_a_request_is_not_answered_for_another_call() -> None:
    seen = Webhooks()
    assert seen.refusal("sig", SID, 0.0) == ""
    assert seen.refusal("sig", OTHER, 1.0) == "it was for another call"
    assert seen.refusal("sig", SID, 1.0) == ""


def test_what_another_worker_has_answered_counts() -> None:
    seen = Webhooks()
    seen.was_answered("soon", SID, 90.0, 100.0)
    seen.was_answered("late", SID, 10.0, 100.0)
    assert seen.refusal("soon", SID, 100.0) == ""
    assert seen.refusal("late", SID, 100.0) == "it was answered 90 s ago"


def test_what_is_remembered_is_bounded_in_number_and_time() -> None:
    seen = Webhooks(WebhookOptions(most=3, remembered=100.0))
    for number in range(5):
        assert seen.refusal(f"sig {number}", SID, float(number)) == ""
    assert len(seen) == 3
    assert seen.refusal("sig 4", SID, 50.0) != ""
    assert seen.refusal("new", SID, 104.5) == ""
    assert len(seen) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40)), max_size=40))
def test_no_request_is_answered_more_often_or_later_than_is_said(steps: list[tuple[int, float]]) -> None:
    seen = Webhooks(WebhookOptions(again=15.0, asks=3))
    now, answered = 0.0, dict[int, list[float]]()
    for key, later in steps:
        now += later
        if not seen.refusal(str(key), SID, now):
            answered.setdefault(key, []).append(now)
    for times in answered.values():
        assert len(times) <= 3
        assert times[-1] - times[0] <= 15.0
