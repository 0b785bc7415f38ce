"""What one can do to a call, and what it tells of itself."""

from __future__ import annotations

import asyncio

import pytest

from voiceloop.call import Call
from voiceloop.frames import Audio, Digit, Text, UserTurn
from voiceloop.processor import Processor
from voiceloop.runtime import Canned, Runtime


class Head(Processor):
    pass


class Model(Processor):
    """Answers a turn of the caller by repeating it."""

    async def on_user_turn(self, turn: UserTurn) -> None:
        self.call.conversation.add("user", turn.text)
        answer = self.begin_answer(turn=turn)
        await asyncio.sleep(0.2)
        self.write(answer, f"You said {turn.text}.")
        answer.stamp("text", self.call.now)


TURN = UserTurn("hello", started=0.0, ended=1.0, endpointed=1.5, decided=1.6)


async def test_what_is_said_queues_behind_what_is_being_said(session, tape, settle):
    class Voice(Processor):
        async def on_text(self, text: Text) -> None:
            await asyncio.sleep(1)
            self.push(Audio(text.answer, text.text.encode()))

    async with session(Head(), Voice(), tape) as running:
        running.call.say("a")
        running.call.play(b"b")
        running.call.say("c")
        await asyncio.sleep(2)
        await settle()
    assert [word for word in tape.content if word.startswith("Audio")] == [
        "Audio:b'a'",
        "Audio:b'b'",
        "Audio:b'c'",
    ]


async def test_canned_speech_is_played_without_the_voice(session, tape):
    async with session(Head(), tape) as running:
        call = running.call
        call.voice = voice = object()

        async def speak(text: str) -> Canned:
            return Canned(text.upper().encode())

        await call.runtime.render(voice, "hello", speak)
        answer = call.say("hello")
        assert (answer.text, list(answer.milestones)) == ("hello", ["begun", "text", "audio"])
    assert tape.content == ["Audio:b'HELLO'", "AnswerEnd:1"]


async def test_played_sound_without_words_is_silent_and_leaves_no_message(session, tape):
    async with session(Head(), tape) as running:
        running.call.play(b"ding")
        assert [(frame.silent) for frame in tape.frames if isinstance(frame, Audio)] == [True]
        report = await running.end()
    assert [str(message) for message in report.conversation] == []


async def test_report_tells_what_was_said_and_counted(session, settle):
    async with session(Head(), Model()) as running:
        await asyncio.sleep(1.6)
        running.call.usage["llm.output_tokens"] += 7
        running.call.broadcast(TURN)
        await asyncio.sleep(1)
        running.call.hang_up("hung up")
        report = await running.ended()
    assert (report.call_id, report.reason, report.duration) == ("CA1", "hung up", 2.6)
    assert [str(message) for message in report.conversation] == ["user: hello", "assistant: You said hello."]
    assert report.usage == {"llm.output_tokens": 7}
    assert (report.faults, report.abandoned) == ([], [])
    (turn,) = report.turns
    assert (turn.number, turn.caller, turn.heard, turn.unheard, turn.interrupted, turn.latency) == (
        *(1, "hello", "You said hello.", "", False),
        None,  # nothing was played
    )


async def test_turn_that_was_played_has_a_latency_and_what_was_heard(session):
    class Streamer(Processor):
        def on_text(self, text: Text) -> None:
            answer = text.answer
            for milestone, at in (("audio", 2.0), ("sent", 2.1), ("played", 2.2)):
                answer.stamp(milestone, at)
            self.call.remember(answer, "You said", "hello.", interrupted=True)
            self.call.remember(answer, "You said hel", "lo.", interrupted=True)

    turns = []
    async with session(Head(), Model(), Streamer()) as running:
        running.call.on_turn(turns.append)
        await asyncio.sleep(1.6)
        running.call.broadcast(TURN)
        await asyncio.sleep(1)
        report = await running.end()
    assert [str(message) for message in report.conversation] == [
        "user: hello",
        "assistant: You said hel [cut: lo.]",
    ]
    assert report.turns == turns
    assert turns[0].latency.as_ms() == {
        "total": 1200.0,
        **{"endpoint": 500.0, "stt": 100.0, "llm": 200.0, "tts": 200.0, "output": 100.0, "carrier": 100.0},
    }
    assert (turns[0].heard, turns[0].unheard, turns[0].interrupted) == ("You said hel", "lo.", True)
    assert turns[0].as_dict()["latency_ms"]["total"] == 1200.0
    line = turns[0].line()
    assert line.startswith("turn 1  caller: 'hello'  agent: 'You said hel [cut: lo.]'  1200 ms (endpoint 500,")


async def test_answer_of_which_a_voice_says_nothing_was_heard_is_no_message(session):
    async with session(Head()) as running:
        answer = running.call.open_answer()
        answer.text = "written"
        running.call.remember(answer, "", "written")
        running.call._engine.head.engine.processors[0].finish_answer(answer)
        report = await running.end()
    assert answer.outcome == "complete"
    assert list(report.conversation) == []


async def test_turn_of_a_held_answer_is_in_the_report_when_the_call_ends_first(session, settle):
    async with session(head := Head(), Model()) as running:
        running.call.broadcast(TURN)
        await settle()
        (answer,) = running.call._engine.answers
        running.call._engine.hold(answer)
        running.call.remember(answer, "You", "said hello.", interrupted=True)
        report = await running.end("caller hung up")
        assert head._engine is None
    assert [(turn.heard, turn.unheard) for turn in report.turns] == [("You", "said hello.")]


async def test_discarded_speculation_is_no_turn(session):
    async with session(head := Head()) as running:
        guess = head.begin_answer(turn=TURN, speculative=True)
        running.call.discard(guess)
        answer = head.begin_answer(turn=TURN, speculative=True)
        running.call.commit(answer)
        running.call.discard(answer)
        report = await running.end()
    assert [turn.number for turn in report.turns] == [1]


async def test_hooks_that_raise_are_noted_and_the_others_run(session):
    got: list[str] = []

    async with session(Head(), Model()) as running:
        call = running.call

        @call.on_turn
        def bad(turn) -> None:
            raise ValueError("no")

        @call.on_turn
        def good(turn) -> None:
            got.append(turn.caller)

        @call.on_end
        def end(report) -> None:
            got.append(report.reason)

        call.broadcast(TURN)
        await asyncio.sleep(1)
        report = await running.end()
    assert got == ["hello", "completed"]
    assert [(f.kind, f.message) for f in report.faults] == [("on_turn", "ValueError: no")]


def test_async_hook_is_refused():
    async def hook(report) -> None:
        pass

    call = Call(Head(), runtime=Runtime())
    for register in (call.on_turn, call.on_end):
        with pytest.raises(TypeError, match="expected a plain function, got async def"):
            register(hook)


async def test_work_gives_its_result_and_its_error_to_who_waits(session):
    async def book(fail: bool) -> str:
        await asyncio.sleep(1)
        if fail:
            raise ValueError("no table")
        return "B7"

    async with session(Head()) as running:
        assert await running.call.work(book(False)) == "B7"
        with pytest.raises(ValueError, match="no table"):
            await running.call.work(book(True), "booking")
    assert [fault.kind for fault in running.call.faults] == ["booking"]


async def test_every_wake_up_is_logged_in_the_order_it_was_processed(session):
    async def work() -> None:
        await asyncio.sleep(1)

    async def run() -> tuple[list[tuple[float, str, str]], str]:
        async with session(head := Head(), Model()) as running:
            running.call.work(work(), "lookup")
            running.call.timer(0.5, lambda: head.push(TURN), "bell")
            await asyncio.sleep(2)
        return running.call.log.events, running.call.log.sha256()

    started = asyncio.get_running_loop().time()
    events, _ = await run()
    assert [(at - started, kind, detail) for at, kind, detail in events] == [
        (0.5, "timer", "bell"),
        (0.7, "task", "Model.on_user_turn"),
        (1.0, "task", "lookup"),
        (2.0, "end", "completed"),
    ]


async def test_last_words_of_a_plain_handler_are_said_before_a_hang_up(session, tape):
    class Bye(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.call.say("bye")
            self.call.hang_up("hung up")

    async with session(head := Head(), Bye(), tape) as running:
        head.push(Digit("1", 0.0))
        report = await running.ended()
    assert (report.reason, tape.content) == ("hung up", ["Text:bye", "AnswerEnd:1"])
