"""The load of a process: when it has enough to do, and when it takes calls again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.server.load import Load, LoadOptions

SLOT = 0.25


def running(
    calls: int, share: float, *, seconds: float = 60.0, options: LoadOptions | None = None
) -> tuple[Load, float]:
    """A process whose calls have been on the line for a while; and the time."""
    load, now = Load(options), 0.0
    for number in range(calls):
        load.began(f"CA{number}", now)
    while now < seconds:
        now += SLOT
        load.ran(now, SLOT, share * SLOT)
        load.look(now)
    return load, now


def works(load: Load, now: float, share: float, seconds: float, process: float = 0.0) -> float:
    """So much work for so long; gives the time then."""
    for _ in range(round(seconds / SLOT)):
        now += SLOT
        load.ran(now, SLOT, share * SLOT, process * SLOT)
        load.look(now)
    return now


def burst(load: Load, now: float, calls: int, gap: float = 0.0) -> int:
    """So many calls ask; gives how many are let in."""
    taken = 0
    for number in range(calls):
        if not load.refusal(now + number * gap):
            load.expect(f"new {number}", now + number * gap)
            taken += 1
    return taken


# --- what makes it busy -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    ran: tuple[float, float] = (0.04, 0.0)
    """Of the loop's thread and of the process, in the last two seconds."""
    beats: Sequence[float] = ()
    sent: tuple[float, float] = (math.inf, 0.0)
    why: str = ""

    def feed(self, load: Load, now: float) -> None:
        load.ran(now, 2.0, *self.ran)
        load.sent(*self.sent)
        for lag in self.beats:
            load.beat(now, lag)


BUSY = [
    Row(name="the loop works", ran=(1.74, 0.0), why="the event loop was 87 % busy over the last 2 s"),
    Row(name="its threads work", ran=(1.0, 1.8), why="its cores were 90 % busy over the last 2 s"),
    Row(name="it is late", beats=(0.11, 0.2, 0.13), why="the event loop was 110 ms late or more, 3 times in 5 s"),
    Row(
        name="its audio is late",
        sent=(0.18, 0.42),
        why="audio was sent 420 ms late, and 180 ms were left to play",
    ),
    Row(name="a hole", sent=(-0.1, 0.7), why="audio was sent 700 ms late, and 0 ms were left to play"),
]
FREE = [
    Row(name="the loop works less", ran=(1.6, 0.0)),
    Row(name="it was held once", beats=(3.0,)),
    Row(name="it was held twice", beats=(0.4, 0.0, 0.4)),
    Row(name="it is a little late", beats=(0.09,) * 50),
    Row(name="audio is a little late", sent=(0.35, 0.25)),
    Row(name="little is sent ahead", sent=(0.01, 0.04)),
    Row(name="the voice gives no more", sent=(math.inf, 2.0)),
    Row(name="nothing is sent"),
]


@pytest.mark.parametrize("row", [*BUSY, *FREE], ids=lambda row: row.name)
def test_what_makes_a_process_busy(row: Row) -> None:
    load, now = running(10, 0.02)
    row.feed(load, now + 2.0)
    assert load.refusal(now + 2.0) == row.why
    assert load.busy is bool(row.why)


@pytest.mark.parametrize("row", BUSY, ids=lambda row: row.name)
def test_a_process_with_few_calls_takes_them_however_it_goes(row: Row) -> None:
    for calls in range(6):
        load, now = running(calls, 0.02)
        row.feed(load, now + 2.0)
        assert load.refusal(now + 2.0) == (row.why if calls >= 4 else "")


def test_nobody_is_refused_when_load_is_only_measured() -> None:
    load, now = running(10, 0.95, options=LoadOptions(refuse=False))
    assert (load.refusal(now), load.busy, load.has_spare(now, 10)) == ("", True, True)


# --- when it is free again ----------------------------------------------------------------------------------


def test_it_is_free_again_when_it_has_had_less_to_do_for_a_while() -> None:
    load, now = running(100, 0.9)
    assert load.busy
    now = works(load, now, 0.8, 20.0)  # below the limit, above relief
    assert load.busy
    now = works(load, now, 0.6, 0.75)  # now the last 2 s show less than 75 %
    assert load.busy
    now = works(load, now, 0.6, 2.5)
    assert load.busy
    works(load, now, 0.6, 0.25)
    assert not load.busy


def test_what_nobody_looked_at_meanwhile_is_over_when_it_is_long_ago() -> None:
    load, now = running(100, 0.1)
    for lag in (0.2, 0.2, 0.2):
        load.beat(now, lag)
    assert load.refusal(now)
    assert load.refusal(now + 4.9)  # late heartbeats count for 5 s
    assert load.refusal(now + 7.8)
    assert load.refusal(now + 8.0) == ""


def test_it_is_free_again_when_its_calls_are_gone() -> None:
    load, now = running(100, 0.9)
    for number in range(97):
        load.ended(f"CA{number}")
    assert load.refusal(now) == ""  # three are left
    works(load, now, 0.9, 3.25)
    assert not load.busy


# --- bursts -------------------------------------------------------------------------------------------------


def test_fifty_new_calls_in_a_second_at_two_hundred_running_are_let_in() -> None:
    load, now = running(200, 0.6)
    assert burst(load, now, 50, gap=0.02) == 50


def test_a_burst_is_let_in_as_far_as_there_is_room_before_any_gauge_moves() -> None:
    load, now = running(200, 0.6)
    assert load.cost == pytest.approx(0.003, rel=0.02)
    assert burst(load, now, 300, gap=0.001) == 83  # (0.85 - 0.60) / 0.003 = 83.3
    assert load.why == "the event loop was 60 % busy over the last 2 s, and 83 calls more are coming"


def test_calls_that_have_come_count_until_the_loop_shows_them() -> None:
    load, now = running(200, 0.6)
    burst(load, now, 80)
    now = works(load, now, 0.6, 1.0)
    for number in range(80):
        load.began(f"new {number}", now)
    pressures = [load.pressure(now)]
    for _ in range(4):
        now = works(load, now, 0.6 + 80 * 0.003, 0.5)
        pressures.append(load.pressure(now))
    assert pressures == pytest.approx([(0.6 + 81 * 0.003) / 0.85] * 5, rel=0.01)


def test_a_call_that_was_let_in_and_does_not_come_gives_its_room_back() -> None:
    load, now = running(200, 0.6)
    burst(load, now, 300)
    now = works(load, now, 0.6, 4.75)
    assert load.figures(now).coming == 83
    now = works(load, now, 0.6, 2.75)
    assert load.refusal(now)
    now = works(load, now, 0.6, 0.25)
    assert load.refusal(now) == ""
    assert load.figures(now).coming == 0
    load.expect("CAx", now + 9)
    assert load.expects("CAx", now + 10)
    load.forget("CAx")
    assert not load.expects("CAx", now + 10)


def test_a_cold_start_takes_a_burst() -> None:
    load = Load()
    assert burst(load, 0.0, 1000) == 424  # 0.85 / 0.002 is 425


# --- what a call costs --------------------------------------------------------------------------------------


def test_what_a_call_costs_is_learnt() -> None:
    heavy, now = running(8, 0.8, seconds=120.0)
    assert heavy.cost == pytest.approx(0.1, rel=0.15)
    assert heavy.figures(now).capacity == 8
    light, now = running(100, 0.05)
    assert light.cost == 0.002  # never less
    assert light.figures(now).capacity == 100 + 400


def test_the_first_seconds_of_the_first_calls_say_little() -> None:
    load, _ = running(2, 0.3, seconds=1.0)
    assert load.cost < 0.01


def test_work_that_few_calls_cannot_have_caused_makes_no_call_that_dear() -> None:
    load, now = running(1, 2.5, seconds=300.0)
    now = works(load, now, 0.0, 4.0)
    assert load.cost == pytest.approx(0.85 / 4)
    assert burst(load, now, 10) == 3  # four are always taken


def test_what_a_process_does_without_calls_is_not_their_cost() -> None:
    load, now = running(0, 0.1, seconds=300.0)
    for number in range(10):
        load.began(f"CA{number}", now)
    works(load, now, 0.15, 300.0)
    assert load.cost == pytest.approx(0.005, rel=0.1)


def test_nobody_is_called_out_of_the_room_of_those_who_call() -> None:
    load, now = running(200, 0.6)
    assert load.has_spare(now, 48)
    assert not load.has_spare(now, 50)  # 0.6 + 51 calls is 75 %
    assert not load.refusal(now)


# --- properties ---------------------------------------------------------------------------------------------

sample = st.tuples(
    st.floats(0, 1.2),  # share
    st.floats(0, 0.3),  # lag
    st.floats(0, 0.6),  # late
    st.integers(0, 30),  # calls that begin or are expected
)
MARGIN = 0.6


def feed(load: Load, now: float, share: float, lag: float, late: float) -> None:
    load.beat(now, lag)
    load.ran(now, SLOT, share * SLOT)
    load.sent(MARGIN - late, late)


@given(st.lists(sample, min_size=1, max_size=60), st.floats(1.0, 1.5), st.floats(0, 0.1))
def test_more_load_never_makes_it_less_busy(
    samples: list[tuple[float, float, float, int]], by: float, more: float
) -> None:
    less, loaded, now = Load(), Load(), 0.0
    for share, lag, late, calls in samples:
        now += SLOT
        for load in (less, loaded):
            for number in range(calls):
                load.expect(f"{now} {number}", now)
                load.began(f"{now} {number}", now)
        feed(less, now, share, lag, late)
        feed(loaded, now, share * by + more, lag * by + more, min(late * by + more, 5.0))
        assert loaded.pressure(now) >= less.pressure(now) - 1e-9
        if less.look(now):
            assert loaded.look(now)
        loaded.look(now)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 3)), max_size=60))
def test_an_idle_process_never_refuses(samples: list[tuple[float, float, float]]) -> None:
    load, now = Load(), 0.0
    for share, lag, late in samples:
        now += SLOT
        feed(load, now, share, lag, late)
        assert load.refusal(now) == ""
        assert not load.busy


@given(st.lists(sample, min_size=20, max_size=100))
def test_it_stays_busy_for_the_hold_at_least_and_never_flaps(samples: list[tuple[float, float, float, int]]) -> None:
    load, now, since = Load(), 0.0, None
    for share, lag, late, calls in samples:
        now += SLOT
        for number in range(calls):
            load.began(f"{now} {number}", now)
        feed(load, now, share, lag, late)
        before = load.busy
        busy = load.look(now)
        if busy and not before:
            since = now
        if before and not busy:
            assert since is not None
            assert now - since >= load.options.hold


@given(st.integers(4, 400), st.floats(0, 0.84), st.integers(1, 600))
def test_never_more_are_let_in_than_there_is_room_for(calls: int, share: float, asking: int) -> None:
    load, now = running(calls, share, seconds=10.0)
    taken = burst(load, now, asking)
    assert share + taken * load.cost <= load.options.share + 1e-9
    assert calls + taken <= load.figures(now).capacity


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 0},
        {"lag": -1},
        {"relief": 0},
        {"relief": 1.1},
        {"few": 0},
        {"late_beats": 0},
        {"cost": 0},
        {"cores": 0},
    ],
)
def test_limits_that_are_none_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        LoadOptions(**wrong)  # type: ignore[arg-type]
