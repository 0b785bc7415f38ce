"""Speech over the agent in whole calls: pauses that are taken back, backchannels, and who yields to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.frames import Backchannel, Interruption, Pause, Resume
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import ScriptedTTS, script

Phone = Callable[..., Any]
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."
NOISE = (b"\x08\x88" * 600 + b"\x30\xb0" * 200) * 2  # 0.4 s of sound that is no word


@pytest.mark.parametrize("delay", [0.0, 0.06])
@pytest.mark.parametrize("after", [0.7, 1.33, 2.9])
async def test_after_a_cough_the_agent_goes_on_and_every_word_is_heard(
    phone: Phone, lexicon: Lexicon, delay: float, after: float
) -> None:
    line = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    async with phone(llm=script(LONG), carrier=line) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts(NOISE, after=after)
        assert cut.agent_stopped - cut.speech.speech_started < 0.2 + 2 * delay
        await caller.waits(9.0)
        report = await caller.hangs_up()
    heard = [word.text for word in lexicon.listen(bytes(caller.carrier.heard)) if word.whole]
    assert " ".join(heard).removeprefix("Hello. ") == LONG  # the word that was cut is said anew, and only that
    assert not report.turns[0].interrupted
    assert report.turns[0].heard == LONG
    assert len(caller.frames(Pause)) == len(caller.frames(Resume)) == 1
    assert caller.frames(Interruption) == []


async def test_a_backchannel_takes_no_turn_and_no_model_is_asked(phone: Phone, lexicon: Lexicon) -> None:
    llm = script(LONG, "Sure.")
    async with phone(llm=llm) as caller:
        await caller.says("what do you have")
        await caller.waits(2.0)
        await caller.says("mhm")
        await caller.waits(8.0)
        await caller.says("a tea please")
        await caller.waits(2.0)
        report = await caller.hangs_up()
    assert report.turns[1].heard == "Sure."
    assert [turn.caller for turn in report.turns] == ["what do you have", "a tea please"]
    assert not report.turns[0].interrupted
    (aside,) = [message for message in report.conversation if message.aside]
    assert aside.text == "mhm"
    assert [frame.text for frame in caller.frames(Backchannel)] == ["mhm"]
    assert all("mhm" not in message.text for request in llm.requests for message in request)


async def test_a_yes_over_the_last_word_of_a_question_is_its_answer(phone: Phone) -> None:
    llm = script("Would you like milk", "With milk then.")
    async with phone(llm=llm) as caller:
        await caller.says("a coffee please")
        asked = asyncio.ensure_future(caller.hears())
        await caller.waits(1.4)
        await caller.says("yes")
        await asked
        await caller.hears("With milk")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["a coffee please", "yes"]


async def test_stop_interrupts_and_what_was_cut_is_remembered_as_cut(phone: Phone, lexicon: Lexicon) -> None:
    async with phone(llm=script(LONG, "Sure.")) as caller:
        await caller.says("what do you have")
        cut = await caller.interrupts("stop", after=1.5)
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert cut.agent_stopped - cut.speech.speech_started < 0.2
    assert report.turns[0].interrupted
    assert report.turns[0].heard == cut.text
    assert report.turns[1].caller == "stop"


@pytest.mark.parametrize("offset", [-0.1, 0.0, 0.1])
async def test_when_both_start_at_once_the_caller_has_the_floor_within_a_fifth_of_a_second(
    phone: Phone, lexicon: Lexicon, offset: float
) -> None:
    llm = script(LONG, "Of course, two teas.")
    async with phone(llm=llm, tts=ScriptedTTS(lexicon, first=0.3)) as caller:
        said = await caller.says("what do you have")
        began = said.speech_ended + 0.5 + 0.3
        await caller.waits(began + offset - asyncio.get_running_loop().time())
        more = await caller.says("I mean for two of us")
        heard = [
            (start, end)
            for start, end in caller.carrier.truth.sounds()
            if end > more.speech_started and start < more.speech_ended
        ]
        assert all(end - more.speech_started < 0.25 for _, end in heard)
        await caller.waits(3.0)
        report = await caller.hangs_up()
    said_in_all = " ".join(message.text for message in report.conversation if message.role == "user")
    assert said_in_all == "what do you have I mean for two of us"
