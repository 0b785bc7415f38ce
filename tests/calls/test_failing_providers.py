"""Recogniser, model and voice fail in every way, and the caller is never left in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded
from voiceloop.testing import Failing, Reply, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, dial
from voiceloop.testing.faulty import FaultyLLM, FaultySTT, FaultyTTS, LLMFault, STTFault, TTSFault
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., Any]
SAY = Phrases()
CANNED = len(SAY.all())
"""Requests to a voice before the first answer: the library's own phrases."""
ANSWERS = [f"This is answer number {n} and it is good." for n in ("one", "two", "three", "four", "five", "six")]
QUESTIONS = ("what do you have", "and do you have more", "please tell me now")

ONCE: dict[str, Container[int]] = {"stt": {0}, "llm": {0}, "tts": {CANNED}}
ALWAYS: dict[str, Container[int]] = {"stt": range(99), "llm": range(99), "tts": range(CANNED, 99)}


class Outcome:
    """A call of three turns with a provider that fails."""

    def __init__(self, replies: list[tuple[Reply, float]], report: CallReport) -> None:
        self.texts = [reply.text for reply, _ in replies]
        self.waits = [round(wait, 1) for _, wait in replies]
        """Seconds from the end of each question to the first sound."""
        self.report = report

    @property
    def kinds(self) -> list[str]:
        return [fault.kind for fault in self.report.faults]


async def three_turns(phone: Phone, lexicon: Lexicon, who: str, failing: Failing, *, rate: float = 10) -> Outcome:
    """Ask three questions, each when the agent has been silent for 6 s."""
    providers: dict[str, Any] = {
        "stt": ScriptedSTT(lexicon),
        "llm": ScriptedLLM(ANSWERS, rate=rate),
        "tts": ScriptedTTS(lexicon),
    }
    providers[who].failing = failing
    replies = []
    async with phone(silence=6.0, **providers) as caller:
        await caller.waits(0.1)
        try:
            for question in QUESTIONS:
                said = await caller.says(question)
                reply = await caller.hears(timeout=40)
                replies.append((reply, reply.started - said.speech_ended))
            report = await caller.hangs_up()
        except CallEnded:
            report = await caller.report()
        failing.let_go()
        await asyncio.sleep(0)
    return Outcome(replies, report)


@pytest.mark.parametrize("how", ["raise", "empty"])
@pytest.mark.parametrize("who", ["stt", "llm", "tts"])
async def test_a_provider_that_fails_once_at_once_is_asked_again_and_nobody_notices(
    phone: Phone, lexicon: Lexicon, who: str, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, who, Failing(how, requests=ONCE[who]))
    assert outcome.texts == (ANSWERS[1:4] if who == "llm" else ANSWERS[:3])
    assert all(wait <= 0.8 for wait in outcome.waits)
    assert outcome.kinds == [f"Scripted{who.upper()}.failed"]
    assert outcome.report.faults[0].message.endswith("; asking again")
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize("how", ["raise", "empty", "stall", "deaf"])
@pytest.mark.parametrize("who", ["stt", "llm", "tts"])
async def test_a_provider_that_always_fails_gets_apologies_and_then_a_goodbye(
    phone: Phone, lexicon: Lexicon, who: str, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, who, Failing(how, requests=ALWAYS[who]))
    apology = SAY.not_understood if who == "stt" else SAY.apology
    longest = 2.1 if who == "stt" else 10.7 if how in ("stall", "deaf") else 0.8
    assert outcome.texts[:2] == [apology, apology]
    assert outcome.texts[2].endswith(SAY.failed)
    assert all(wait <= longest for wait in outcome.waits)
    assert outcome.report.reason == "failed"
    abandoned = set(outcome.report.abandoned)
    assert abandoned == ({f"{who} provider"} if how == "deaf" else set())


@pytest.mark.parametrize("how", ["stall", "deaf"])
async def test_a_model_that_stalls_once_is_asked_again_after_five_seconds(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "llm", Failing(how, requests=ONCE["llm"]))
    assert outcome.texts == ANSWERS[1:4]
    assert outcome.waits[0] == pytest.approx(5.6, abs=0.2)
    assert outcome.waits[1:] == pytest.approx([0.6, 0.6], abs=0.1)
    assert outcome.kinds[0] == "ScriptedLLM.failed"
    assert outcome.report.faults[0].message == "llm: nothing came for 5 s; asking again"


@pytest.mark.parametrize("how", ["stall", "deaf"])
async def test_a_voice_that_stalls_once_is_asked_again_after_five_seconds(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "tts", Failing(how, requests=ONCE["tts"]))
    assert outcome.texts == ANSWERS[:3]
    assert outcome.waits[0] == pytest.approx(5.6, abs=0.2)
    assert outcome.report.faults[0].message == "tts: nothing came for 5 s; asking again"


@pytest.mark.parametrize("how", ["stall", "deaf"])
async def test_a_recogniser_that_stalls_once_is_asked_again_with_the_same_audio(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "stt", Failing(how, requests=ONCE["stt"]))
    assert outcome.texts == [f"{SAY.not_understood} {ANSWERS[0]}", *ANSWERS[1:3]]
    assert outcome.waits[0] <= 2.1
    assert [turn.caller for turn in outcome.report.turns] == list(QUESTIONS)
    assert outcome.report.faults[0].message == "it did not answer for what was said within 3 s; asking again"


@pytest.mark.parametrize("how", ["raise", "stall", "deaf"])
async def test_a_model_that_fails_in_the_middle_is_heard_up_to_there_and_excused(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "llm", Failing(how, after=5, requests=ONCE["llm"]), rate=3)
    assert outcome.texts == [f"This is answer number {SAY.apology}", *ANSWERS[1:3]]
    first = outcome.report.turns[0]
    assert (first.heard, first.interrupted) == ("This is answer number", False)
    assert outcome.report.conversation[1].text == "This is answer number"
    assert outcome.kinds[0] == "LLMAggregator.on_user_turn"
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize("how", ["raise", "stall", "deaf"])
async def test_a_voice_that_fails_in_the_middle_is_heard_up_to_there_and_excused(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "tts", Failing(how, after=3, requests=ONCE["tts"]))
    assert outcome.texts == [f"This is answer {SAY.apology}", *ANSWERS[1:3]]
    first = outcome.report.turns[0]
    assert first.heard == "This is answer"
    assert first.unheard in ("number one", "number one and it is good.")  # what was written by then
    assert outcome.kinds[0] == "TTSProcessor.on_text"
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize("how", ["raise", "stall", "deaf", "empty"])
async def test_a_recogniser_that_fails_when_all_was_said_costs_nothing(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    outcome = await three_turns(phone, lexicon, "stt", Failing(how, after=1))
    assert outcome.texts == ANSWERS[:3]
    assert all(wait <= 0.8 for wait in outcome.waits)
    assert [turn.caller for turn in outcome.report.turns] == list(QUESTIONS)
    assert outcome.report.reason == "caller hung up"


@pytest.mark.parametrize("how", ["raise", "stall", "deaf", "empty"])
@pytest.mark.parametrize("interruptions", [3])
async def test_a_failing_voice_and_a_caller_who_keeps_talking_over_it_do_not_hang(
    phone: Phone, lexicon: Lexicon, how: Any, interruptions: int
) -> None:
    failing = Failing(how, after=4, requests=range(CANNED, 99))
    async with phone(llm=ScriptedLLM(ANSWERS), tts=ScriptedTTS(lexicon, failing=failing)) as caller:
        await caller.waits(0.1)
        for _ in range(interruptions):
            await caller.says("what do you have")
            await caller.waits(1.0)
        report = await caller.hangs_up()
        failing.let_go()
        await asyncio.sleep(0)
    assert report.reason in ("caller hung up", "failed")
    assert set(report.abandoned) <= {"tts provider"}


async def test_what_a_recogniser_said_for_good_before_it_failed_is_taken_over_by_its_second_try(
    phone: Phone, lexicon: Lexicon
) -> None:
    stt = FaultySTT(ScriptedSTT(lexicon, final=0.0), [STTFault("cut", request=0, after=1)])
    async with phone(stt=stt, llm=ScriptedLLM(ANSWERS)) as caller:
        await caller.waits(0.1)
        await caller.says("two coffees")
        await caller.waits(0.25)
        await caller.says("and a tea")  # the first try has said "two coffees" for good, and fails here
        await caller.hears("one")
        report = await caller.hangs_up()
    assert [fault.kind for fault in report.faults] == ["FaultySTT.failed"]
    assert [turn.caller for turn in report.turns] == ["two coffees and a tea"]


async def test_a_word_that_a_voice_announced_and_did_not_finish_is_not_remembered(
    phone: Phone, lexicon: Lexicon
) -> None:
    voice = FaultyTTS(ScriptedTTS(lexicon, chunk=0.5), [TTSFault("ended", request=0, after=1)], skip=CANNED)
    async with phone(llm=ScriptedLLM(ANSWERS), tts=voice) as caller:
        await caller.waits(0.1)
        await caller.says("what do you have")
        reply = await caller.hears("This")  # and a part of "answer"
        report = await caller.hangs_up()
    assert reply.text == "This is"
    assert (report.turns[0].heard, report.turns[0].unheard) == ("This is", ANSWERS[0].removeprefix("This is "))


@pytest.mark.parametrize("what", ["cut", "rate limited", "ended", "stalled"])
async def test_a_model_that_hangs_up_and_then_fails_says_goodbye_all_the_same(lexicon: Lexicon, what: str) -> None:
    llm = FaultyLLM(ScriptedLLM([calls("hang_up")]), [LLMFault(what, request=number) for number in (1, 2)])

    def bot(call: Call) -> Pipeline:
        hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking()]
        return Pipeline([*hearing, LLMAggregator(llm, tools=[call.hang_up]), ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, lexicon=lexicon, llm=llm) as caller:
        await caller.says("thank you")
        reply = await caller.hears(timeout=20)
        report = await caller.report()
    assert reply.text == SAY.goodbye
    assert report.reason == "completed"
