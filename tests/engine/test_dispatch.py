"""Dispatch runs to completion, and keeps the order of what it delivers."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.frames import Content, Digit, Fault, Text
from voiceloop.handlers import watch
from voiceloop.processor import Processor


class Head(Processor):
    """Pushes what a test tells it to."""


async def test_handler_is_not_entered_again_while_it_runs(session, tape):
    class Half(Processor):
        depth = 0
        deepest = 0

        def on_digit(self, digit: Digit) -> None:
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
            if digit.digit == "1":
                self.call.broadcast(Digit("2", 0.0))
                self.call.broadcast(Digit("3", 0.0))
            self.depth -= 1

    head, half = Head(), Half()
    async with session(head, half, tape):
        head.push(Digit("1", 0.0))
        assert half.deepest == 1
        assert tape.of(Digit) == ["Digit:1", "Digit:2", "Digit:3"]


async def test_pushed_frames_arrive_before_push_returns_to_a_task(session, tape):
    head = Head()
    async with session(head, tape):
        head.push(Digit("1", 0.0))
        assert tape.of(Digit) == ["Digit:1"]


async def test_signal_reaches_everybody_before_what_its_handlers_pushed(session, tape):
    class Echo(Processor):
        def on_digit(self, digit: Digit) -> None:
            if digit.digit == "1":
                self.push(Digit("2", 0.0))

    head = Head()
    async with session(head, Echo(), tape):
        head.push(Digit("1", 0.0))
    assert tape.of(Digit) == ["Digit:1", "Digit:2"]


async def test_hundred_thousand_chained_pushes_need_no_stack(session):
    class Chain(Processor):
        left = 100_000

        def on_digit(self, digit: Digit) -> None:
            if self.left:
                self.left -= 1
                self.call.broadcast(digit)

    head, chain = Head(), Chain()
    async with session(head, chain) as running:
        head.push(Digit("1", 0.0))
        assert chain.left == 0
    assert running.call.faults == []


async def test_endless_circle_of_pushes_is_cut_and_reported_at_once(session, tape):
    class Ping(Processor):
        running = True

        def on_digit(self, digit: Digit) -> None:
            if self.running:
                self.call.broadcast(digit)

        def on_fault(self, fault: Fault) -> None:
            self.running = False

    head, ping = Head(), Ping()
    async with session(head, ping, tape) as running:
        head.push(Digit("1", 0.0))
        assert tape.of(Fault) == ["Fault:dispatch.unsettled"]
        tape.frames.clear()
        head.push(Digit("2", 0.0))  # and the call goes on
        assert tape.of(Digit) == ["Digit:2"]
    assert [fault.kind for fault in running.call.faults] == ["dispatch.unsettled"]
    assert "(Digit)" in running.call.faults[0].message


async def test_circle_that_comes_back_at_every_cut_ends_the_call(session):
    class Ping(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.call.broadcast(digit)

        def on_fault(self, fault: Fault) -> None:
            self.call.broadcast(Digit("1", 0.0))

    head = Head()
    async with session(head, Ping()) as running:
        head.push(Digit("1", 0.0))
        report = await running.ended()
    assert report.reason == "failed"


async def test_content_stays_in_order_through_plain_processors_that_replace_it(session, tape):
    class Doubler(Processor):
        def on_text(self, text: Text) -> None:
            self.push(Text(text.answer, text.text))
            self.push(Text(text.answer, text.text.upper()))

    class Burst(Processor):
        def on_digit(self, digit: Digit) -> None:
            answer = self.begin_answer()
            for piece in "abc":
                self.push(Text(answer, piece))
            self.finish_answer(answer)

    head = Head()
    async with session(head, Burst(), Doubler(), Doubler(), tape):
        head.push(Digit("1", 0.0))
    assert tape.content == [f"Text:{piece}" for piece in "aAAAbBBBcCCC"] + ["AnswerEnd:1"]


async def test_frames_of_an_interrupted_action_are_delivered_and_its_error_raised(session, tape):
    head = Head()
    async with session(head, tape) as running:

        def action() -> None:
            head.push(Digit("1", 0.0))
            raise ValueError("half way")

        with pytest.raises(ValueError, match="half way"):
            running.call._engine.within(action)
        assert tape.of(Digit) == ["Digit:1"]


async def test_push_up_goes_back_to_the_head_nearest_first(session, new_tape):
    order: list[str] = []

    class Ear(Processor):
        def __init__(self, name: str) -> None:
            self.label = name

        def on_digit(self, digit: Digit) -> None:
            order.append(self.label)

    ears = [Ear("a"), Ear("b"), Ear("c"), Ear("d")]
    async with session(*ears):
        ears[2].push_up(Digit("1", 0.0))
        assert order == ["b", "a"]


async def test_content_cannot_be_pushed_up(session):
    head, tail = Head(), Head()
    async with session(head, tail) as running:
        answer = running.call.open_answer()
        with pytest.raises(TypeError, match=r"^push_up takes a signal; Text is content, which only flows "):
            tail.push_up(Text(answer, "x"))


async def test_broadcast_reaches_all_in_list_order_from_wherever_it_comes(session):
    order: list[str] = []

    class Ear(Processor):
        def __init__(self, name: str) -> None:
            self.label = name

        def on_fault(self, fault: Fault) -> None:
            order.append(self.label)

    ears = [Ear("a"), Ear("b"), Ear("c")]
    async with session(*ears) as running:
        running.call.fault("x", "from the call")
        ears[1].push(Fault("x", "from the middle"))
        ears[2].push_up(Fault("x", "from the end"))
    assert order == ["a", "b", "c"] * 3


async def test_call_time_is_that_of_the_wake_up(session):
    class Clock(Processor):
        times: list[float]

        @watch
        def on_content(self, content: Content) -> None:
            self.times.append(self.call.now)

    head, clock = Head(), Clock()
    clock.times = []
    async with session(head, clock) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        await asyncio.sleep(1.5)
        head.push(Text(answer, "b"))
    assert clock.times == [0.0, 1.5]
