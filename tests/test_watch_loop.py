"""Whatever holds the event loop is noticed, measured and named, and watching it costs next to nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.server.event_loop import new_loop
from voiceloop.sim.line_stalls import stall
from voiceloop.wallclock import perf_counter
from voiceloop.watch_loop import AT_ONCE, BEAT, PAUSE, Held, LoopWatch
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


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, new_loop])
def test_a_loop_that_is_closed_is_watched_no_more(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def joins() -> LoopWatch:
        return LoopWatch.join(member)

    member, heard, before = Member(), list(gc.callbacks), set(threading.enumerate())
    loop = factory()
    watch = loop.run_until_complete(joins())
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "voiceloop watch")
    loop.close()  # and nobody has left
    thread.join(5)
    assert not thread.is_alive()
    assert gc.callbacks == heard
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None
    watch.leave(member)  # harmless


# --- hundreds of calls -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class Counted(Member):
    rounds: list[int] = field(default_factory=list)
    now: list[int] = field(default_factory=lambda: [0])

    def loop_held(self, held: Held) -> None:
        super().loop_held(held)
        self.rounds.append(self.now[0])


async def test_hundreds_of_calls_are_told_a_few_at_a_time() -> None:
    loop, now = asyncio.get_running_loop(), [0]
    members = [Counted(now=now) for _ in range(300)]
    watch = LoopWatch.join(members[0])
    for member in members[1:]:
        LoopWatch.join(member)

    def count() -> None:
        now[0] += 1
        loop.call_soon(count) if now[0] < 100 else None

    loop.call_later(0.01, stall, loop, 0.7)
    loop.call_at(loop.time() + 0.7, count)
    await asyncio.sleep(2.0)
    rounds = [member.rounds for member in members]
    assert [len(each) for each in rounds] == [1] * 300
    told = [each[0] for each in rounds]
    assert max(told.count(number) for number in set(told)) <= AT_ONCE
    assert len({id(member.told[0]) for member in members}) == 1
    for member in members:
        watch.leave(member)


async def test_who_has_left_meanwhile_is_not_told() -> None:
    loop = asyncio.get_running_loop()
    members = [Member() for _ in range(3 * AT_ONCE)]

    class First(Member):
        def loop_held(self, held: Held) -> None:
            super().loop_held(held)
            for member in members:
                watch.leave(member)

    first = First()
    watch = LoopWatch.join(first)
    for member in members:
        LoopWatch.join(member)
    stall(loop, 0.7)
    await asyncio.sleep(1.0)
    assert len(first.told) == 1
    assert [member.told for member in members] == [[]] * len(members)
    watch.leave(first)


async def test_the_one_who_is_least_patient_sets_the_pace_for_as_long_as_it_is_there() -> None:
    loop = asyncio.get_running_loop()
    calls = [Member(held_limit=1.0) for _ in range(3)]
    watch = LoopWatch.join(calls[0])
    LoopWatch.join(calls[0])
    strict = Member(held_limit=0.1)
    for member in (*calls[1:], strict):
        LoopWatch.join(member)
    await asyncio.sleep(2.0)
    stall(loop, 0.2)
    await asyncio.sleep(2.0)
    assert [held.seconds for held in strict.told] == [pytest.approx(0.175, abs=0.0251)]
    watch.leave(strict)
    stall(loop, 0.2)
    await asyncio.sleep(2.0)
    assert len(strict.told) == 1
    assert [call.told for call in calls] == [[], [], []]
    for call in calls:
        watch.leave(call)


async def test_the_log_is_told_once_for_all_calls_and_not_of_each_hold(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    members = [Member() for _ in range(50)]
    for member in members:
        watch = LoopWatch.join(member)
    with caplog.at_level(logging.WARNING, "voiceloop.loop"):
        for seconds in (0.6, 0.5, 1.4):
            stall(loop, seconds)
            await asyncio.sleep(0.5)
        assert len(members[0].told) == 3
        assert len(caplog.messages) == 1
        await asyncio.sleep(PAUSE)
        stall(loop, 0.8)
        await asyncio.sleep(1.0)
    assert caplog.messages[0].startswith("something held the event loop for 0.")
    assert caplog.messages[1].endswith("nothing else could run (2 more since the last line, 1.27 s at most)")
    assert len(caplog.messages) == 2
    for member in members:
        watch.leave(member)


@pytest.mark.realtime
async def test_the_garbage_collector_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    member = Member()
    watch = LoopWatch.join(member)
    try:
        await asyncio.sleep(0.02)
        threading.Event().wait(0.01)
        watch._garbage._heard("start", {"generation": 2})  # as gc.callbacks do; a real one so long needs much memory
        threading.Event().wait(0.4)
        watch._garbage._heard("stop", {"generation": 2})
        await asyncio.sleep(2 * BEAT)
        gc.collect()
        assert watch._garbage.take()[1] == 2  # it is heard, too
    finally:
        watch.leave(member)
    assert watch._garbage._heard not in gc.callbacks
    (held,) = member.told
    assert str(held).startswith("garbage collection (generation 2) held the event loop for 0.")
    assert "offload" not in str(held)


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, new_loop])
def test_what_has_only_started_the_loop_is_not_blamed(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    member = Member()

    async def main() -> None:
        watch = LoopWatch.join(member)
        await asyncio.sleep(2 * BEAT)
        asyncio.get_running_loop().call_soon(threading.Event().wait, 0.5)  # the library's part of Python's
        await asyncio.sleep(2 * BEAT)
        watch.leave(member)

    loop = factory()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    (held,) = member.told
    assert held.by is not None
    assert held.by.who.startswith("Condition.wait ")
    assert "test_watch_loop.py" not in held.by.stack
