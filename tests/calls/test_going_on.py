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
