"""Nobody speaks, or somebody speaks for too long: the call asks, and ends politely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.testing import script
from voiceloop.turns.events import TurnOptions

Phone = Callable[..., Any]


async def test_a_silent_caller_is_asked_twice_and_then_bid_goodbye(phone: Phone) -> None:
    async with phone(greeting="Hello!", turns=TurnOptions(reprompt_after=5.0)) as caller:
        greeting = await caller.hears("Hello!")
        first = await caller.hears("Are you still there?")
        second = await caller.hears("Are you still there?")
        goodbye = await caller.hears("Goodbye.")
        report = await caller.report()
    assert first.started - greeting.ended == pytest.approx(5.0, abs=0.25)  # the pause behind a word counts as sound
    assert second.started - first.ended == pytest.approx(5.0, abs=0.25)
    assert goodbye.started - second.ended == pytest.approx(5.0, abs=0.25)
    assert report.reason == "caller silent"
    assert [message.text for message in report.conversation] == [
        "Hello!",
        "Are you still there?",
        "Are you still there?",
        "Goodbye.",
    ]
    assert caller.carrier.end == "closed by the server (1000)"
    assert caller.carrier.truth.time_of(len(caller.carrier.heard)) - goodbye.ended < 1.0
    assert report.faults == []


async def test_a_caller_who_comes_back_is_answered_and_asked_anew(phone: Phone) -> None:
    async with phone(llm=script("Welcome back."), turns=TurnOptions(reprompt_after=4.0)) as caller:
        for _ in range(2):
            await caller.hears("Are you still there?")
            await caller.hears("Are you still there?")
            await caller.says("yes I am")
            await caller.hears("Welcome back.")
        report = await caller.hangs_up()
    assert report.reason == "caller hung up"
    assert [turn.caller for turn in report.turns] == ["yes I am", "yes I am"]


async def test_a_long_answer_is_no_silence_of_the_caller(phone: Phone) -> None:
    answer = " ".join(f"number{index}" for index in range(60))
    async with phone(llm=script(answer), turns=TurnOptions(reprompt_after=3.0)) as caller:
        await caller.says("count please")
        reply = await caller.hears(timeout=60)
        assert reply.text == answer
        asked = await caller.hears("Are you still there?")
        assert asked.started - reply.ended == pytest.approx(3.0, abs=0.25)
        await caller.hangs_up()


async def test_a_call_of_the_greatest_length_is_ended_with_a_goodbye(phone: Phone) -> None:
    turns = TurnOptions(max_length=20.0, reprompt_after=30.0)
    async with phone(greeting="Hello!", llm=script("Go on."), turns=turns) as caller:
        await caller.hears()
        await caller.says("I will tell you a long story")
        await caller.hears("Go on.")
        goodbye = await caller.hears("Goodbye.")
        report = await caller.report()
    assert goodbye.started == pytest.approx(20.0, abs=0.1)
    assert report.reason == "max length"
    assert report.duration < 22.0


async def test_the_greatest_length_lets_an_answer_come_to_its_end(phone: Phone) -> None:
    answer = " ".join(f"number{index}" for index in range(30))
    async with phone(llm=script(answer), turns=TurnOptions(max_length=6.0)) as caller:
        await caller.says("count please")
        reply = await caller.hears()
        report = await caller.report()
    assert reply.text == f"{answer} Goodbye."
    assert report.reason == "max length"
    assert report.conversation[-2].text == answer


async def test_the_phrases_are_those_of_the_language(phone: Phone) -> None:
    turns = TurnOptions(reprompt_after=3.0, reprompts=1)
    async with phone(language="de-AT", turns=turns) as caller:
        await caller.hears("Sind Sie noch da?")
        await caller.hears("Auf Wiederhören.")
        assert (await caller.report()).reason == "caller silent"


async def test_a_noise_is_no_turn(phone: Phone) -> None:
    mumble = b"\x08\x88" * 3200  # 0.8 s of sound that is no word: the recogniser settles with nothing
    async with phone(greeting="Hello!", llm=script("Sure."), turns=TurnOptions(reprompt_after=5.0)) as caller:
        await caller.hears()
        await caller.says(mumble)
        await caller.hears("Are you still there?")
        await caller.says("yes")
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["yes"]
