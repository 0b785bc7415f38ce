"""A failure becomes a Fault: text only, told to everybody, counted; too many end the call politely."""

from __future__ import annotations

import asyncio
import dataclasses

from voiceloop.call_record import MAX_FAULTS
from voiceloop.faults import DETAIL_LIMIT, FaultPolicy, describe
from voiceloop.frames import AnswerEnd, Digit, Fault, Text
from voiceloop.handlers import watch
from voiceloop.processor import Processor


class Head(Processor):
    pass


class Broken(Processor):
    """Raises what it is told to."""

    error: BaseException

    def on_digit(self, digit: Digit) -> None:
        raise self.error


def broken(error: BaseException) -> Broken:
    processor = Broken()
    processor.error = error
    return processor


async def test_exception_of_an_inline_handler_is_a_fault_of_its_processor(session, tape):
    head = Head()
    async with session(head, broken(ValueError("no\nmore")), tape) as running:
        await asyncio.sleep(2)
        head.push(Digit("1", 0.0))
        fault = next(frame for frame in tape.frames if isinstance(frame, Fault))
        assert (fault.kind, fault.message, fault.at) == ("Broken.on_digit", "ValueError: no", 2.0)
        assert "raise self.error" in fault.detail
    assert [(f.kind, f.message, f.at) for f in running.call.faults] == [("Broken.on_digit", "ValueError: no", 2.0)]


async def test_cancelled_error_of_an_inline_handler_is_a_fault_too(session, tape):
    head = Head()
    async with session(head, broken(asyncio.CancelledError()), tape) as running:
        head.push(Digit("1", 0.0))
        assert tape.of(Digit, Fault) == ["Digit:1", "Fault:Broken.on_digit"]
    assert running.call.faults[0].message == "CancelledError"


async def test_fault_of_a_content_handler_names_the_answer(session, tape):
    class Voice(Processor):
        def on_text(self, text: Text) -> None:
            raise ValueError("no")

        @watch
        def on_end(self, end: AnswerEnd) -> None:
            raise KeyError("end")

    head = Head()
    async with session(head, Voice(), tape) as running:
        answer = running.call.say("x")
        faults = [frame for frame in tape.frames if isinstance(frame, Fault)]
        assert [(f.kind, f.answer) for f in faults] == [("Voice.on_text", answer), ("Voice.on_end", answer)]
        assert answer.outcome == "complete"


def test_fault_holds_text_and_never_the_exception():
    assert [field.type for field in dataclasses.fields(Fault)] == ["str", "str", "str", "Answer | None", "float"]
    line, detail = describe(ValueError("x" * 9000))
    assert (len(line), len(detail)) == (500, DETAIL_LIMIT)


def test_exception_that_cannot_be_printed_is_described_all_the_same():
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    line, detail = describe(Mute())
    assert line == "Mute"
    assert "Mute" in detail


async def test_fault_handler_that_raises_does_not_feed_itself(session, tape):
    class Nurse(Processor):
        calls = 0

        def on_fault(self, fault: Fault) -> None:
            self.calls += 1
            raise ValueError("cannot help")

    head, nurse = Head(), Nurse()
    async with session(head, nurse, tape) as running:
        running.call.fault("x", "first")
        assert (nurse.calls, tape.of(Fault)) == (1, ["Fault:x"])
    assert [fault.kind for fault in running.call.faults] == ["x", "Nurse.on_fault"]


async def test_async_fault_handler_that_raises_does_not_feed_itself(session, tape, settle):
    class Nurse(Processor):
        calls = 0

        async def on_fault(self, fault: Fault) -> None:
            self.calls += 1
            raise ValueError("cannot help")

    head, nurse = Head(), Nurse()
    async with session(head, nurse, tape) as running:
        running.call.fault("x", "first")
        await settle()
        assert (nurse.calls, tape.of(Fault)) == (1, ["Fault:x"])
    assert [fault.kind for fault in running.call.faults] == ["x", "Nurse.on_fault"]


async def test_two_processors_whose_faults_feed_each_other_come_to_rest(session, settle):
    class Nurse(Processor):
        calls = 0

        async def on_fault(self, fault: Fault) -> None:
            self.calls += 1
            self.push(Digit("1", 0.0))

    nurse = Nurse()
    policy = FaultPolicy(per_kind=1000, in_all=20)
    async with session(Head(), nurse, broken(ValueError("no")), faults=policy) as running:
        running.call.fault("x", "first")
        report = await running.ended()
    assert nurse.calls == 20
    assert report.reason == "failed"


async def test_so_many_faults_of_a_kind_end_the_call_after_a_goodbye(session, tape):
    head = Head()
    async with session(head, broken(ValueError("no")), tape) as running:
        for _ in range(3):
            assert running.call.ending is None
            head.push(Digit("1", 0.0))
        report = await running.ended()
    assert report.reason == "failed"
    assert tape.content == [f"Text:{running.call.phrases.failed}", "AnswerEnd:1"]


async def test_goodbye_is_heard_before_a_failed_call_ends(session, settle):
    class Voice(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(3)

    head = Head()
    async with session(head, broken(ValueError("no")), Voice()) as running:
        for _ in range(3):
            head.push(Digit("1", 0.0))
        report = await running.ended()
    assert (report.reason, report.duration) == ("failed", 3.0)


async def test_so_many_faults_of_any_kind_end_the_call_too(session):
    async with session(Head(), faults=FaultPolicy(per_kind=3, in_all=5)) as running:
        for number in range(5):
            assert running.call.ending is None
            running.call.fault(f"kind {number}", "no")
        report = await running.ended()
    assert (report.reason, len(report.faults)) == ("failed", 5)


async def test_noted_fault_is_reported_but_neither_told_nor_counted(session, tape):
    async with session(Head(), tape) as running:
        for _ in range(MAX_FAULTS + 5):
            running.call.note_fault("x", "harmless")
        assert tape.of(Fault) == []
        report = await running.end()
    assert (report.reason, len(report.faults)) == ("completed", MAX_FAULTS)


async def test_voice_that_cannot_even_apologise_ends_the_call(session, settle):
    class Mute(Processor):
        async def on_text(self, text: Text) -> None:
            raise ValueError("no voice")

    async with session(Head(), Mute()) as running:
        running.call.say("hello")
        report = await running.ended()
    assert (report.reason, [fault.kind for fault in report.faults]) == ("failed", ["Mute.on_text"] * 2)


async def test_failing_timer_is_a_fault_of_the_call(session, tape):
    def ring() -> None:
        raise ValueError("no bell")

    async with session(Head(), tape) as running:
        running.call.timer(1.0, ring, "bell")
        await asyncio.sleep(1)
        assert tape.of(Fault) == ["Fault:timer.bell"]


async def test_failing_work_is_a_fault_of_the_call_also_when_nobody_waits_for_it(session, tape, settle):
    async def book() -> None:
        raise ValueError("no table")

    async with session(Head(), tape) as running:
        running.call.work(book(), "booking")
        await settle()
        assert tape.of(Fault) == ["Fault:booking"]


async def test_the_goodbye_of_a_failed_call_is_its_last_word(session, settle):
    class Voice(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(1)
            spoken.append(text.text)

    spoken: list[str] = []
    head = Head()
    async with session(head, broken(ValueError("no")), Voice()) as running:
        thought = running.call.open_answer()  # a model thinks about it
        for _ in range(3):
            head.push(Digit("1", 0.0))
        await settle()
        running.call._engine.dispatch(Text(thought, "Late."), running.call._engine.head)
        report = await running.ended()
    assert (report.reason, report.duration) == ("failed", 1.0)
    assert spoken == [running.call.phrases.failed]
    assert thought.outcome == "failed"
