"""Conversations: turns, what the model is told, hooks, and calls beside each other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.frames import Digit, UserTurn
from voiceloop.processor import Processor
from voiceloop.report import CallReport, Turn
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedLLM, ScriptedSTT, ScriptedTTS, script

Phone = Callable[..., Any]
ANSWERS = ("Certainly, two coffees.", "One cake, too.", "See you at five!")


def said(messages: list[Message]) -> list[str]:
    """Messages as lines."""
    return [str(message) for message in messages]


async def test_several_turns_are_answered_in_order_and_every_request_holds_all_that_was_said(phone: Phone) -> None:
    llm = script(*ANSWERS)
    async with phone(greeting="Hello!", llm=llm, instructions="Be brief.") as caller:
        await caller.hears("Hello!")
        for words, answer in zip(("two coffees please", "and a cake", "thank you"), ANSWERS, strict=True):
            await caller.says(words)
            reply = await caller.hears(answer)
            assert reply.text == answer
            assert reply.latency == pytest.approx(0.5, abs=0.05)
        report = await caller.hangs_up()
    assert said(llm.requests[2]) == [
        "system: Be brief.",
        "assistant: Hello!",
        "user: two coffees please",
        "assistant: Certainly, two coffees.",
        "user: and a cake",
        "assistant: One cake, too.",
        "user: thank you",
    ]
    assert [turn.caller for turn in report.turns] == ["two coffees please", "and a cake", "thank you"]
    assert [turn.heard for turn in report.turns] == list(ANSWERS)
    assert [turn.number for turn in report.turns] == [1, 2, 3]
    assert report.reason == "caller hung up"
    assert report.faults == []
    assert report.abandoned == []


async def test_a_caller_who_goes_on_while_the_agent_thinks_makes_one_turn_with_one_answer(phone: Phone) -> None:
    llm = ScriptedLLM(["Two coffees and a cake."], first=1.5)
    async with phone(llm=llm) as caller:
        await caller.says("two coffees please")
        await caller.waits(1.0)  # the turn is over, the model is at work
        assert len(llm.requests) == 1
        await caller.says("and a cake")
        reply = await caller.hears()
        assert reply.text == "Two coffees and a cake."
        report = await caller.hangs_up()
    assert said(llm.requests[-1]) == ["user: two coffees please and a cake"]
    assert said(list(report.conversation)) == [
        "user: two coffees please and a cake",
        "assistant: Two coffees and a cake.",
    ]
    assert [(turn.caller, turn.heard) for turn in report.turns] == [
        ("two coffees please and a cake", "Two coffees and a cake.")
    ]
    assert report.faults == []


async def test_what_the_caller_says_as_the_call_ends_is_in_the_conversation(phone: Phone) -> None:
    class Leaving(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.say("Goodbye.")
            self.call.hang_up()

    async with phone(more=lambda: [Leaving()]) as caller:
        await caller.says("bye now")
        report = await caller.report()
    assert said(list(report.conversation)) == ["user: bye now", "assistant: Goodbye."]


async def test_a_short_pause_inside_a_sentence_does_not_end_the_turn(phone: Phone) -> None:
    llm = script("Fine.")
    async with phone(llm=llm) as caller:
        await caller.says("two coffees")
        await caller.waits(0.3)
        await caller.says("and a cake")
        await caller.hears("Fine.")
        await caller.hangs_up()
    assert said(llm.requests[0]) == ["user: two coffees and a cake"]
    assert len(llm.requests) == 1


async def test_the_voice_begins_before_the_model_has_written_its_last_word(phone: Phone) -> None:
    llm = ScriptedLLM(["one two three four five six seven eight nine ten eleven twelve."], first=0.1, rate=4)
    async with phone(llm=llm) as caller:
        await caller.says("please count")
        reply = await caller.hears("twelve.")
        # The first word is written after 0.1 s and certain after the next one, 0.25 s later; the last after 2.85 s.
        assert reply.latency == pytest.approx(0.5 + 0.1 + 0.25, abs=0.05)
        assert reply.text == "one two three four five six seven eight nine ten eleven twelve."
        await caller.hangs_up()


async def test_an_answer_of_ninety_seconds_plays_to_its_last_word_without_a_hole(
    phone: Phone, lexicon: Lexicon
) -> None:
    words = [f"word{number}" for number in range(260)]
    audio, _ = lexicon.speak(" ".join(words))
    assert len(audio) / 8000 > 90
    async with phone(llm=script(" ".join(words)), delay=0.05) as caller:
        await caller.says("tell me everything")
        reply = await caller.hears(timeout=120)
        assert reply.text == " ".join(words)
        assert caller.carrier.truth.holes() == []
        assert caller.call.conversation[-1].text == " ".join(words)
        report = await caller.hangs_up()
    assert report.turns[0].unheard == ""


async def test_keys_reach_a_processor_and_count_as_a_sign_of_life(phone: Phone) -> None:
    pressed: list[str] = []

    class Keys(Processor):
        def on_digit(self, digit: Digit) -> None:
            pressed.append(digit.digit)
            if digit.digit == "#":
                self.call.say("Thank you.")

    async with phone(more=lambda: [Keys()]) as caller:
        await caller.waits(6)
        await caller.presses("42#")
        reply = await caller.hears("Thank you.")
        assert "there" not in reply.text
        await caller.hangs_up()
    assert pressed == ["4", "2", "#"]


async def test_what_the_providers_used_is_counted(phone: Phone) -> None:
    async with phone(greeting="Hello!", llm=script("Three words, then four.")) as caller:
        await caller.hears()
        spoken = await caller.says("what is it")
        await caller.hears()
        report = await caller.hangs_up()
    assert report.usage["llm.input_tokens"] == 4  # "Hello!" and "what is it", as the scripted model counts
    assert report.usage["llm.output_tokens"] == 4
    assert report.usage["tts.characters"] == len("Three words, then four.")
    assert report.usage["stt.seconds"] == pytest.approx(spoken.speech_ended - spoken.speech_started + 0.7, abs=0.35)


async def test_hooks_get_each_turn_when_it_is_over_and_the_report_at_the_end(phone: Phone) -> None:
    turns: list[tuple[float, Turn]] = []
    reports: list[CallReport] = []
    async with phone(llm=script(*ANSWERS)) as caller:
        await caller.says("two coffees please")
        caller.call.on_turn(lambda turn: turns.append((caller.call.now, turn)))
        caller.call.on_end(reports.append)
        reply = await caller.hears()
        assert [turn.heard for _, turn in turns] == [reply.text]
        assert turns[0][0] == pytest.approx(reply.ended, abs=0.25)
        report = await caller.hangs_up()
    assert reports == [report]
    assert reports[0].turns == [turn for _, turn in turns]


async def test_a_hook_that_raises_is_noted_and_harms_nobody(phone: Phone) -> None:
    def broken(_: object) -> None:
        raise LookupError("no such customer")

    async with phone(llm=script(*ANSWERS)) as caller:
        await caller.says("two coffees please")
        caller.call.on_turn(broken)
        caller.call.on_end(broken)
        await caller.hears(ANSWERS[0])
        await caller.says("and a cake")
        await caller.hears(ANSWERS[1])
        report = await caller.hangs_up()
    assert [(fault.kind, fault.message) for fault in report.faults] == [
        ("on_turn", "LookupError: no such customer"),
        ("on_turn", "LookupError: no such customer"),
        ("on_end", "LookupError: no such customer"),
    ]


async def test_each_turn_is_one_readable_line_of_the_log(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "voiceloop.turns")
    async with phone(llm=ScriptedLLM(list(ANSWERS), first=0.2)) as caller:
        await caller.says("two coffees please")
        await caller.hears()
        await caller.says("and a cake")
        await caller.hears()
        await caller.hangs_up()
    lines = [record.getMessage() for record in caplog.records if record.name == "voiceloop.turns"]
    assert lines[0] == (
        "turn 1  caller: 'two coffees please'  agent: 'Certainly, two coffees.'"
        "  700 ms (endpoint 500, stt 0, llm 200, tts 0, output 0, carrier 0)"
    )
    assert len(lines) == 2


async def test_two_calls_at_once_on_one_runtime_do_not_mix(phone: Phone, lexicon: Lexicon) -> None:
    llm = ScriptedLLM(lambda messages: f"You said {messages[-1].text}.", first=0.3, rate=20)
    async with Runtime() as runtime:
        shared = {"runtime": runtime, "llm": llm, "stt": ScriptedSTT(lexicon, delay=0.1), "tts": ScriptedTTS(lexicon)}

        async def talk(caller: Dialled, words: list[str]) -> CallReport:
            for word in words:
                await caller.says(f"I want {word} please")
                reply = await caller.hears()
                assert reply.text == f"You said I want {word} please."
            return await caller.hangs_up()

        async with phone(**shared) as one, phone(**shared) as two:
            reports = await asyncio.gather(talk(one, ["tea", "cake"]), talk(two, ["coffee", "bread", "milk"]))
    assert [[turn.caller for turn in report.turns] for report in reports] == [
        ["I want tea please", "I want cake please"],
        ["I want coffee please", "I want bread please", "I want milk please"],
    ]
    assert [len(report.conversation) for report in reports] == [4, 6]
    assert reports[0].usage["llm.output_tokens"] == 12


async def test_parameters_of_the_webhook_reach_the_bot(phone: Phone) -> None:
    parameters = {"caller": "+491701", "number": "+49301", "order": "17"}
    async with phone(greeting="Hello!", parameters=parameters) as caller:
        await caller.hears()
        call: Call = caller.call
        assert (call.caller, call.number, call.direction, call.params) == (
            "+491701",
            "+49301",
            "inbound",
            {"order": "17"},
        )
        assert call.id == caller.carrier.stream.call_sid
        await caller.hangs_up()


async def test_a_runtime_with_a_console_prints_one_line_for_each_turn(
    phone: Phone, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Runtime(console=True) as runtime, phone(runtime=runtime, llm=script("Sure.")) as caller:
        await caller.says("two teas please")
        await caller.hears("Sure")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("turn 1  caller: 'two teas please'  agent: 'Sure.'  ")
    assert "endpoint 500" in line
