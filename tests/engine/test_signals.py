"""Signals reach everybody further along, whatever a handler does."""

from __future__ import annotations

import asyncio

from voiceloop.frames import CallerAudio, Digit, Signal, SpeechStarted, Text, Transcript, UserTurn
from voiceloop.handlers import handles, transforms
from voiceloop.processor import Processor


class Head(Processor):
    pass


async def test_handler_that_forgets_to_forward_swallows_nothing(session, tape):
    class Forgetful(Processor):
        def on_digit(self, digit: Digit) -> None:
            return None

        async def on_caller_audio(self, audio: CallerAudio) -> None:
            await asyncio.sleep(100)

    head = Head()
    async with session(head, Forgetful(), tape):
        head.push(Digit("1", 0.0))
        head.push(CallerAudio(b"x", 0.0))
        assert tape.of(Digit, CallerAudio) == ["Digit:1", "CallerAudio:b'x'"]


async def test_handler_that_raises_swallows_nothing(session, tape):
    class Broken(Processor):
        def on_digit(self, digit: Digit) -> None:
            raise ValueError("no")

    head = Head()
    async with session(head, Broken(), tape):
        head.push(Digit("1", 0.0))
        assert tape.of(Digit) == ["Digit:1"]


async def test_handler_of_every_signal_consumes_none(session, tape, new_tape):
    head = Head()
    async with session(head, new_tape(), new_tape(), tape):
        head.push(SpeechStarted(0.0))
        assert tape.of(SpeechStarted) == ["SpeechStarted"]


async def test_only_a_transformer_replaces_a_signal(session, tape):
    class Polite(Processor):
        @transforms
        def on_transcript(self, transcript: Transcript) -> Transcript:
            return Transcript(transcript.text.replace("damn", "darn"))

    class Ignored(Processor):
        def on_transcript(self, transcript: Transcript):
            return Transcript("nonsense")

    head = Head()
    async with session(head, Ignored(), Polite(), tape):
        head.push(Transcript("damn"))
        assert tape.of(Transcript) == ["Transcript:darn"]


async def test_replacement_of_another_type_is_heard_by_the_handlers_of_that_type(session, tape):
    class Dial(Processor):
        @transforms
        def on_transcript(self, transcript: Transcript) -> Digit:
            self.push(Digit("0", 0.0))
            return Digit(transcript.text, 0.0)

    class Picky(Processor):
        def on_transcript(self, transcript: Transcript) -> None:
            raise AssertionError(f"a handler of transcripts got {transcript}")

    head = Head()
    async with session(head, Dial(), Picky(), tape) as running:
        head.push(Transcript("7"))
        assert tape.of(Digit, Transcript) == ["Digit:7", "Digit:0"]
    assert running.call.faults == []


async def test_replacement_of_another_type_keeps_its_direction(session, new_tape):
    class Dial(Processor):
        @transforms
        def on_transcript(self, transcript: Transcript) -> Digit:
            return Digit(transcript.text, 0.0)

    before, after, tail = new_tape(), new_tape(), Head()
    async with session(before, Dial(), after, tail):
        tail.push_up(Transcript("7"))
        assert after.of(Digit, Transcript) == ["Transcript:7"]
        assert before.of(Digit, Transcript) == ["Digit:7"]


async def test_transformer_that_returns_nothing_is_a_fault_and_the_signal_goes_on(session, tape):
    class Broken(Processor):
        @transforms
        def on_digit(self, digit: Digit) -> Digit:
            return None

    head = Head()
    async with session(head, Broken(), tape) as running:
        head.push(Digit("1", 0.0))
        assert tape.of(Digit) == ["Digit:1"]
    assert [(fault.kind, fault.message) for fault in running.call.faults] == [
        ("Broken.on_digit", "TypeError: @transforms must return a signal, got NoneType")
    ]


async def test_broadcast_cannot_become_something_else(session, tape):
    class Broken(Processor):
        @transforms
        def on_user_turn(self, turn: UserTurn) -> Digit:
            return Digit("1", 0.0)

    head = Head()
    async with session(head, Broken(), tape) as running:
        head.push(UserTurn("hi", 0.0, 0.0, 0.0, 0.0))
        assert tape.of(UserTurn, Digit) == ["UserTurn:hi"]
    assert "cannot turn UserTurn into Digit" in running.call.faults[0].message


async def test_broadcast_can_be_replaced_by_its_like_from_there_on(session, tape, new_tape):
    class Trim(Processor):
        @transforms
        def on_user_turn(self, turn: UserTurn) -> UserTurn:
            return UserTurn(turn.text.strip(), turn.started, turn.ended, turn.endpointed, turn.decided)

    before = new_tape()
    async with session(before, Trim(), tape):
        before.push(UserTurn(" hi ", 0.0, 0.0, 0.0, 0.0))
        assert (before.of(UserTurn), tape.of(UserTurn)) == (["UserTurn: hi "], ["UserTurn:hi"])


async def test_async_handlers_of_signals_run_side_by_side_each_in_its_own_task(session, settle):
    log: list[str] = []

    class Slow(Processor):
        async def on_digit(self, digit: Digit) -> None:
            log.append(f"+{digit.digit}")
            await asyncio.sleep(1)
            log.append(f"-{digit.digit}")

    head = Head()
    async with session(head, Slow()):
        head.push(Digit("1", 0.0))
        head.push(Digit("2", 0.0))
        assert log == []
        await asyncio.sleep(1)
        await settle()
    assert log == ["+1", "+2", "-1", "-2"]


async def test_signals_overtake_content_that_waits(session, tape, settle):
    class Slow(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(1)
            self.push(text)

    head = Head()
    async with session(head, Slow(), tape) as running:
        answer = running.call.open_answer()
        head.push(Text(answer, "a"))
        head.push(Digit("1", 0.0))
        assert tape.of(Text, Digit) == ["Digit:1"]
        await asyncio.sleep(1)
        await settle()
        assert tape.of(Text, Digit) == ["Digit:1", "Text:a"]


async def test_most_specific_handler_wins(session):
    class Loud(Digit):
        pass

    got: list[str] = []

    class Base(Processor):
        def on_digit(self, digit: Digit) -> None:
            got.append("digit")

        def on_any(self, signal: Signal) -> None:
            if isinstance(signal, Digit):
                got.append("signal")

    class Picky(Base):
        @handles(Loud)
        def on_loud(self, loud) -> None:
            got.append("loud")

    head = Head()
    async with session(head, Base(), Picky()):
        head.push(Loud("1", 0.0))
        head.push(Digit("1", 0.0))
    assert got == ["digit", "loud", "digit", "digit"]
