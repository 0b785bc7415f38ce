"""A stream handler reads the consecutive frames of one answer; everything else waits until it returns."""

from __future__ import annotations

import asyncio

from voiceloop.answer import Answer
from voiceloop.frames import Audio, Text
from voiceloop.processor import Processor
from voiceloop.stream import Stream


class Head(Processor):
    pass


class Voice(Processor):
    """Speaks each piece of text after a tenth of a second."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def on_text(self, text: Stream[Text]) -> None:
        self.log.append(f"begin {text.answer.id}")
        async for piece in text:
            await asyncio.sleep(0.1)
            self.push(Audio(text.answer, piece.text.encode()))
        self.log.append(f"end {text.answer.id}")


async def test_one_invocation_reads_the_text_of_an_answer_while_it_is_written(session, tape, settle):
    head, voice = Head(), Voice()
    async with session(head, voice, tape) as running:
        answer = running.call.open_answer()
        for piece in "abc":
            head.push(Text(answer, piece))
            await asyncio.sleep(1)
        assert tape.content == ["Audio:b'a'", "Audio:b'b'", "Audio:b'c'"]
        assert voice.log == ["begin 1"]
        head.finish_answer(answer)
        await settle()
        assert voice.log == ["begin 1", "end 1"]
        assert (tape.content[-1], answer.outcome) == ("AnswerEnd:1", "complete")


async def test_other_content_waits_until_the_handler_has_returned(session, tape, settle):
    head, voice = Head(), Voice()
    async with session(head, voice, tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Audio(answer, b"tone"))
        head.push(Text(answer, "b"))
        await settle()
        assert tape.content == []
        await asyncio.sleep(0.1)
        await settle()
        assert tape.content == ["Audio:b'a'", "Audio:b'tone'"]
        await asyncio.sleep(0.1)
        await settle()
        assert tape.content[-1] == "Audio:b'b'"
        assert voice.log == ["begin 1", "end 1", "begin 1"]


async def test_next_answer_waits_until_the_one_before_is_over(session, tape, settle):
    head, voice = Head(), Voice()
    async with session(head, voice, tape) as running:
        running.call.say("a")
        running.call.say("b")
        await asyncio.sleep(0.15)
        assert voice.log == ["begin 1", "end 1", "begin 2"]
        await asyncio.sleep(0.1)
        await settle()
    assert tape.content == ["Audio:b'a'", "AnswerEnd:1", "Audio:b'b'", "AnswerEnd:2"]


async def test_interleaved_answers_are_read_one_after_the_other(session, tape, settle):
    head, voice = Head(), Voice()
    async with session(head, voice, tape) as running:
        first, second = running.call.open_answer(), running.call.open_answer()
        for piece in "abc":
            head.push(Text(first, piece))
            head.push(Text(second, piece.upper()))
        head.finish_answer(second)
        await asyncio.sleep(1)
        head.finish_answer(first)
        await asyncio.sleep(1)
        await settle()
    audio = [word for word in tape.content if word.startswith("Audio")]
    assert audio == [f"Audio:{piece.encode()}" for piece in "abcABC"]
    assert voice.log == ["begin 1", "end 1", "begin 2", "end 2"]


async def test_handler_that_returns_early_gets_no_more_of_the_run(session, tape, settle):
    class First(Processor):
        invocations = 0

        async def on_text(self, text: Stream[Text]) -> None:
            self.invocations += 1
            async for piece in text:
                self.push(piece)
                return

    head, first = Head(), First()
    async with session(head, first, tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Text(answer, "waits in the stream"))
        await settle()
        head.push(Text(answer, "comes when it has returned"))
        await settle()
        assert (first.invocations, tape.content) == (1, ["Text:a"])
        head.push(Audio(answer, b"other"))
        head.push(Text(answer, "b"))
        head.finish_answer(answer)
        await settle()
        assert first.invocations == 2
        assert tape.content == ["Text:a", "Audio:b'other'", "Text:b", "AnswerEnd:1"]
        running.call.say("c")
        await settle()
        assert tape.content[-2:] == ["Text:c", "AnswerEnd:2"]


async def test_handler_that_dies_mid_way_fails_its_answer_and_the_next_is_read(session, tape, settle):
    class Dies(Voice):
        async def on_text(self, text: Stream[Text]) -> None:
            async for piece in text:
                if piece.text == "bad":
                    raise ValueError("no voice")
                self.push(Audio(text.answer, piece.text.encode()))

    head = Head()
    async with session(head, Dies(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Text(answer, "bad"))
        head.push(Text(answer, "b"))
        running.call.say("next")
        await settle()
        assert answer.outcome == "failed"
        assert tape.content[:3] == ["Audio:b'a'", "Audio:b'next'", "AnswerEnd:2"]
    assert [fault.kind for fault in running.call.faults] == ["Dies.on_text"]


async def test_stream_of_a_dead_answer_ends_at_once_also_for_who_swallows_cancellation(session, settle):
    got: list[str] = []

    class Deaf(Processor):
        async def on_text(self, text: Stream[Text]) -> None:
            for _ in range(3):
                try:
                    async for piece in text:
                        got.append(piece.text)
                        await asyncio.sleep(1)
                except asyncio.CancelledError:
                    got.append("cancelled")

    head = Head()
    async with session(head, Deaf()) as running:
        answer = running.call.open_answer()
        for piece in "abc":
            head.push(Text(answer, piece))
        await settle()
        running.call.interrupt(answer)
        await settle()
        assert got == ["a", "cancelled"]
        assert running.call._engine.registry.tasks == {}


async def test_stream_that_was_not_begun_ends_when_its_answer_dies() -> None:
    answer = Answer(1)
    stream: Stream[Text] = Stream(answer)
    stream.feed(Text(answer, "a"))
    answer._close("interrupted")
    assert [piece async for piece in stream] == []


async def test_closed_stream_gives_what_it_still_holds() -> None:
    answer = Answer(1)
    stream: Stream[Text] = Stream(answer)
    stream.feed(Text(answer, "a"))
    stream.feed(Text(answer, "b"))
    stream.close()
    assert [piece.text async for piece in stream] == ["a", "b"]
