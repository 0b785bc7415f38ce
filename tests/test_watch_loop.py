"""Whatever holds the event loop is noticed, measured and named, and watching it costs next to nothing."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.sim.line_stalls import stall
from voiceloop.wallclock import perf_counter
from voiceloop.watch_loop import BEAT, Held, LoopWatch
from voiceloop.watch_stack import Sighting, blame, look


@dataclass(eq=False)
class Member:
    held_limit: float = 0.25
    told: list[Held] = field(default_factory=list)

    def loop_held(self, held: Held) -> None:
        self.told.append(held)


class PriceBoard:
    """Holds the loop, in one place or in two."""

    def on_turn(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def adds_up(self, seconds: float) -> int:
        until, total = perf_counter() + seconds, 0
        while perf_counter() < until:
            total += 1
        return total


def seen(who: str) -> Sighting:
    return Sighting(f"{who} (shop.py:1)", who)


@pytest.mark.parametrize(
    ("sightings", "guilty"),
    [([], None), (["a"], "a"), (["a", "a", "b"], "a"), (["a", "b"], None), (["a", "b", "c", "c"], None)],
)
def test_who_was_seen_most_of_the_time_is_to_blame(sightings: list[str], guilty: str | None) -> None:
    found = blame([seen(who) for who in sightings])
    assert (found.who if found else None) == guilty


@given(st.lists(st.sampled_from("abc"), max_size=9))
def test_nobody_is_blamed_whom_half_the_sightings_do_not_show(sightings: list[str]) -> None:
    found = blame([seen(who) for who in sightings])
    most = max((sightings.count(who) for who in sightings), default=0)
    assert (found is not None) == (most * 2 > len(sightings))
    assert found is None or sightings.count(found.who) == most


def test_a_stack_is_told_as_text() -> None:
    entered, leave = threading.Event(), threading.Event()

    class Stage:
        def on_turn(self) -> None:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=Stage().on_turn)
    thread.start()
    entered.wait(10)
    assert thread.ident is not None
    found = look(thread.ident)
    leave.set()
    thread.join()
    assert found is not None
    assert found.where.startswith("Stage.on_turn (test_watch_loop.py:")
    assert found.stack.splitlines()[0].startswith("threading.py:")
    assert found.engine is None
    assert look(thread.ident) is None


async def test_in_virtual_time_the_late_heart_tells_how_long_the_process_stood_still() -> None:
    loop, member, deaf = asyncio.get_running_loop(), Member(), Member(held_limit=2.0)
    watch = LoopWatch.join(member)
    LoopWatch.join(deaf)
    await asyncio.sleep(3.0)
    assert member.told == []
    stall(loop, 0.2)
    await asyncio.sleep(1.0)
    assert member.told == []
    stall(loop, 0.7)
    await asyncio.sleep(1.0)
    (held,) = member.told
    assert held.by is None
    assert 0.7 - 0.125 <= held.seconds <= 0.7
    assert deaf.told == []
    watch.leave(member)
    stall(loop, 5.0)
    await asyncio.sleep(1.0)
    assert len(member.told) == 1
    assert deaf.told[0].seconds == pytest.approx(5.0, abs=0.125)
    watch.leave(deaf)
    watch.leave(deaf)
    stall(loop, 5.0)
    await asyncio.sleep(1.0)
    assert len(deaf.told) == 1


@pytest.mark.realtime
@pytest.mark.parametrize("how", ["on_turn", "adds_up"])
async def test_in_real_time_the_function_file_and_line_are_named(how: str) -> None:
    member, board = Member(), PriceBoard()
    watch = LoopWatch.join(member)
    try:
        await asyncio.sleep(0.02)
        getattr(board, how)(0.5)
        await asyncio.sleep(2 * BEAT)
    finally:
        watch.leave(member)
    (held,) = member.told
    assert 0.5 - 2 * BEAT <= held.seconds < 1.5
    assert held.by is not None
    assert str(held).startswith(f"PriceBoard.{how} (test_watch_loop.py:")
    assert "held the event loop for 0." in str(held)
    assert "offload()" in str(held)
    assert "test_watch_loop.py" in held.by.stack


@pytest.mark.realtime
async def test_the_thread_is_there_from_the_first_call_to_the_last() -> None:
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "voiceloop watch"]

    first, second = Member(), Member()
    for thread in threads():  # of an earlier test
        await asyncio.to_thread(thread.join, 5)
    watch = LoopWatch.join(first)
    assert LoopWatch.join(second) is watch
    assert len(threads()) == 1
    watch.leave(first)
    (thread,) = threads()
    watch.leave(second)
    await asyncio.to_thread(thread.join, 5)
    assert threads() == []
    LoopWatch.join(first).leave(first)
    await asyncio.sleep(0.1)
    assert threads() == []
