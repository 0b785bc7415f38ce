"""A processor with an async content handler is a gate: content waits there in order, signals never."""

from __future__ import annotations

import asyncio

from voiceloop.frames import AnswerEnded, Audio, Content, Digit, Fault, Interruption, Text
from voiceloop.handlers import watch
from voiceloop.processor import Processor


class Head(Processor):
    pass


class Slow(Processor):
    """Takes a second for each piece of text; audio at once."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def on_text(self, text: Text) -> None:
        self.log.append(f"+{text.text}")
        await asyncio.sleep(1)
        self.log.append(f"-{text.text}")
        self.push(text)

    def on_audio(self, audio: Audio) -> None:
        self.log.append("audio")
        self.push(audio)

    def on_digit(self, digit: Digit) -> None:
        self.log.append("digit")


async def test_content_is_handled_one_at_a_time_in_order(session, tape, settle):
    head, slow = Head(), Slow()
    async with session(head, slow, tape) as running:
        answer = running.call.open_answer()
        for piece in "abc":
            head.push(Text(answer, piece))
        head.finish_answer(answer)
        await asyncio.sleep(2.5)
        assert slow.log == ["+a", "-a", "+b", "-b", "+c"]
        assert tape.content == ["Text:a", "Text:b"]
        await asyncio.sleep(0.5)
        await settle()
        assert tape.content == ["Text:a", "Text:b", "Text:c", "AnswerEnd:1"]
        assert answer.outcome == "complete"


async def test_plain_handlers_of_a_gate_wait_for_their_turn_too(session, tape, settle):
    head, slow = Head(), Slow()
    async with session(head, slow, tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Audio(answer, b"b"))
        await settle()
        assert slow.log == ["+a"]
        await asyncio.sleep(1)
        await settle()
        assert slow.log == ["+a", "-a", "audio"]
        assert tape.content == ["Text:a", "Audio:b'b'"]


async def test_content_without_a_handler_waits_at_a_gate_too(session, tape, settle):
    class OnlyText(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(1)
            self.push(text)

    head = Head()
    async with session(head, OnlyText(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Audio(answer, b"b"))
        assert tape.content == []
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:a", "Audio:b'b'"]


async def test_signals_never_wait_at_a_gate(session, settle):
    head, slow = Head(), Slow()
    async with session(head, slow) as running:
        head.push(Text(running.call.open_answer(), "a"))
        await settle()
        head.push(Digit("1", 0.0))
        assert slow.log == ["+a", "digit"]


async def test_watcher_at_a_gate_sees_content_when_its_turn_has_come(session, settle):
    class Watched(Slow):
        @watch
        def on_look(self, text: Text) -> None:
            self.log.append(f"look {text.text}")

    head, slow = Head(), Watched()
    async with session(head, slow) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Text(answer, "b"))
        await settle()
        assert slow.log == ["look a", "+a"]
        await asyncio.sleep(1)
        await settle()
        assert slow.log == ["look a", "+a", "-a", "look b", "+b"]


async def test_watcher_that_interrupts_lets_no_handler_begin(session, settle):
    class Guard(Slow):
        @watch
        def on_look(self, text: Text) -> None:
            self.call.interrupt(text.answer)

    head, slow = Head(), Guard()
    async with session(head, slow) as running:
        head.push(Text(running.call.open_answer(), "a"))
        await settle()
        assert (slow.log, len(running.call._engine.registry.tasks)) == ([], 0)


async def test_next_answer_waits_until_the_one_before_has_passed(session, tape, settle):
    head, slow = Head(), Slow()
    async with session(head, slow, tape) as running:
        first, second = running.call.open_answer(), running.call.open_answer()
        head.push(Text(first, "a"))
        head.push(Text(second, "x"))
        head.push(Text(first, "b"))
        head.finish_answer(second)
        await asyncio.sleep(5)
        await settle()
        assert tape.content == ["Text:a", "Text:b"]  # the first is not over: more may come
        head.finish_answer(first)
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:a", "Text:b", "AnswerEnd:1", "Text:x", "AnswerEnd:2"]


async def test_answers_pass_in_the_order_they_arrive_not_in_the_order_they_began(session, tape, settle):
    head = Head()
    async with session(head, Slow(), tape) as running:
        first, second = running.call.open_answer(), running.call.open_answer()
        for answer, piece in ((second, "x"), (first, "a")):
            head.push(Text(answer, piece))
            head.finish_answer(answer)
        await asyncio.sleep(2)
        await settle()
        assert tape.content == ["Text:x", "AnswerEnd:2", "Text:a", "AnswerEnd:1"]


async def test_failed_handler_fails_its_answer_and_opens_the_gate(session, tape, settle):
    class Broken(Processor):
        async def on_text(self, text: Text) -> None:
            if text.text == "bad":
                raise ValueError("no")
            self.push(text)

    head = Head()
    async with session(head, Broken(), tape) as running:
        bad, good = running.call.open_answer(), running.call.open_answer()
        head.push(Text(bad, "bad"))
        head.push(Text(bad, "behind it"))
        head.push(Text(good, "good"))
        head.finish_answer(good)
        await settle()
        assert (bad.outcome, good.outcome) == ("failed", "complete")
        assert tape.content[:2] == ["Text:good", "AnswerEnd:2"]


async def test_failure_is_told_to_everybody_before_the_next_answer_passes(session, tape, settle):
    class Broken(Processor):
        async def on_audio(self, audio: Audio) -> None:
            raise ValueError("no")

        def on_text(self, text: Text) -> None:
            self.push(text)

    head = Head()
    async with session(head, Broken(), tape) as running:
        running.call.play(b"x")
        running.call.say("b")
        await settle()
        assert tape.of(Text, AnswerEnded, Fault)[:3] == ["Fault:Broken.on_audio", "AnswerEnded:1", "Text:b"]


async def test_answer_that_is_still_being_heard_does_not_keep_the_next_one_from_the_gate(session, tape, settle):
    head = Head()
    async with session(head, Slow(), tape) as running:
        first = running.call.say("a")
        running.call._engine.hold(first)  # as the streamer does, until it was played
        running.call.say("b")
        await asyncio.sleep(2)
        await settle()
        assert (first.outcome, tape.content) == (None, ["Text:a", "AnswerEnd:1", "Text:b", "AnswerEnd:2"])


async def test_handler_that_cancels_itself_has_failed(session, tape, settle):
    class Leaky(Processor):
        async def on_text(self, text: Text) -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    head = Head()
    async with session(head, Leaky(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        await settle()
        assert answer.outcome == "failed"
        assert running.call.faults[0].message == (
            "CancelledError: cancelled from within: something it awaited was cancelled"
        )


async def test_answer_that_ends_elsewhere_leaves_no_line_at_a_gate(session, tape, settle):
    head, tail = Head(), Head()
    async with session(head, Slow(), tail, tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        await asyncio.sleep(1)
        await settle()
        tail.finish_answer(answer)  # its end never passes the gate
        assert answer.outcome == "complete"
        running.call.say("next")
        await asyncio.sleep(1)
        await settle()
        assert tape.content == ["Text:a", "AnswerEnd:1", "Text:next", "AnswerEnd:2"]


async def test_gate_opens_for_the_next_answer_only_after_everybody_knows_of_the_interruption(session, tape, settle):
    class Plain(Processor):
        async def on_audio(self, audio: Audio) -> None:
            self.push(audio)

        def on_text(self, text: Text) -> None:
            self.push(text)

    head = Head()
    async with session(head, Plain(), tape) as running:
        first = running.call.open_answer()
        head.push(Text(first, "a"))
        running.call.say("b")
        running.call.interrupt(first)
        running.call.interrupt()
    assert tape.of(Content, Interruption, AnswerEnded) == [
        "Text:a",
        "Interruption:1",
        "AnswerEnded:1",
        "Text:b",
        "AnswerEnd:2",
        "AnswerEnded:2",
    ]


async def test_gate_that_opens_inside_a_handler_does_not_enter_that_processor_again(session, settle):
    class Both(Processor):
        def __init__(self) -> None:
            self.inside = False
            self.entered_twice = False
            self.got: list[str] = []

        async def on_audio(self, audio: Audio) -> None:
            pass

        def on_text(self, text: Text) -> None:
            self.entered_twice |= self.inside
            self.got.append(text.text)

        def on_digit(self, digit: Digit) -> None:
            self.inside = True
            self.call.interrupt(self.first)
            self.inside = False

    head, both = Head(), Both()
    async with session(head, both) as running:
        both.first = running.call.open_answer()
        head.push(Text(both.first, "a"))
        running.call.say("b")
        head.push(Digit("1", 0.0))
        assert (both.got, both.entered_twice) == (["a", "b"], False)


async def test_content_between_two_gates_stays_in_order(session, tape, settle):
    head = Head()
    async with session(head, Slow(), Slow(), tape) as running:
        for text in ("one", "two", "three"):
            running.call.say(text)
        await asyncio.sleep(10)
    assert tape.content == [
        word for n, text in enumerate(("one", "two", "three"), 1) for word in (f"Text:{text}", f"AnswerEnd:{n}")
    ]
