"""The caller goes on speaking after their turn was held to be over: what is said is kept once, in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voiceloop.conversation import Message
from voiceloop.frames import UserTurn
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedLLM, ScriptedTTS, script

Phone = Callable[..., Any]


def said(messages: list[Message]) -> list[str]:
    """Messages as lines."""
    return [str(message) for message in messages]


async def test_a_caller_who_goes_on_while_the_first_word_is_on_its_way_makes_a_turn_of_their_own(phone: Phone) -> None:
    async with phone(llm=script("We have some.", "Sure."), delay=0.15) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.56)  # the answer is sent, and nothing tells that it is heard when this is
        await caller.says("and a cake")
        await caller.waits(2.0)
        report = await caller.hangs_up()
    assert said(list(report.conversation)) == [
        "user: two coffees please",
        "assistant: We [cut: have some.]",
        "user: and a cake",
        "assistant: Sure.",
    ]
    assert [(turn.caller, turn.heard) for turn in report.turns] == [
        ("two coffees please", "We"),
        ("and a cake", "Sure."),
    ]


async def test_what_the_agent_says_in_the_middle_of_a_turn_stays_between_its_two_parts(
    phone: Phone, lexicon: Lexicon
) -> None:
    class Notice(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            if not turn.continued:
                self.call.say("One moment.", interruptible=False)

    llm = script("Certainly.")
    async with phone(llm=llm, tts=ScriptedTTS(lexicon, first=0.5), more=lambda: [Notice()]) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.6)  # the turn is over, and the notice not heard yet
        await caller.says("and a cake")
        await caller.waits(3.0)
        report = await caller.hangs_up()
    assert said(list(report.conversation)) == [
        "user: two coffees please",
        "assistant: One moment.",
        "user: and a cake",
        "assistant: Certainly.",
    ]
    assert said(llm.requests[-1]) == said(list(report.conversation)[:3])


async def test_a_turn_whose_answer_the_bot_takes_back_is_still_in_the_report(phone: Phone) -> None:
    async with phone(llm=ScriptedLLM(["Two coffees.", "Sure."], first=1.5)) as caller:
        await caller.says("two coffees please")
        await caller.waits(1.0)
        caller.call.interrupt()
        await caller.says("and a cake")
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert [(turn.caller, turn.heard) for turn in report.turns] == [("two coffees please", ""), ("and a cake", "Sure.")]


async def test_a_caller_who_goes_on_and_hangs_up_has_said_what_they_said(phone: Phone) -> None:
    async with phone(llm=ScriptedLLM(["We have some."], first=1.0)) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.7)  # the turn is over, and nothing of the answer is heard
        await caller.says("and")
        report = await caller.hangs_up()
    assert [(turn.caller, turn.heard) for turn in report.turns] == [("two coffees please", "")]


async def test_a_turn_that_goes_on_while_the_call_is_not_handed_over_is_one_turn(phone: Phone) -> None:
    class Busy:
        async def transfer(self, call_id: str, to: str) -> None:
            raise ConnectionError("line busy")

    async with phone(llm=ScriptedLLM(["Certainly."], first=1.0)) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.7)
        caller.call.carrier = Busy()
        await caller.call.transfer("+14155550100")
        await caller.says("and a cake")
        await caller.waits(8.0)
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["two coffees please and a cake"]


async def test_a_turn_cut_short_by_a_word_of_the_agents_is_a_turn_of_its_own(phone: Phone, lexicon: Lexicon) -> None:
    class Notice(Processor):
        def on_user_turn(self, turn: UserTurn) -> None:
            if turn.text == "two coffees please":
                self.call.say("Well then.")

    llm = script("Certainly.", "Sure.", "Fine.")
    more = lambda: [Notice()]  # noqa: E731
    async with phone(llm=llm, tts=ScriptedTTS(lexicon, first=0.09), delay=0.15, more=more) as caller:
        await caller.says("two coffees please")
        await caller.waits(0.5)  # the notice is on its way, and nothing tells that it is heard when this is
        await caller.says("and a cake")
        await caller.waits(3.0)
        report = await caller.hangs_up()
    turns = [turn.caller for turn in report.turns]
    assert " ".join(turns) == "two coffees please and a cake"
