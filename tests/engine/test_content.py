"""Content is consumed by the processor that has a handler for it, and passed by one that has not."""

from __future__ import annotations

from dataclasses import dataclass

from voiceloop.frames import AnswerEnd, Audio, Content, Digit, Text
from voiceloop.handlers import handles, watch
from voiceloop.processor import Processor


class Head(Processor):
    pass


@dataclass(slots=True, eq=False)
class Whisper(Text):
    """Text of a special kind."""


async def test_content_is_consumed_by_its_handler_and_passed_without_one(session, tape):
    got: list[str] = []

    class Eater(Processor):
        def on_text(self, text: Text) -> None:
            got.append(text.text)

    head = Head()
    async with session(head, Head(), Eater(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Audio(answer, b"b"))
    assert (got, tape.content) == (["a"], ["Audio:b'b'"])


async def test_watch_looks_without_consuming(session, tape):
    looked: list[str] = []

    class Spy(Processor):
        @watch
        def on_text(self, text: Text) -> None:
            looked.append(text.text)

    head = Head()
    async with session(head, Spy(), tape) as running:
        head.push(Text(running.call.open_answer(), "a"))
    assert (looked, tape.content) == (["a"], ["Text:a"])


async def test_processor_watches_what_it_also_consumes_first(session, tape):
    log: list[str] = []

    class Both(Processor):
        def on_text(self, text: Text) -> None:
            log.append("took")

        @watch
        def on_anything(self, content: Content) -> None:
            log.append("looked")

    head = Head()
    async with session(head, Both(), tape) as running:
        head.push(Text(running.call.open_answer(), "a"))
    assert (log, tape.content) == (["looked", "took"], [])


async def test_content_whose_answer_a_watcher_cuts_off_is_not_handled_any_more(session, tape):
    class Guard(Processor):
        @watch
        def on_anything(self, content: Content) -> None:
            self.call.interrupt(content.answer)

        def on_text(self, text: Text) -> None:
            raise AssertionError("content of a dead answer was handled")

    head = Head()
    async with session(head, Guard(), tape) as running:
        head.push(Text(running.call.open_answer(), "a"))
        head.push(Audio(running.call.open_answer(), b"a"))
    assert (tape.content, running.call.faults) == ([], [])


async def test_most_specific_type_wins_whatever_the_order_of_names(session):
    got: list[str] = []

    class Picky(Processor):
        def on_a(self, content: Content) -> None:
            got.append("content")

        @handles(Whisper)
        def on_b(self, whisper) -> None:
            got.append("whisper")

        def on_c(self, text: Text) -> None:
            got.append("text")

    head = Head()
    async with session(head, Picky()) as running:
        answer = running.call.open_answer()
        head.push(Whisper(answer, "w"))
        head.push(Text(answer, "t"))
        head.push(Audio(answer, b"a"))
    assert got == ["whisper", "text", "content"]


async def test_end_of_an_answer_is_seen_by_all_and_consumed_by_none(session, tape):
    log: list[str] = []

    class Greedy(Processor):
        def on_end(self, end: AnswerEnd) -> None:
            log.append("end")

    class Greedier(Processor):
        def on_content(self, content: Content) -> None:
            log.append(type(content).__name__)

    head = Head()
    async with session(head, Greedy(), Greedier(), tape) as running:
        answer = running.call.open_answer()
        head.finish_answer(answer)
        assert answer.outcome == "complete"
    assert (log, tape.content) == (["end", "AnswerEnd"], ["AnswerEnd:1"])


async def test_content_behind_the_end_of_its_answer_is_dropped_and_blocks_nobody(session, tape, settle):
    class Voice(Processor):
        async def on_text(self, text: Text) -> None:
            self.push(text)

    head = Head()
    async with session(head, Voice(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.finish_answer(answer)
        await settle()
        assert answer.outcome == "complete"
        head.push(Text(answer, "too late"))
        running.call.say("next")
        await settle()
    assert tape.content == ["Text:a", "AnswerEnd:1", "Text:next", "AnswerEnd:2"]


class LastWord(Processor):
    """Holds text back, and lets go of it at the end of the answer."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.held = ""

    def on_text(self, text: Text) -> None:
        self.held += text.text

    def on_answer_end(self, end: AnswerEnd) -> None:
        held, self.held = self.held, ""
        self.push(Text(end.answer, held + self.mark))
        self.push_up(Digit("1", 0.0))


async def test_what_a_processor_held_back_goes_in_front_of_the_answers_end(session, tape):
    async with session(Head(), LastWord("!"), Head(), LastWord("?"), tape) as running:
        running.call.say("so")
        answer = running.call.say("well")
        assert tape.content == ["Text:so!?", "AnswerEnd:1", "Text:well!?", "AnswerEnd:2"]
        assert answer.outcome == "complete"


async def test_an_answer_that_dies_at_its_end_ends_once(session, tape):
    class Cutter(LastWord):
        def on_answer_end(self, end: AnswerEnd) -> None:
            super().on_answer_end(end)
            self.call.interrupt(end.answer)

    async with session(Head(), Cutter("!"), tape) as running:
        answer = running.call.say("so")
        assert (tape.content, answer.outcome) == ([], "interrupted")
