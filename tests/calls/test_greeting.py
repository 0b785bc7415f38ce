"""The beginning of a call: the greeting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedTTS, dial, script

FRAME = 0.02
GREETING = "Corner Coffee, hello!"


async def test_the_greeting_is_rendered_ahead_so_the_voice_costs_nothing_once_the_call_has_begun(
    phone: Callable[..., Any], lexicon: Lexicon
) -> None:
    async with phone(greeting=GREETING, tts=ScriptedTTS(lexicon, first=1.5)) as caller:
        reply = await caller.hears("hello")
        assert reply.text == GREETING
        assert reply.started == pytest.approx(1.5, abs=FRAME + 0.001)  # rendering once; then it comes at once
        report = await caller.hangs_up()
    assert [str(message) for message in report.conversation] == [f"assistant: {GREETING}"]
    assert report.turns == []
    assert report.usage.get("tts.characters", 0) == 0


async def test_the_second_call_of_a_runtime_is_greeted_from_memory_at_once(
    phone: Callable[..., Any], lexicon: Lexicon
) -> None:
    async with Runtime() as runtime:
        tts = ScriptedTTS(lexicon, first=1.5)
        async with phone(greeting=GREETING, runtime=runtime, tts=tts) as caller:
            await caller.hears()
            await caller.waits(8)  # the library's own phrases are rendered meanwhile
        async with phone(greeting=GREETING, runtime=runtime, tts=tts) as caller:
            began = caller.carrier.truth.started
            reply = await caller.hears()
            assert reply.text == GREETING
            assert reply.started - began <= FRAME


async def test_without_a_greeting_the_caller_begins(phone: Callable[..., Any], heard: Callable[[Dialled], str]) -> None:
    async with phone(llm=script("Yes, we are.")) as caller:
        await caller.waits(3)
        assert heard(caller) == ""
        await caller.says("are you open")
        await caller.hears("Yes, we are.")


async def test_a_caller_who_speaks_over_the_greeting_is_answered(phone: Callable[..., Any]) -> None:
    llm = script("Two, certainly.")
    async with phone(greeting="Corner Coffee, we are open every day until six, what may it be?", llm=llm) as caller:
        cut = await caller.interrupts("two coffees please", after=0.5)
        assert cut.agent_stopped - cut.speech.speech_started < 0.2
        await caller.hears("Two, certainly.")
        report = await caller.hangs_up()
    assert [str(m) for m in report.conversation] == [
        "assistant: Corner [cut: Coffee, we are open every day until six, what may it be?]",
        "user: two coffees please",
        "assistant: Two, certainly.",
    ]
    assert llm.requests[0][0].text == "Corner —"  # with a dash where it was cut


async def test_a_caller_who_speaks_from_the_first_moment_is_not_talked_over(
    phone: Callable[..., Any], lexicon: Lexicon
) -> None:
    async with phone(greeting=GREETING, tts=ScriptedTTS(lexicon, first=0.5), llm=script("Certainly.")) as caller:
        said = await caller.says(said_text := "I need two coffees and a cake right now please")
        await caller.waits(2.5)
        *before, answer = caller.carrier.truth.sounds()
        assert before == []  # the greeting was taken back before any of it was sent
        assert answer[0] - said.speech_ended == pytest.approx(0.5 + 0.5, abs=0.05)  # the silence, then the voice
        assert [message.text for message in caller.call.conversation] == [said_text, "Certainly."]


async def test_what_is_said_while_others_start_waits_for_the_line_and_is_not_sent_too_far_ahead(
    plain_bot: Callable[..., Any], lexicon: Lexicon
) -> None:
    class Closed(Processor):
        async def start(self) -> None:
            self.call.say("Sorry, we are closed today, please call again tomorrow.")

    class Slow(Processor):
        async def start(self) -> None:
            await asyncio.sleep(0.5)

    bot = plain_bot(more=lambda: [Closed(), Slow()])
    async with dial(bot, lexicon=lexicon) as caller:  # which looks at the lead
        reply = await caller.hears("tomorrow.")
        marks = [mark.set_at for mark in caller.marks]
    assert reply.started == pytest.approx(0.5, abs=FRAME + 0.001)
    assert min(marks) >= 0.5
    assert caller.memory == ["assistant: Sorry, we are closed today, please call again tomorrow."]
