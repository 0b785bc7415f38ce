"""The end of a call: everything is cancelled in order, waited for within limits, and nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.frames import AnswerEnded, CallEnd, CallStart, Digit, Text
from voiceloop.processor import NotRunning, Processor
from voiceloop.runtime import Limits


class Head(Processor):
    pass


def others() -> set[str]:
    """Names of the tasks that run, but for the test's own."""
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_tasks_are_cancelled_in_the_order_of_their_creation(session):
    log: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            log.append(number)

    async with session(Head()) as running:
        for number in range(20):
            running.call.work(wait(number))
        await asyncio.sleep(0)
        report = await running.end()
        assert others() == set()
    assert log == list(range(20))
    assert report.abandoned == []


async def test_task_that_swallows_its_cancellation_is_abandoned_and_named_within_the_limit(session):
    release = asyncio.Event()

    class Stuck(Processor):
        async def on_digit(self, digit: Digit) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

    head = Head()
    async with session(head, Stuck(), limits=Limits(close=2.0)) as running:
        head.push(Digit("1", 0.0))
        await asyncio.sleep(1)
        report = await running.end()
        assert asyncio.get_running_loop().time() == 3.0
        assert report.abandoned == ["Stuck.on_digit"]
        assert [(f.kind, f.message) for f in report.faults] == [
            ("abandoned", "Stuck.on_digit did not end within 2 s of being cancelled.")
        ]
        assert others() == {"Stuck.on_digit"}
        release.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert others() == set()


async def test_abandoned_task_that_fails_in_the_end_bothers_nobody(session):
    class Stuck(Processor):
        async def on_digit(self, digit: Digit) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(10)
                raise ValueError("nobody hears this") from None

    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with session(head := Head(), Stuck(), limits=Limits(close=1.0)) as running:
        head.push(Digit("1", 0.0))
        await asyncio.sleep(1)
        assert (await running.end()).abandoned == ["Stuck.on_digit"]
        await asyncio.sleep(20)
        assert others() == set()
    assert complaints == []


async def test_stops_are_bounded_each_and_run_after_all_tasks_have_ended(session):
    log: list[str] = []

    class Slow(Processor):
        def on_call_start(self, start: CallStart) -> None:
            self.call.work(self.work())

        async def work(self) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                log.append("work ended")

        async def stop(self) -> None:
            log.append("stopping")
            await asyncio.sleep(100)

    class Raises(Processor):
        async def stop(self) -> None:
            log.append("raising")
            raise ValueError("no stop")

    async with session(Head(), Raises(), Slow(), limits=Limits(stop=2.0)) as running:
        report = await running.end()
        assert others() == set()
    assert log == ["work ended", "stopping", "raising"]
    assert report.duration == 3.0
    assert [(f.kind, f.message) for f in report.faults] == [
        ("Slow.stop", "did not return within 2 s and was cancelled"),
        ("Raises.stop", "ValueError: no stop"),
    ]
    assert report.abandoned == []


async def test_stop_that_swallows_its_cancellation_is_abandoned_too(session):
    release = asyncio.Event()

    class Stuck(Processor):
        async def stop(self) -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            raise ValueError("nobody hears this")

    async with session(Head(), Stuck(), limits=Limits(stop=2.0, close=1.0)) as running:
        report = await running.end()
        assert (report.abandoned, report.duration) == (["Stuck.stop"], 3.0)
        release.set()
        await asyncio.sleep(0)


async def test_cancelled_run_closes_the_call_as_carefully(session, tape):
    log: list[str] = []

    class Careful(Processor):
        def on_call_start(self, start: CallStart) -> None:
            self.call.work(self.work())

        async def work(self) -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                log.append("work ended")

        async def stop(self) -> None:
            await asyncio.sleep(1)
            log.append("stopped")

    async with session(Head(), Careful(), tape) as running:
        reports = []
        running.call.on_end(reports.append)
        running.cancel()
        await asyncio.sleep(0.5)
        running.cancel()  # and again, while it closes
        with pytest.raises(asyncio.CancelledError):
            await running.ended()
        assert log == ["work ended", "stopped"]
        assert [(report.reason, report.duration) for report in reports] == [("cancelled", 2.0)]
        assert others() == set()
        running._task = asyncio.create_task(asyncio.sleep(0))
    assert tape.of(CallEnd) == ["CallEnd"]


async def test_nothing_is_delivered_and_nothing_begins_while_the_call_closes(session, tape):
    class Last(Processor):
        async def stop(self) -> None:
            self.push(Digit("1", 0.0))
            answer = self.begin_answer()
            self.push(Text(answer, "a"))
            self.answer = answer
            self.call.timer(1e9, lambda: None, "never")

    async def work() -> None:
        raise AssertionError("this must not run")

    class Later(Processor):
        async def stop(self) -> None:
            self.call.work(work(), "late work")

    async with session(Head(), last := Last(), Later(), tape) as running:
        report = await running.end()
        assert others() == set()
    assert tape.of(Digit, Text) == []
    assert last.answer.outcome == "discarded"
    assert [(f.kind, f.message) for f in report.faults] == [
        ("Later.stop", "NotRunning: late work cannot begin any more: the call has ended."),
        ("Last.stop", "NotRunning: The timer 'never' cannot be set any more: the call has ended."),
    ]


async def test_timers_of_a_call_end_with_it(session):
    rung: list[str] = []
    async with session(Head()) as running:
        running.call.timer(1.0, lambda: rung.append("first"))
        running.call.timer(3.0, lambda: rung.append("second"))
        cancelled = running.call.timer(1.0, lambda: rung.append("cancelled"))
        cancelled.cancel()
        cancelled.cancel()
        await asyncio.sleep(2)
        await running.end()
        await asyncio.sleep(5)
    assert rung == ["first"]


async def test_processor_is_not_running_before_and_after_its_call(session):
    head = Head()
    message = (
        r"^Head\.push needs a running call: put the processor into a Pipeline and run it\. "
        r"After the call has ended nothing can be pushed any more\.$"
    )
    with pytest.raises(NotRunning, match=message):
        head.push(Digit("1", 0.0))
    async with session(head) as running:
        answer = running.call.open_answer()
    for use in (
        lambda: head.push(Digit("1", 0.0)),
        lambda: head.push_up(Digit("1", 0.0)),
        lambda: head.begin_answer(),
        lambda: head.finish_answer(answer),
        lambda: head.call,
        lambda: running.call.say("x"),
        lambda: running.call.play(b""),
        lambda: running.call.interrupt(),
        lambda: running.call.timer(0.0, lambda: None),
        lambda: running.call.work(asyncio.sleep(0)),
    ):
        with pytest.raises(NotRunning):
            use()


async def test_call_end_finds_answers_alive_and_tells_of_their_end_afterwards(session, tape):
    async with session(Head(), tape) as running:
        running.call.open_answer()
        await running.end("hung up")
    assert tape.of(CallEnd, AnswerEnded) == ["CallEnd", "AnswerEnded:1"]


async def test_first_reason_counts(session):
    async with session(Head()) as running:
        running.call.hang_up("hung up")
        running.call.end("caller hung up")
        report = await running.ended()
    assert report.reason == "hung up"


async def test_hang_up_waits_for_the_last_words_but_not_for_ever(session):
    for takes, until in ((5.0, 5.0), (1000.0, 60.0)):

        class Voice(Processor):
            seconds = takes

            async def on_text(self, text: Text) -> None:
                await asyncio.sleep(self.seconds)

        async with session(Head(), Voice()) as running:
            running.call.say("goodbye")
            running.call.hang_up("hung up")
            report = await running.ended()
        assert (report.reason, report.duration) == ("hung up", until)
