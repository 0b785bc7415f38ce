"""Who takes the next connection: the worker that has the fewest calls."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.server.shares import (
    LONGEST,
    PLACES,
    SILENT,
    UNDECIDED,
    Share,
    Shares,
    forget_share,
    make_table,
    seconds_to_leave,
    table_of,
)
from voiceloop.server.worker import is_full
from voiceloop.server.workers import MOST_WORKERS

SHARES = st.builds(Share, st.integers(0, 2000), st.booleans())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return make_table(tmp_path)


def worker(table: Path, place: int, calls: int = 0, *, full: bool = False) -> Shares:
    return Shares(table, place, lambda: calls, lambda: full)


# --- how long to wait -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "others", "milliseconds"),
    [
        (Share(7), [], 0),
        (Share(7), [Share(7), Share(9)], 0),
        (Share(8), [Share(7), Share(9)], 10),
        (Share(9), [Share(7), Share(9)], 15),
        (Share(105), [Share(7)], 29.4),
        (Share(9), [Share(3, full=True), Share(9)], 0),  # who is full takes nothing: nobody waits for it
        (Share(3, full=True), [Share(9), Share(9)], 30),
        (Share(3, full=True), [Share(2, full=True), Share(9)], 30),
        (Share(3, full=True), [Share(3, full=True)], 0),  # somebody has to say that all are full
        (Share(5, full=True), [Share(3, full=True)], 15),
    ],
)
def test_who_has_more_leaves_it_to_the_others(own: Share, others: list[Share], milliseconds: float) -> None:
    assert seconds_to_leave(own, others) * 1000 == pytest.approx(milliseconds, abs=0.01)


@given(st.lists(SHARES, min_size=1, max_size=8))
def test_somebody_takes_it_at_once_and_nobody_waits_long(shares: list[Share]) -> None:
    waits = [seconds_to_leave(own, shares[:i] + shares[i + 1 :]) for i, own in enumerate(shares)]
    assert min(waits) == 0.0
    assert max(waits) <= LONGEST
    ready = [share for share in shares if not share.full] or shares
    first = {share.calls for share, wait in zip(shares, waits, strict=True) if wait == 0.0}
    assert first == {min(share.calls for share in ready)}


@given(st.lists(st.integers(0, 500), min_size=2, max_size=6, unique=True))
def test_who_has_fewer_comes_first(calls: list[int]) -> None:
    waits = {own: seconds_to_leave(Share(own), [Share(other) for other in calls if other != own]) for own in calls}
    assert sorted(waits, key=waits.__getitem__) == sorted(calls)


# --- the table --------------------------------------------------------------------------------------------------


def test_workers_see_what_the_others_have(table: Path) -> None:
    first, second, third = worker(table, 0, 5), worker(table, 1, 9, full=True), worker(table, 7, 2)
    for each in (first, second, third):
        assert each.write(10.0, 0) == each.own(10.0, 0)
    assert first.others(10.0) == [Share(9, full=True), Share(2)]
    assert third.others(10.0) == [Share(5), Share(9, full=True)]
    assert first.wait(10.0, 0) == pytest.approx(LONGEST * 3 / 5)
    assert third.wait(10.0, 0) == 0.0
    for each in (first, second, third):
        each.close()


def test_who_leaves_is_not_waited_for(table: Path) -> None:
    stays, leaves = worker(table, 0, 5), worker(table, 1)
    leaves.write(10.0, 0)
    assert stays.others(10.0) == [Share(0)]
    leaves.close()
    leaves.close()
    assert stays.others(10.0) == []
    stays.close()


def test_who_hangs_is_waited_for_no_longer_than_a_moment(table: Path) -> None:
    works, hangs = worker(table, 0, 5), worker(table, 1)
    hangs.write(10.0, 0)
    assert works.wait(10.0 + SILENT - 0.01, 0) > 0
    assert works.wait(10.0 + SILENT, 0) == 0.0
    hangs.close()
    works.close()


KILLED = """
import os, signal, sys
from voiceloop.server.shares import Shares
shares = Shares(sys.argv[1], 3, lambda: 3)
shares.write(10.0, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_process_has_left_that_was_killed_is_not_waited_for(table: Path) -> None:
    run = subprocess.run([sys.executable, "-c", KILLED, str(table)], check=False, timeout=60)
    assert run.returncode == -signal.SIGKILL
    works = worker(table, 0, 8)
    assert works.others(10.1) == [Share(3)]  # it was there: the file is what they share
    forget_share(table.parent, 4)
    assert works.others(10.1) == [Share(3)]
    forget_share(table.parent, 3)  # its supervisor sees the end before it is silent
    assert works.others(10.1) == []
    heir = worker(table, 3, 5)
    heir.write(11.0, 0)
    assert works.others(11.0) == [Share(5)]
    heir.close()
    works.close()


def test_without_a_table_there_are_no_shares(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        worker(table_of(tmp_path), 0)


def test_there_are_places_for_all_workers_and_their_successors(table: Path) -> None:
    assert PLACES == 2 * MOST_WORKERS
    last = worker(table, PLACES - 1, 4)
    last.write(10.0, 0)
    other = worker(table, 0)
    assert other.others(10.0) == [Share(4)]
    last.close()
    other.close()
    with pytest.raises(ValueError, match=r"^expected a place from 0 to 511, got 512$"):
        worker(table, PLACES)


@pytest.mark.parametrize(
    ("lines", "busy", "refuse", "full"),
    [(False, False, True, False), (True, False, True, True), (False, True, True, True), (False, True, False, False)],
)
def test_a_worker_is_full_when_it_would_refuse_a_call(lines: bool, busy: bool, refuse: bool, full: bool) -> None:
    load, options = SimpleNamespace(look=lambda: busy), SimpleNamespace(load=SimpleNamespace(refuse=refuse))
    assert is_full(SimpleNamespace(full=lines, load=load, options=options)) is full


# --- what counts --------------------------------------------------------------------------------------------------


def test_a_new_connection_counts_until_it_is_known_what_it_is(table: Path) -> None:
    calls = [3]
    shares = Shares(table, 0, lambda: calls[0])
    shares.taken(10.0)
    assert shares.own(10.0, 4) == Share(4)
    calls[0] = 4  # it has become a call: it counts once
    assert shares.own(10.1, 4) == Share(4)
    shares.taken(10.2)
    shares.taken(10.2)
    assert shares.own(10.2, 6) == Share(6)
    assert shares.own(10.3, 5) == Share(5)  # one was a webhook, is answered and closed
    assert shares.own(10.2 + UNDECIDED, 5) == Share(4)  # the other one waits for its next request
    shares.close()


def test_connections_that_only_wait_do_not_count(table: Path) -> None:
    shares = worker(table, 0, 3)
    assert shares.own(10.0, 200) == Share(3)
    shares.close()


# --- many calls, without processes ------------------------------------------------------------------------------------


def spread(live: list[int], lag: Callable[[], float], arrivals: list[float], table: Path) -> list[float]:
    """Simulate workers that share the calls that arrive: each looks at a connection after its lag, and waits. Returns
    how long each connection waited."""
    shares = [Shares(table, place, partial(live.__getitem__, place)) for place in range(len(live))]
    waits = []
    for now in arrivals:
        for each in shares:
            each.write(now, 0)
        took = min(range(len(live)), key=lambda number: lag() + shares[number].wait(now, 0))
        waits.append(shares[took].wait(now, 0))
        live[took] += 1
    for each in shares:
        each.close()
    return waits


@pytest.mark.parametrize("lag", [0.0005, 0.005, 0.02])
def test_calls_are_even_however_late_the_loops_are(lag: float, table: Path) -> None:
    chance = random.Random(1)
    live = [0, 0, 0, 0]
    waits = spread(live, lambda: chance.uniform(0, lag), [number / 20 for number in range(200)], table)
    assert sum(live) == 200
    assert max(live) - min(live) <= 0.1 * 50 + 2
    assert max(waits) <= LONGEST


def test_a_new_worker_gets_what_comes_until_it_has_as_many(table: Path) -> None:
    chance = random.Random(2)
    live = [60, 60, 0, 60]
    spread(live, lambda: chance.uniform(0, 0.002), [number / 20 for number in range(60)], table)
    assert live == [60, 60, 60, 60]
