"""Windows of all calls are judged on one tick, together, and what comes of it is what comes of each alone."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vad.conftest import SILENCE, Alone, FakeModel, Line, _lines
from voiceloop.log_context import CALL, logged_as
from voiceloop.sim.loop import run_virtual
from voiceloop.vad import tick as ticking
from voiceloop.vad.detector import VADOptions

LOUD, SOFT = b"\x10" + b"\x90" * 255, b"\xf0" + b"\xe0" * 255


def loop_timers() -> int:
    loop: Any = asyncio.get_running_loop()
    return sum(not timer._cancelled for timer in loop._scheduled)


# --- the tick ----------------------------------------------------------------------------------------------------


async def test_windows_of_all_calls_are_judged_in_one_run(lines: Any, model: FakeModel) -> None:
    async with lines(model, 30) as calls:
        for line in calls:
            line.hears(LOUD)
            await asyncio.sleep(0.0001)
        await asyncio.sleep(0.02)
    assert model.runs == [30]


@pytest.mark.parametrize("after", [0.0, 0.0001, 0.004, 0.0099, 0.01, 0.0123])
async def test_a_window_waits_for_10_ms_at_most(lines: Any, model: FakeModel, after: float) -> None:
    async with lines(model) as (line,):
        await asyncio.sleep(after)
        begun = asyncio.get_running_loop().time()
        line.hears(LOUD * 2)
        await asyncio.sleep(0.1)
    assert [kind for kind, _ in line.ear.heard] == ["started"]
    assert 0 <= line.ear.times[0] - begun <= 0.01 + 1e-6


async def test_one_timer_serves_all_calls_and_only_while_something_waits(lines: Any, model: FakeModel) -> None:
    async with lines(model, 5) as calls:
        await asyncio.sleep(0.001)
        assert loop_timers() == 0
        for line in calls:
            line.hears(LOUD)
        assert loop_timers() == 1
        await asyncio.sleep(0.02)
        assert loop_timers() == 0


async def test_lines_of_several_windows_are_judged_in_their_order(lines: Any, model: FakeModel) -> None:
    async with lines(model, 3) as calls:
        for count, line in enumerate(calls, 1):
            line.hears(b"".join(bytes([number]) * 256 for number in range(count)))
        await asyncio.sleep(0.02)
        judged = [[window[0] for window in line.vad._line.judged] for line in calls]
    assert judged == [[0], [0, 1], [0, 1, 2]]
    assert model.runs == [3, 2, 1]


async def test_a_run_is_bounded_and_other_code_runs_in_between(
    lines: Any, model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ticking, "MOST", 4)
    passes: list[int] = []  # of the loop, at each run

    def one_pass() -> None:
        passes[0] += 1
        if passes[0] < 100:
            asyncio.get_running_loop().call_soon(one_pass)

    def judge(lines: Any, windows: Any) -> list[float]:
        if not passes:
            passes.append(0)
            one_pass()
        passes.append(passes[0])
        said: list[float] = FakeModel.probabilities(model, lines, windows)
        return said

    model.probabilities = judge
    async with lines(model, 9) as calls:
        for line in calls:
            line.hears(LOUD)
        await asyncio.sleep(0.02)
    assert model.runs == [3, 3, 3]
    assert passes[-1] > passes[1]


@pytest.mark.parametrize("count", [1, 5, 20])
async def test_the_backlog_of_a_loop_with_long_turns_is_bounded_and_is_made_up_for_soon(
    lines: Any, model: FakeModel, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(ticking, "MOST", 8)
    begun = asyncio.Event()

    def judge(lines: Any, windows: Any) -> list[float]:
        begun.set()
        said: list[float] = FakeModel.probabilities(model, lines, windows)
        return said

    model.probabilities = judge
    async with lines(model, count) as calls:
        calls[0].hears(LOUD)
        await begun.wait()  # it is a tick's time from here on
        for _ in range(100):  # turns of the loop, each of which brings a third of a second of audio
            for line in calls:
                line.hears(LOUD * 10)
            await asyncio.sleep(0)
        assert max(len(line.vad._waiting) for line in calls) <= 50
        turns = 0
        while any(line.vad._waiting for line in calls):
            turns += 1
            await asyncio.sleep(0)
        assert turns < 40
        assert sum(model.runs) == 1 + 1000 * count
    assert max(model.runs) <= 8


async def test_silence_known_ahead_is_not_judged_and_costs_no_wait(lines: Any, model: FakeModel) -> None:
    async with lines(model) as (line,):
        line.hears(SILENCE * 10)
        assert loop_timers() == 0
        line.hears(LOUD * 3)
        line.hears(SILENCE)
        await asyncio.sleep(0.02)
    assert model.runs == [1, 1, 1, 1]
    assert line.ear.heard == [("started", pytest.approx(0.32))]


async def test_a_model_that_judges_single_lines_only_is_asked_at_once(
    lines: Any, model: FakeModel, alone: type[Alone]
) -> None:
    async with lines(alone(model)) as (line,):
        line.hears(LOUD * 2)
        assert line.ear.heard == [("started", 0.0)]
    assert model.runs == []


# --- the same as alone -------------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.sampled_from([LOUD, SOFT, SILENCE, LOUD[:160], SOFT[:160], SILENCE[:160]]), st.binary(max_size=800)
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 4), PIECES, st.sampled_from([0.0, 0.0, 0.0, 0.05, 0.3]), st.sampled_from([0.0, 0.003, 0.02])
    ),
    max_size=60,
)


async def course(model: Any, steps: list[tuple[int, bytes, float, float]]) -> list[list[tuple[str, float]]]:
    async with _lines(model, 5, VADOptions(min_speech=0.05, min_silence=0.06)) as calls:
        for number, audio, lost, wait in steps:
            calls[number].hears(audio, lost=lost)
            if wait:
                await asyncio.sleep(wait)
        await asyncio.sleep(0.05)
    return [line.ear.heard for line in calls]


@settings(max_examples=60)
@given(STEPS)
def test_a_line_hears_the_same_among_others_as_alone(steps: list[tuple[int, bytes, float, float]]) -> None:
    together = run_virtual(course(FakeModel(), steps), strict=True)
    alone = run_virtual(course(Alone(FakeModel()), steps), strict=True)
    assert together == alone


def test_lines_that_speak_are_heard_in_such_a_course() -> None:
    steps = [(number % 5, LOUD if number < 40 else SOFT, 0.3 * (number == 60), 0.003) for number in range(80)]
    heard = run_virtual(course(FakeModel(), steps), strict=True)
    assert all(len(line) >= 2 for line in heard)


async def test_the_end_of_speech_does_not_depend_on_what_came_while_it_was_judged(
    lines: Any, model: FakeModel, alone: type[Alone]
) -> None:
    ends = []
    for each in (alone(model), model):
        async with lines(each) as (line,):
            line.hears(LOUD * 40)
            await asyncio.sleep(0.02)
            for _ in range(6):
                line.hears(SOFT)
                line.hears(LOUD[:100])  # no window yet; loud enough to change what is soft
                line.at -= 100 / 8000
                line.vad._buffer = b""
            await asyncio.sleep(0.02)
            ends.append(line.ear.heard)
    assert ends[0] == ends[1]


async def test_behind_lost_audio_line_and_guard_begin_anew_when_its_turn_comes(lines: Any, model: FakeModel) -> None:
    async with lines(model) as (line,):
        order: list[str] = []
        guard = line.vad._guard
        hear = guard.hear
        line.vad._guard = SimpleNamespace(
            hear=lambda *window: order.append("hear") or hear(*window), lost=lambda: order.append("lost")
        )
        line.hears(LOUD * 2)
        line.hears(SOFT * 3 + LOUD[:100], lost=0.3)
        before = line.vad._line
        line.hears(LOUD * 3, lost=0.2)
        await asyncio.sleep(0.02)
        assert [len(each.judged) for each in (before, line.vad._line)] == [3, 3]
        assert line.vad._line.judged == [LOUD] * 3
    assert order == ["hear"] * 2 + ["lost"] + ["hear"] * 3 + ["lost"] + ["hear"] * 3
    ends = 0.064 + 0.3 + 3 * 0.032 + 100 / 8000 + 0.2
    assert line.ear.heard[-1] == ("started", pytest.approx(ends))


# --- what goes wrong ---------------------------------------------------------------------------------------------


async def test_a_window_that_fails_is_the_fault_of_its_own_call(
    lines: Any, model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    async with lines(model, 3) as calls:
        with caplog.at_level(logging.WARNING, "voiceloop.vad"):
            for line in calls:
                line.hears(b"bad" + bytes(253) if line is calls[1] else LOUD)
                line.hears(LOUD)
            await asyncio.sleep(0.02)
    assert [line.ear.faults for line in calls] == [[], ["VADProcessor.judge: ValueError: what is this?"], []]
    assert [line.ear.heard for line in calls] == [[("started", 0.0)], [], [("started", 0.0)]]
    assert [record.getMessage() for record in caplog.records if record.name == "voiceloop.vad"] == [
        "FakeModel.probabilities failed for 3 lines, each is judged alone: ValueError: a bad window is among them"
    ]


async def test_a_model_that_answers_for_too_few_lines_is_asked_for_each(lines: Any, model: FakeModel) -> None:
    model.probabilities = lambda lines, windows: [0.9]
    async with lines(model, 2) as calls:
        for line in calls:
            line.hears(LOUD * 2)
        await asyncio.sleep(0.02)
    assert [line.ear.heard for line in calls] == [[("started", 0.0)]] * 2


async def test_windows_of_a_call_that_ends_while_they_wait_are_dropped(lines: Any, model: FakeModel) -> None:
    async with lines(model, 2) as (first, second):
        first.hears(LOUD * 2)
        second.hears(LOUD * 2)
        await first.end()
        await asyncio.sleep(0.02)
        assert (first.ear.heard, second.ear.heard) == ([], [("started", 0.0)])
        second.hears(LOUD)
        await second.end()
        assert loop_timers() == 0
    assert model.runs == [1, 1]


async def test_a_call_may_end_another_by_what_it_hears(lines: Any, model: FakeModel) -> None:
    async with lines(model, 2) as (first, second):
        first.ear._note = lambda *_: second.vad._seat.leave()
        first.hears(LOUD * 2)
        second.hears(LOUD * 3)
        await asyncio.sleep(0.02)
    assert second.ear.heard == []
    assert model.runs == [2, 2]


async def test_what_comes_of_a_word_is_put_down_to_the_call_whose_line_it_is(
    model: FakeModel,
) -> None:
    said: list[str] = []
    seats = []

    def take(probability: float, error: Exception | None) -> None:
        said.append(CALL.get())
        asyncio.get_running_loop().call_soon(lambda: said.append(CALL.get()))

    for name in ("CA1", "CA2"):
        with logged_as(name):
            seats.append(ticking.VADTick.join(model, take))
            seats[-1].hear(model.new_line(), LOUD)
            seats[-1].hear(model.new_line(), LOUD)
    await asyncio.sleep(0.02)
    assert said == ["CA1", "CA2"] * 4
    for seat in seats:
        seat.leave()


async def test_a_complaint_about_the_model_is_about_no_call(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    about: list[str] = []
    monkeypatch.setattr(ticking.log, "warning", lambda *_: about.append(CALL.get()))
    model.probabilities = lambda lines, windows: []
    with logged_as("CA1"):
        seat = ticking.VADTick.join(model, lambda *_: None)
        seat.hear(model.new_line(), LOUD)
    await asyncio.sleep(0.02)
    seat.leave()
    assert about == [""]


def test_the_last_call_of_a_loop_leaves_while_a_loop_begins_in_another_thread(
    model: FakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ticks(dict[Any, Any]):
        def values(self) -> Any:  # what it may meet with
            raise RuntimeError("dictionary changed size during iteration")

    async def joins_and_leaves() -> None:
        ticking.VADTick.join(model, lambda *_: None).leave()

    ticks = Ticks()
    monkeypatch.setattr(ticking.VADTick, "_ticks", ticks)
    run_virtual(joins_and_leaves(), strict=True)
    run_virtual(joins_and_leaves(), strict=True)
    assert [*dict.values(ticks)] == [{}, {}]


async def test_nothing_of_a_call_is_left_at_the_tick_without_the_garbage_collector(model: FakeModel) -> None:
    gc.collect()
    gc.disable()
    try:
        line, stays = Line(model), Line(model)
        await asyncio.sleep(0.05)
        line.hears(LOUD * 20)
        await asyncio.sleep(0.02)
        line.hears(LOUD)
        await line.end()
        left = weakref.ref(line.vad), weakref.ref(line.call)
        del line
        await asyncio.sleep(0.02)
        assert [each() for each in left] == [None, None]
        await stays.end()
    finally:
        gc.enable()
