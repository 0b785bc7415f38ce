"""The caller speaks over the agent: sound stops, and the memory holds what was heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import ScriptedLLM, ScriptedTTS, script

Phone = Callable[..., Any]
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."
FRAME = 0.02
BARGE_IN = 0.12


@pytest.mark.parametrize("delay", [0.0, 0.06, 0.15])
async def test_sound_stops_within_the_barge_in_time_and_the_way_there_and_back(phone: Phone, delay: float) -> None:
    async with phone(llm=script(LONG, "Sure."), delay=delay) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts("stop please", after=2.0)
        assert cut.agent_stopped - cut.speech.speech_started <= BARGE_IN + 2 * delay + 2 * FRAME
        assert len(caller.carrier.truth.clears) == 1
        assert caller.carrier.truth.clears[0].dropped > 1000
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert [(turn.caller, turn.interrupted) for turn in report.turns] == [
        ("what do you have", True),
        ("stop please", False),
    ]


@pytest.mark.parametrize("delay", [0.0, 0.06, 0.1])
@pytest.mark.parametrize("after", [0.3, 0.77, 1.31, 2.02, 2.6, 3.33, 4.15])
async def test_the_memory_holds_exactly_the_words_that_were_heard_and_never_more(
    phone: Phone, lexicon: Lexicon, delay: float, after: float
) -> None:
    llm = script(LONG, "Sure.")
    async with phone(llm=llm, delay=delay) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts("stop", after=after)
        audio = caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped)
        truth = lexicon.text(audio)
        await caller.hears("Sure.")
        message = caller.call.conversation[1] if truth else None
        report = await caller.hangs_up()
    turn = report.turns[0]
    words, kept = truth.split(), turn.heard.split()
    assert kept == words[: len(kept)]  # never ahead
    assert len(words) - len(kept) <= 1  # a word that ended within the frame of the cut may be missing
    assert f"{turn.heard} {turn.unheard}".strip() == LONG
    if message is not None and kept:
        assert (message.text, message.unheard, message.interrupted) == (turn.heard, turn.unheard, True)
        told = f"{turn.heard.rstrip(',')} —" if turn.unheard else turn.heard  # a dash stands where it was cut
        assert [m.text for m in llm.requests[1]] == ["what do you have", told, "stop"]


@pytest.mark.parametrize(("jitter", "least"), [(0.0, 20), (0.02, 19)])
async def test_the_memory_is_exact_in_nearly_every_cut(
    phone: Phone, lexicon: Lexicon, jitter: float, least: int
) -> None:
    exact = 0
    for number in range(24):
        options = CarrierOptions(seed=number, delay_to_server=0.04, delay_from_server=0.04, jitter=jitter)
        async with phone(llm=script(LONG, "Sure."), carrier=options) as caller:
            await caller.says("what do you have")
            cut = await caller.interrupts("stop", after=0.5 + number * 0.137)
            truth = lexicon.text(caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped))
            await caller.hears("Sure.")
            report = await caller.hangs_up()
        heard = report.turns[0].heard
        assert truth.startswith(heard)
        exact += heard == truth
    assert exact >= least


async def test_a_voice_without_word_times_is_remembered_by_time_and_not_far_off(phone: Phone, lexicon: Lexicon) -> None:
    async with phone(llm=script(LONG, "Sure."), tts=ScriptedTTS(lexicon, words=False)) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts("stop", after=3.0)
        truth = lexicon.text(caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped))
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    kept = report.turns[0].heard.split()
    assert kept == LONG.split()[: len(kept)]
    assert abs(len(kept) - len(truth.split())) <= 3


async def test_an_interruption_ends_what_the_model_was_still_writing(phone: Phone) -> None:
    llm = ScriptedLLM([LONG, "Sure."], rate=5)
    async with phone(llm=llm) as caller:
        await caller.says("what do you have")
        await caller.interrupts("stop", after=1.0)
        await caller.waits(0.4)  # until the word is recognised
        names = [task.get_name() for task in caller.carrier._loop.pending_tasks()]
        assert "llm provider" not in names
        reply = await caller.hears()
        assert reply.text == "Sure."
        report = await caller.hangs_up()
    assert len(report.turns[0].unheard.split()) < len(LONG.split()) - 4  # the rest was never written
    assert report.faults == []


async def test_a_click_does_not_interrupt(phone: Phone, lexicon: Lexicon) -> None:
    async with phone(llm=script(LONG)) as caller:
        await caller.says("what do you have")
        await caller.waits(1.5)
        await caller.says(lexicon.sound("click")[:320])  # 40 ms
        reply = await caller.hears()
        assert reply.text == LONG
        assert caller.carrier.truth.clears == []
        await caller.hangs_up()


async def test_a_noise_that_cut_the_agent_short_is_followed_by_a_question(phone: Phone) -> None:
    noise = (b"\x08\x88" * 600 + b"\x30\xb0" * 200) * 6  # 1.2 s of sound that is no word, nor a hum
    async with phone(llm=script(LONG, "Sure.")) as caller:
        await caller.says("what do you have")
        await caller.interrupts(noise, after=1.5)
        reply = await caller.hears("Sorry, I didn't catch that.")
        assert reply.latency == pytest.approx(1.0 + 0.5, abs=0.25)
        await caller.says("go on")
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["what do you have", "go on"]


async def test_the_caller_may_interrupt_again_and_again(phone: Phone, lexicon: Lexicon) -> None:
    llm = script(LONG)
    async with phone(llm=llm, delay=0.05) as caller:
        await caller.says("what do you have")
        for number in range(6):
            await caller.interrupts(f"no {number}", after=0.8 + number / 10)
        await caller.hears(LONG)
        report = await caller.hangs_up()
    assert [turn.interrupted for turn in report.turns] == [True] * 6 + [False]
    assert len(caller.carrier.truth.clears) == 6
    assert caller.carrier.truth.holes() == []
    assert report.faults == []


async def test_an_answer_that_nobody_heard_is_not_in_the_next_request(phone: Phone) -> None:
    llm = script(LONG, "Sure.")
    async with phone(llm=llm) as caller:
        await caller.says("what do you have")
        await caller.waits(0.45)  # the answer has just begun when the caller goes on
        await caller.says("on Sundays")
        await caller.waits(2)
        assert caller.call.conversation[-1].text == "Sure."
        await caller.hangs_up()
    texts = [message.text for message in llm.requests[-1] if message.role == "assistant"]
    assert texts in ([], ["We —"])
    assert " ".join(m.text for m in llm.requests[-1] if m.role == "user") == "what do you have on Sundays"


async def test_a_quick_answer_to_a_one_word_interruption_is_heard_as_the_next(phone: Phone) -> None:
    llm = script("We have roses and tulips and many other flowers that I could tell you about.", "Fine.")
    async with phone(llm=llm) as caller:
        await caller.says("what have you got")
        cut = await caller.interrupts("Stop", after=1.2)
        assert cut.agent_stopped - cut.speech.speech_started < 0.3
        reply = await caller.hears()
        assert reply.text == "Fine."
