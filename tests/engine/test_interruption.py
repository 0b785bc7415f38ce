"""An interruption marks an answer dead, cancels what works for it, then informs; the caller's work goes on."""

from __future__ import annotations

import asyncio

from voiceloop.frames import AnswerEnded, Audio, CallEnd, Digit, Interruption, Pause, Resume, Text
from voiceloop.processor import Processor
from voiceloop.stream import Stream


class Head(Processor):
    pass


class Talker(Processor):
    """Begins an answer at a digit and works on it for ten seconds."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def on_digit(self, digit: Digit) -> None:
        self.answer = self.begin_answer()
        try:
            self.push(Text(self.answer, "hm"))
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise


async def test_answer_is_dead_before_anybody_hears_of_it(session, settle):
    told: list[tuple[str, bool, str | None]] = []

    class Ear(Processor):
        def on_interruption(self, interruption: Interruption) -> None:
            told.append(("interruption", interruption.answer.dead, interruption.answer.outcome))

        def on_answer_ended(self, ended: AnswerEnded) -> None:
            told.append(("ended", ended.answer.dead, ended.answer.outcome))

    head, talker = Head(), Talker()
    async with session(head, talker, Ear()) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.interrupt()
        assert told == [("interruption", True, "interrupted"), ("ended", True, "interrupted")]
        await settle()
        assert talker.log == ["cancelled"]
        assert running.call._engine.registry.tasks == {}


async def test_interruption_reaches_all_in_list_order(session):
    order: list[str] = []

    class Ear(Processor):
        def __init__(self, name: str) -> None:
            self.label = name

        def on_interruption(self, interruption: Interruption) -> None:
            order.append(self.label)

    ears = [Ear("a"), Ear("b"), Ear("c")]
    async with session(*ears) as running:
        answer = ears[2].begin_answer()
        running.call.interrupt(answer)
        running.call.interrupt(answer)
    assert order == ["a", "b", "c"]


async def test_gate_opens_at_once_when_the_cancelled_task_swallows_its_cancellation(session, tape, settle):
    class Stubborn(Processor):
        async def on_text(self, text: Text) -> None:
            while text.text == "stuck":
                try:
                    await asyncio.sleep(30)
                    self.push(text)
                    return
                except asyncio.CancelledError:
                    continue
            self.push(text)

    head = Head()
    async with session(head, Stubborn(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "stuck"))
        running.call.say("next")
        await settle()
        running.call.interrupt(answer)
        await settle()
        assert tape.content == ["Text:next", "AnswerEnd:2"]
        await asyncio.sleep(30)  # now it gives in, and what it pushes is dropped
        await settle()
        assert tape.content == ["Text:next", "AnswerEnd:2"]
        assert running.call._engine.registry.tasks == {}


async def test_uninterruptible_answer_is_cut_only_by_name(session):
    head = Head()
    async with session(head) as running:
        notice, chat = running.call.open_answer(interruptible=False), running.call.open_answer()
        running.call.interrupt()
        assert (notice.outcome, chat.outcome) == (None, "interrupted")
        running.call.interrupt(notice)
        assert notice.outcome == "interrupted"


async def test_answer_behind_the_interrupted_ones_is_not_begun_before_it_dies_too(session, settle):
    begun: list[str] = []

    class Voice(Processor):
        async def on_audio(self, audio: Audio) -> None:
            begun.append("audio")
            await asyncio.sleep(1)

        def on_text(self, text: Text) -> None:
            begun.append("text")

    async with session(Head(), Voice()) as running:
        running.call.play(b"a")
        running.call.say("b")
        await settle()
        running.call.interrupt()
        await settle()
    assert begun == ["audio"]


async def test_work_for_the_caller_is_not_cancelled_by_an_interruption(session, settle):
    log: list[str] = []

    class Booker(Processor):
        async def book(self) -> str:
            await asyncio.sleep(5)
            log.append("booked")
            return "B7"

        async def on_digit(self, digit: Digit) -> None:
            answer = self.begin_answer()
            try:
                self.write(answer, await self.call.work(self.book()))
            except asyncio.CancelledError:
                log.append("handler cancelled")
                raise

    head = Head()
    async with session(head, Booker()) as running:
        head.push(Digit("1", 0.0))
        await asyncio.sleep(1)
        running.call.interrupt()
        await settle()
        assert log == ["handler cancelled"]
        await asyncio.sleep(5)
        assert log == ["handler cancelled", "booked"]
    assert running.call.faults == []


async def test_work_that_speaks_is_not_cancelled_with_what_it_says(session, tape, settle):
    log: list[str] = []

    class Booker(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.call.work(self.book())

        async def book(self) -> None:
            answer = self.begin_answer()
            self.write(answer, "one moment")
            await asyncio.sleep(5)
            log.append("booked")
            self.write(answer, "done")

    head = Head()
    async with session(head, Booker(), tape) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.interrupt()
        await asyncio.sleep(6)
    assert log == ["booked"]
    assert tape.content == ["Text:one moment"]


async def test_say_from_a_handler_outlives_the_interruption_of_the_handlers_own_answer(session, tape, settle):
    class Polite(Processor):
        async def on_digit(self, digit: Digit) -> None:
            self.call.say("one moment")
            self.answer = self.begin_answer()
            await asyncio.sleep(10)

    head, polite = Head(), Polite()
    async with session(head, polite, tape) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.interrupt(polite.answer)
        await settle()
        assert tape.content == ["Text:one moment", "AnswerEnd:1"]


async def test_handler_may_interrupt_its_own_answer(session, settle):
    class Suicidal(Processor):
        async def on_digit(self, digit: Digit) -> None:
            self.answer = self.begin_answer()
            self.call.interrupt(self.answer)
            await asyncio.sleep(10)

    head, processor = Head(), Suicidal()
    async with session(head, processor) as running:
        head.push(Digit("1", 0.0))
        await settle()
        assert processor.answer.outcome == "interrupted"
        assert running.call._engine.registry.tasks == {}
    assert running.call.faults == []


async def test_interruption_and_hang_up_in_one_pass_leave_no_worker(session, tape, settle):
    class Voice(Processor):
        async def on_text(self, text: Stream[Text]) -> None:
            async for _ in text:
                await asyncio.sleep(1)

    head = Head()
    async with session(head, Talker(), Voice(), tape) as running:
        head.push(Digit("1", 0.0))
        running.call.say("b")
        await settle()
        running.call.interrupt()
        report = await running.end("caller hung up")
    await settle()
    assert {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()} == set()
    assert (report.reason, report.abandoned) == ("caller hung up", [])
    assert tape.of(Interruption, CallEnd) == ["Interruption:1", "Interruption:2", "CallEnd"]


async def test_hang_up_before_an_interruption_in_one_pass_leaves_no_worker(session, settle):
    head = Head()
    async with session(head, Talker()) as running:
        head.push(Digit("1", 0.0))
        await settle()
        running.call.end("caller hung up")
        running.call.interrupt()
        report = await running.ended()
    assert (report.reason, report.abandoned) == ("caller hung up", [])


async def test_handlers_that_fail_to_clean_up_after_interruptions_do_not_end_the_call(session, settle):
    class Dirty(Processor):
        async def on_digit(self, digit: Digit) -> None:
            self.begin_answer()
            try:
                await asyncio.sleep(10)
            finally:
                raise ConnectionError("closed")

    head = Head()
    async with session(head, Dirty()) as running:
        for _ in range(5):
            head.push(Digit("1", 0.0))
            await settle()
            running.call.interrupt()
            await settle()
        assert running.call.ending is None
        assert [fault.message for fault in running.call.faults] == ["ConnectionError: closed"] * 5


async def test_pause_and_resume_reach_everybody_and_end_nothing(session, tape):
    head = Head()
    async with session(head, tape) as running:
        answer = running.call.open_answer()
        running.call.pause(answer)
        running.call.resume(answer)
        assert answer.outcome is None
        assert tape.of(Pause, Resume) == ["Pause:1", "Resume:1"]
