"""An answer ends exactly once, however it ends, and nothing of a dead one is heard of again."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.answer import Answer, AnswerState
from voiceloop.errors import VoiceloopError
from voiceloop.frames import AnswerEnded, Audio, CallEnd, Digit, Interruption, Text
from voiceloop.processor import Processor


class Head(Processor):
    pass


class Writer(Processor):
    """Begins an answer in an async handler and leaves the rest to the engine."""

    answer: Answer | None = None

    async def on_digit(self, digit: Digit) -> None:
        self.answer = self.begin_answer()
        self.write(self.answer, "hello ")
        await asyncio.sleep(1)
        if digit.digit == "!":
            raise ValueError("no more words")
        self.write(self.answer, "there")


async def test_answer_of_an_async_handler_is_finished_when_it_returns(session, tape, settle):
    head, writer = Head(), Writer()
    async with session(head, writer, tape):
        head.push(Digit("1", 0.0))
        await settle()
        assert (writer.answer.outcome, writer.answer.finished) == (None, False)
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:hello ", "Text:there", "AnswerEnd:1"]
        assert (writer.answer.outcome, writer.answer.state) == ("complete", AnswerState.ENDED)
        assert (writer.answer.text, writer.answer.dead) == ("hello there", False)
    assert tape.of(AnswerEnded) == ["AnswerEnded:1"]


async def test_answer_of_an_async_handler_that_raises_has_failed(session, tape, settle):
    head, writer = Head(), Writer()
    async with session(head, writer, tape) as running:
        head.push(Digit("!", 0.0))
        await asyncio.sleep(1)
        await settle()
        assert (writer.answer.outcome, writer.answer.state) == ("failed", AnswerState.DEAD)
        apology = running.call.phrases.apology
        assert tape.content == ["Text:hello ", f"Text:{apology}", "AnswerEnd:2"]
        assert [(f.kind, f.message) for f in running.call.faults] == [("Writer.on_digit", "ValueError: no more words")]
    assert tape.of(AnswerEnded) == ["AnswerEnded:1", "AnswerEnded:2"]


async def test_answer_of_a_plain_handler_that_raises_has_failed(session, tape):
    class Broken(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.answer = self.begin_answer()
            raise ValueError("no")

    head, broken = Head(), Broken()
    async with session(head, broken, tape) as running:
        other = running.call.open_answer()
        head.push(Digit("1", 0.0))
        assert (broken.answer.outcome, other.outcome) == ("failed", None)


async def test_answer_begun_by_one_plain_handler_survives_the_failure_of_another(session):
    class Starter(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.answer = self.begin_answer()

    class Broken(Processor):
        def on_digit(self, digit: Digit) -> None:
            raise ValueError("no")

    head, starter = Head(), Starter()
    async with session(head, starter, Broken()):
        head.push(Digit("1", 0.0))
        assert starter.answer.outcome is None


async def test_answer_begun_by_an_earlier_frame_survives_the_failure_of_a_later_one(session):
    class Moody(Processor):
        def on_digit(self, digit: Digit) -> None:
            if digit.digit == "2":
                raise ValueError("no")
            self.answer = self.begin_answer()
            self.call.broadcast(Digit("2", 0.0))  # delivered in the same go

    head, moody = Head(), Moody()
    async with session(head, moody) as running:
        head.push(Digit("1", 0.0))
        assert moody.answer.outcome is None
        assert [fault.kind for fault in running.call.faults] == ["Moody.on_digit"]


async def test_other_answer_of_a_cancelled_handler_is_discarded(session, settle):
    class Twofold(Processor):
        async def on_digit(self, digit: Digit) -> None:
            self.first, self.second = self.begin_answer(), self.begin_answer()
            await asyncio.sleep(10)

    head, twofold = Head(), Twofold()
    async with session(head, twofold) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.interrupt(twofold.first)
        await settle()
        assert (twofold.first.outcome, twofold.second.outcome) == ("interrupted", "discarded")


async def test_answer_begun_while_starting_is_finished_when_start_returns(session, tape, settle):
    class Greeter(Processor):
        async def start(self) -> None:
            answer = self.begin_answer()
            await asyncio.sleep(1)
            self.write(answer, "hi")

    async with session(Greeter(), tape):
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:hi", "AnswerEnd:1"]


async def test_answer_begun_in_work_is_finished_from_where_it_was_begun(session, tape, new_tape, settle):
    class Later(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.call.work(self.tell())

        async def tell(self) -> None:
            answer = self.begin_answer()
            await asyncio.sleep(1)
            self.write(answer, "done")

    head, before = Head(), new_tape()
    async with session(head, before, Later(), tape):
        head.push(Digit("1", 0.0))
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:done", "AnswerEnd:1"]
        assert before.content == []


async def test_finishing_twice_ends_once(session, tape):
    head = Head()
    async with session(head, tape) as running:
        answer = running.call.open_answer()
        head.finish_answer(answer)
        head.finish_answer(answer)
        running.call.interrupt(answer)
        running.call.discard(answer)
        assert answer.outcome == "complete"
    assert tape.of(AnswerEnded, Interruption) == ["AnswerEnded:1"]


async def test_writing_to_a_finished_answer_is_refused_and_adds_nothing(session, tape):
    head = Head()
    async with session(head, tape):
        answer = head.begin_answer()
        head.write(answer, "hello")
        head.finish_answer(answer)
        with pytest.raises(VoiceloopError, match=r"Answer 1 .* has been finished"):
            head.write(answer, " there")
        assert answer.text == "hello"


async def test_handler_that_finishes_its_answer_itself_may_go_on_working(session, tape, settle):
    done: list[str] = []

    class Writer(Processor):
        async def on_digit(self, digit: Digit) -> None:
            answer = self.begin_answer()
            self.write(answer, "bye")
            self.finish_answer(answer)
            await asyncio.sleep(1)
            done.append(answer.outcome)

    head = Head()
    async with session(head, Writer(), tape):
        head.push(Digit("1", 0.0))
        await asyncio.sleep(1)
        await settle()
    assert done == ["complete"]


async def test_stale_text_pushed_by_the_cleanup_of_a_cancelled_handler_is_dropped(session, tape, settle):
    class Stubborn(Processor):
        async def on_digit(self, digit: Digit) -> None:
            answer = self.begin_answer()
            try:
                self.push(Text(answer, "said"))
                await asyncio.sleep(10)
            finally:
                self.push(Text(answer, "stale"))
                await asyncio.sleep(1)
                self.push(Text(answer, "staler"))

    class Voice(Processor):
        async def on_text(self, text: Text) -> None:
            self.push(Audio(text.answer, text.text.encode()))

    head = Head()
    async with session(head, Stubborn(), tape, Voice(), out := type(tape)()) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.interrupt()
        running.call.say("next")
        await asyncio.sleep(2)
        await settle()
    assert tape.content == ["Text:said", "Text:next", "AnswerEnd:2"]
    assert out.content == ["Audio:b'said'", "Audio:b'next'", "AnswerEnd:2"]


async def test_content_of_a_dead_answer_is_dropped_from_every_queue(session, tape, settle):
    class Slow(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(1)
            self.push(text)

    class Killer(Processor):
        def on_text(self, text: Text) -> None:
            self.push(text)
            if text.text == "kill":
                self.push(Text(text.answer, "in the queue of the dispatcher"))
                self.call.interrupt(text.answer)
                self.push(Text(text.answer, "behind the interruption"))

    head = Head()
    async with session(head, Killer(), Slow(), tape) as running:
        answer = running.call.open_answer()
        for piece in ("a", "b", "c", "kill", "d"):
            head.push(Text(answer, piece))
        await asyncio.sleep(5)
    assert tape.content == []
    assert running.call._engine is None


async def test_live_answer_ends_with_the_call_before_its_tasks_are_cancelled(session, tape):
    head = Head()
    async with session(head, tape) as running:
        heard, unheard = head.begin_answer(), head.begin_answer()
        heard.stamp("played", 0.0)
        await running.end()
    assert (heard.outcome, unheard.outcome) == ("interrupted", "discarded")
    assert tape.of(CallEnd, AnswerEnded, Interruption) == [
        "CallEnd",
        "Interruption:1",
        "AnswerEnded:1",
        "AnswerEnded:2",
    ]


async def test_held_answer_completes_when_it_was_heard(session, tape):
    head = Head()
    async with session(head, tape) as running:
        answer = running.call.open_answer()
        engine = running.call._engine
        engine.hold(answer)
        head.finish_answer(answer)
        assert (answer.delivered, answer.outcome) == (True, None)
        engine.release(answer)
        assert answer.outcome == "complete"
