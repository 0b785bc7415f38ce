"""Answers that a bot begins and leaves: the caller does not wait for them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.frames import Digit
from voiceloop.keypad import KeyOptions
from voiceloop.language import Phrases
from voiceloop.processor import Processor
from voiceloop.report import CallReport

Phone = Callable[..., Any]
SAY = Phrases()


def faults(report: CallReport) -> list[tuple[str, str]]:
    """Kind and message of each."""
    return [(fault.kind, fault.message) for fault in report.faults]


async def test_an_answer_that_is_never_finished_is_given_up_and_what_waits_behind_it_is_heard(phone: Phone) -> None:
    class Forgetful(Processor):
        def on_digit(self, digit: Digit) -> None:
            self.write(self.begin_answer(), "One moment ")

    async with phone(more=lambda: [Forgetful()], keys=None) as caller:
        await caller.waits(0.1)
        await caller.presses("1")
        first = await caller.hears("One moment")
        caller.call.say("There you are.")
        reply = await caller.hears()
        assert reply.text == f"There you are. {SAY.apology}"
        assert reply.started - first.ended == pytest.approx(15.0, abs=1.0)
        report = await caller.hangs_up()
    assert faults(report) == [
        ("voice.silent", "nothing more of <Answer 1 committed> came within 15 s, and it was not finished")
    ]


async def test_a_speculative_answer_that_fails_is_dropped_and_the_turn_is_answered_anew(phone: Phone) -> None:
    class Hasty(Processor):
        async def on_digit(self, digit: Digit) -> None:
            self.write(self.begin_answer(speculative=True), "You want to ")
            await asyncio.sleep(0.5)
            raise LookupError("no such guess")

    async with phone(more=lambda: [Hasty()]) as caller:
        await caller.waits(0.1)
        await caller.presses("1")
        reply = await caller.hears()
        assert reply.text == "Okay."  # what was pressed is a turn
        assert reply.started == pytest.approx(0.1 + KeyOptions().timeout, abs=0.05)
        assert [answer.text for answer in caller.call.live_answers()] == []
        report = await caller.hangs_up()
    assert faults(report) == [("Hasty.on_digit", "LookupError: no such guess")]
    assert [str(message) for message in report.conversation] == ["user: [keys: 1]", "assistant: Okay."]
    assert report.speculation.discarded == 1
