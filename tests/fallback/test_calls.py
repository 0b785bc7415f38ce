"""Whole calls: a provider fails in every way, another one takes over, and the caller hardly notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest

from tests.grids import crossed
from voiceloop.call import Call
from voiceloop.conversation import Message, ToolCall
from voiceloop.fallback import Fallback, FallbackOptions
from voiceloop.language import Phrases
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.llm.base import ToolSpec, Usage
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.dial import dial
from voiceloop.testing.scripted import calls
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., Any]
Turns = Callable[..., Any]
Pair = Callable[..., Any]
Answering = Callable[[Sequence[Message]], str]
Silence = Callable[[bytes], float]
SAY = Phrases()
CANNED = len(SAY.all())
"""Requests to a voice before the first answer: the library's own phrases."""
MOST = 1.5
"""Seconds of silence that a failure may cost at most, from the last sound to the next."""


BEGIN = {"stt": 0, "llm": 0, "tts": CANNED}
WAYS = [
    (who, how, after)
    for who, moments in (("stt", (0, 1)), ("llm", (0, 1, 5)), ("tts", (0, 1, 5)))
    for how in ("raise", "stall", "deaf", "empty")
    for after in moments
    if not (who == "llm" and how == "empty" and after)  # a model that just ends early has answered
]


@pytest.mark.parametrize(("who", "how", "after"), WAYS)
async def test_the_first_fails_and_the_second_takes_over(
    pair: Pair, three_turns: Turns, longest_silence: Silence, who: str, how: Any, after: int
) -> None:
    failing = Failing(how, after=after, requests={BEGIN[who]})
    providers = {who: Fallback(pair(who, failing, None))}
    outcome = await three_turns([failing], **providers)
    silences = [max(w, longest_silence(r.audio)) for w, r in zip(outcome.waits, outcome.replies, strict=True)]
    outcome.everything_was_said()
    assert max(silences) <= MOST


@pytest.mark.parametrize("after", [0, 4])
@pytest.mark.parametrize("how", ["raise", "stall", "deaf"])
@pytest.mark.parametrize(("who", "rate"), [("llm", 40.0), ("llm", 4.0), ("tts", 40.0)])
async def test_with_delays_as_of_real_providers_the_silence_stays_within_the_limit(
    rate: float,
    three_turns: Turns,
    answering: Answering,
    lexicon: Lexicon,
    longest_silence: Silence,
    who: str,
    how: Any,
    after: int,
) -> None:
    failing = Failing(how, after=after, requests={BEGIN[who]})
    models = [ScriptedLLM(answering, first=0.3, rate=rate, failing=failing if who == "llm" else None) for _ in range(2)]
    voices = [ScriptedTTS(lexicon, first=0.09, failing=failing if who == "tts" else None) for _ in range(2)]
    for second in (models[1], voices[1]):
        second.failing = None
    outcome = await three_turns([failing], llm=Fallback(models), tts=Fallback(voices))
    silences = [max(w, longest_silence(r.audio)) for w, r in zip(outcome.waits, outcome.replies, strict=True)]
    outcome.everything_was_said()
    print(
        "PROFILE",
        who,
        rate,
        how,
        after,
        [round(x, 2) for x in silences],
        round(longest_silence(outcome.replies[0].audio), 2),
    )
    usual = 0.5 + 0.3 + 1 / rate + 0.09  # the end of the turn, the model, a word of it, the voice
    assert max(silences[1:]) == pytest.approx(usual, abs=0.04)
    assert silences[0] <= (MOST if after else usual + 0.8)


@pytest.mark.parametrize(("who", "how"), crossed(["stt", "llm", "tts"], ["raise", "stall", "deaf", "empty"]))
async def test_when_both_fail_the_call_excuses_itself_and_goes_on(
    answering: Answering, answers: dict[str, str], pair: Pair, phone: Phone, who: str, how: Any
) -> None:
    # The first turn only: what the library asks again, and what rests, is asked in it, too.
    first, second = (Failing(how, requests=range(begin, begin + 2)) for begin in (BEGIN[who], 0))
    made = pair(who, first, second)
    replies = []
    async with phone(**{"llm": ScriptedLLM(answering), who: Fallback(made)}) as caller:
        await caller.waits(0.1)
        for question in answers:
            said = await caller.says(question)
            reply = await caller.hears(timeout=60)
            replies.append(reply.text)
            assert reply.started - said.speech_ended < 10.7
        report = await caller.hangs_up()
        for each in (first, second):
            each.let_go()
        await asyncio.sleep(0)
    apology = SAY.not_understood if who == "stt" else SAY.apology
    assert replies[0].startswith(apology)
    assert replies[2] == list(answers.values())[2]
    assert report.reason == "caller hung up"


@pytest.mark.parametrize("how", ["raise", "stall"])
async def test_the_one_that_goes_on_fails_too_and_the_third_finishes(
    three_turns: Turns, answering: Answering, how: Any
) -> None:
    failing = [Failing(how, after=3, requests={0}), Failing(how, after=2, requests={0})]
    models = [ScriptedLLM(answering, rate=20, failing=each) for each in (*failing, None)]
    outcome = await three_turns(failing, llm=Fallback(models))
    outcome.everything_was_said()
    assert outcome.report.served["llm"] == {"ScriptedLLM 1": 2, "ScriptedLLM 2": 1, "ScriptedLLM 3": 2}


@pytest.mark.parametrize("who", ["stt", "llm", "tts"])
async def test_the_first_serves_again_after_its_rest(pair: Pair, three_turns: Turns, who: str) -> None:
    failing = Failing("raise", requests={BEGIN[who]})
    made = Fallback(pair(who, failing, None), FallbackOptions(rest=4.0))
    outcome = await three_turns([failing], **{who: made})
    outcome.everything_was_said()
    name = f"Scripted{who.upper()}"
    assert outcome.report.served[who] == {f"{name} 2": 1, f"{name} 1": 2}


@pytest.mark.parametrize("how", ["raise", "stall", "deaf"])
@pytest.mark.parametrize("who", ["stt", "llm", "tts"])
async def test_to_try_one_that_is_still_broken_costs_little(pair: Pair, three_turns: Turns, who: str, how: Any) -> None:
    failing = Failing(how, requests=range(BEGIN[who], 99))
    made = Fallback(pair(who, failing, None), FallbackOptions(rest=2.0))
    outcome = await three_turns([failing], **{who: made})
    outcome.everything_was_said()
    assert failing.count - BEGIN[who] >= 2  # it was tried
    assert max(outcome.waits[1:]) <= (1.2 if how != "raise" else 0.75)


@pytest.mark.parametrize("how", ["raise", "stall", "deaf"])
async def test_a_word_that_was_cut_is_written_anew(three_turns: Turns, answering: Answering, how: Any) -> None:
    failing = Failing(how, after=2, requests={0})
    models = [Syllables(answering, failing), ScriptedLLM(answering)]
    outcome = await three_turns([failing], llm=Fallback(models))
    outcome.everything_was_said()
    assert models[1].requests[0][-2] == Message("assistant", "We have coffee and")


class Syllables(ScriptedLLM):
    """Writes parts of words: "We have coffee and te" comes first."""

    def __init__(self, answering: Answering, failing: Failing) -> None:
        super().__init__(answering, failing=failing)
        self.answering = answering

    async def respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        text = self.answering(messages)
        fails = self.failing is not None and self.failing.begin()
        for at in range(0, len(text), 11):
            if fails and self.failing is not None and at == 22:
                await self.failing.strike()
            yield text[at : at + 11] if at else text[:11]


@pytest.mark.parametrize("words", [(True, False), (False, True), (False, False)])
async def test_a_voice_without_word_times_loses_no_word(
    answers: dict[str, str], three_turns: Turns, lexicon: Lexicon, words: tuple[bool, bool]
) -> None:
    failing = Failing("raise", after=8, requests={CANNED})
    voices = [ScriptedTTS(lexicon, words=words[0], failing=failing), ScriptedTTS(lexicon, words=words[1])]
    outcome = await three_turns([failing], tts=Fallback(voices))
    said, meant = outcome.replies[0].text.split(), next(iter(answers.values())).split()
    spoken, after = said[:8], said[8:]
    assert spoken == meant[:8]
    assert after == meant[-len(after) :]  # nothing is left out ...
    assert len(meant) - len(after) in (range(8, 9) if words[0] else range(5, 9))  # ... and a phrase repeated at most
    assert [turn.heard for turn in outcome.report.turns] == list(answers.values())


async def test_a_voice_that_waits_for_text_is_not_late(phone: Phone, lexicon: Lexicon) -> None:
    second = ScriptedTTS(lexicon, failing=(never := Failing("raise", requests=())))
    slow = ScriptedLLM(lambda messages: "Well", first=0.2)
    async with phone(llm=Pausing(), tts=Fallback([ScriptedTTS(lexicon), second])) as caller:
        await caller.says("what do you have")
        assert (await caller.hears(timeout=60)).text == "Let me see what we have ... today."
        report = await caller.hangs_up()
    assert (never.count, slow.requests) == (0, [])
    assert report.served == {"tts": {"ScriptedTTS 1": 1}}


class Pausing(ScriptedLLM):
    """Thinks in the middle of its answer."""

    def __init__(self) -> None:
        super().__init__(["Okay."])

    async def respond(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()
    ) -> AsyncGenerator[str | ToolCall | Usage, None]:
        yield "Let me see what we have "
        await asyncio.sleep(1.8)
        yield "... today."


async def test_what_one_call_learns_spares_the_others_and_one_of_them_tries(
    answers: dict[str, str], pair: Pair, phone: Phone
) -> None:
    failing = Failing("stall", requests=range(99))
    llm = Fallback(pair("llm", failing, None), FallbackOptions(rest=4.0))

    async def call(delay: float) -> list[float]:
        waits = []
        async with phone(llm=llm) as caller:
            await caller.waits(delay)
            for question in list(answers)[:2]:
                said = await caller.says(question)
                waits.append((await caller.hears(timeout=60)).started - said.speech_ended)
            await caller.hangs_up()
        return waits

    waits = await asyncio.gather(*(call(delay) for delay in (0.0, 3.0, 3.1, 3.2)))
    assert [wait for wait, _ in waits] == pytest.approx([1.25, 0.65, 0.65, 0.65], abs=0.05)
    assert max(wait for _, wait in waits) <= 1.0
    # Once before anybody knew, and by one call at a time afterwards.
    assert failing.count <= 3


async def test_an_interruption_while_another_one_takes_over_is_heard_as_ever(
    pair: Pair, phone: Phone, lexicon: Lexicon
) -> None:
    failing = Failing("stall", after=3, requests={CANNED})
    tts = Fallback(pair("tts", failing, None))
    async with phone(
        tts=tts, llm=ScriptedLLM(["We have coffee, latte, cappuccino, mocha, and tea.", "Sure."])
    ) as caller:
        await caller.waits(0.1)
        await caller.says("what do you have")
        cut = await caller.interrupts("a mocha please", after=2.0)
        line = lexicon.text(bytes(caller.carrier.heard))
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    assert cut.agent_stopped - cut.speech.speech_started < 0.2
    assert report.turns[0].heard == line == "We have coffee, latte, cappuccino, mocha,"
    assert report.turns[0].interrupted


async def test_tools_that_were_asked_for_are_not_asked_for_again(lexicon: Lexicon) -> None:
    failing = Failing("raise", after=3, requests={0})
    asks = ("Let me look.", calls("price", drink="latte"), "never said")
    first = ScriptedLLM([asks], failing=failing)
    first.failing = Failing("raise", after=4, requests={0})
    second = ScriptedLLM(["It is four dollars."])
    runs: list[str] = []

    def price(drink: str) -> str:
        """The price of a drink."""
        runs.append(drink)
        return "4 dollars"

    def bot(call: Call) -> Pipeline:
        stages = [
            EnergyVAD(),
            ScriptedSTT(lexicon),
            TurnTaking(),
            LLMAggregator(Fallback([first, second]), tools=[price]),
        ]
        return Pipeline([call.transport, *stages, ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, lexicon=lexicon, silence=2.0, llm=Fallback([first, second])) as caller:
        await caller.says("what is a latte")
        reply = await caller.hears()
        report = await caller.hangs_up()
    assert runs == ["latte"]
    assert reply.text == "Let me look. It is four dollars."
    assert second.requests[0][-1].results[0].text == "4 dollars"
    assert report.served["llm"] == {"ScriptedLLM 1": 1, "ScriptedLLM 2": 1}
