"""A service fails in the middle of a call, and another one of its kind goes on with its work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest

from tests.grids import crossed, first
from voiceloop.conversation import Message
from voiceloop.fallback import Fallback, FallbackOptions
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.llm.base import LLM
from voiceloop.llm.openai import OpenAILLM
from voiceloop.report import CallReport
from voiceloop.sim.anthropic import AnthropicSim, Reply, ToolUse
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.sim.google import Fault, GoogleSpeechSim
from voiceloop.sim.openai import OpenAISim
from voiceloop.sim.profiles import PROFILES
from voiceloop.stt.google import GoogleSTT
from voiceloop.tts.cartesia import CartesiaTTS

Shop = Callable[..., Any]
MOST = 1.5
"""Seconds of silence that a failure in the middle of an answer may cost the caller."""
USUAL = 1.0
"""Seconds from the end of a turn to the first sound, when nothing fails."""
ANSWERS = {
    "What do you have?": "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, and tea at noon.",
    "Do you have more?": "There is cake on Sundays.",
    "And how much?": "It costs three dollars.",
}
LONG = ANSWERS["What do you have?"]
MODEL = "claude-haiku-5-5"
REST = FallbackOptions(rest=4.0)


def answer(messages: Sequence[Message]) -> str:
    """What a good model says: the answer to the question, or what is missing of it when it is told to go on."""
    if messages[-1].text in ANSWERS:
        return ANSWERS[messages[-1].text]
    question = next(message.text for message in reversed(messages) if message.text in ANSWERS)
    whole, begun = ANSWERS[question], messages[-2].text
    return whole.removeprefix(begun).strip() or "." if whole.startswith(begun) else "What?"


def repeating(messages: Sequence[Message]) -> str:
    """A model that does not go on, whatever it is told, but answers once more from the beginning."""
    return ANSWERS[next(message.text for message in reversed(messages) if message.text in ANSWERS)]


@dataclass
class Pair:
    """The bot of the examples with a second service of each kind."""

    bar: Any
    llm: Any
    tts: CartesiaSim
    stt: GoogleSpeechSim


@asynccontextmanager
async def pair_of(
    shop: Shop,
    answers: Any = answer,
    *,
    second: Any = answer,
    openai: bool = False,
    options: FallbackOptions | None = None,
) -> AsyncIterator[Pair]:
    profile = PROFILES["google"]
    async with shop(answers) as bar, AsyncExitStack() as stack:
        module = bar.module
        service, offered = (OpenAISim, "sim") if openai else (AnthropicSim, MODEL)
        llm: Any = service(second, models=(offered,), first=profile.model, rate=profile.rate)
        tts = CartesiaSim(bar.lexicon, CartesiaSimOptions(first=profile.voice))
        stt = GoogleSpeechSim(bar.lexicon, timing=profile.stt)
        urls = [await stack.enter_async_context(sim.listening()) for sim in (llm, tts)]
        if openai:
            model: LLM = OpenAILLM("sim", base_url=urls[0], connector=llm.connector)
        else:
            model = AnthropicLLM(MODEL, base_url=urls[0])
        module.llm = Fallback([module.llm, model], options)
        module.tts = Fallback([module.tts, CartesiaTTS(module.tts.voice, base_url=urls[1])], options)
        module.stt = Fallback([module.stt, GoogleSTT(channel=stt.channel)], options)
        for provider in (module.llm, module.tts, module.stt):
            stack.push_async_callback(provider.aclose)
        yield Pair(bar, llm, tts, stt)


@dataclass
class Talk:
    """A call in which the caller asks one question after the other."""

    waits: list[float]
    """From the end of each question to the first sound, seconds."""
    silences: list[float]
    """The longest silence within each answer, seconds."""
    report: CallReport

    def everything_was_said(self, heard: str, questions: int) -> None:
        """Every word was heard once, in order, and is remembered so."""
        wanted = list(ANSWERS.items())[:questions]
        assert heard.partition("get you? ")[2] == " ".join(text for _, text in wanted)
        assert [(turn.caller, turn.heard) for turn in self.report.turns] == wanted
        said = [message.text for message in self.report.conversation if message.role == "assistant"]
        assert said[1:] == [text for _, text in wanted]
        assert self.report.reason == "caller hung up"
        assert self.report.abandoned == []


async def talk(pair: Pair, breaks: Callable[[], object] = lambda: None, questions: int = 1, pause: float = 0.0) -> Talk:
    bar = pair.bar
    line = await bar.rings()
    breaks()
    waits, silences = [], []
    for question in list(ANSWERS)[:questions]:
        said = await line.caller.says(question)
        await line.caller.hears(silence=2.0)
        sounds = [each for each in line.caller.carrier.truth.sounds(gap=0.02) if each[0] > said.speech_ended]
        waits.append(sounds[0][0] - said.speech_ended)
        gaps = [after - before for (_, before), (after, _) in pairwise(sounds)]
        silences.append(max(gaps))
        await line.caller.waits(pause)
    outcome = Talk(waits, silences, await bar.report(line))
    outcome.everything_was_said(bar.heard(line), questions)
    return outcome


def first_reply(reply: Reply) -> Callable[[Sequence[Message]], str | Reply]:
    """A model whose first answer is this one."""
    left = [reply]
    return lambda messages: left.pop() if left else answer(messages)


# --- the model ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "after"),
    [*crossed(["cut", "reset", "stall"], [1, 3, 9]), *crossed(["pings", "error", "garbage", "line"], [3])],
)
async def test_another_model_goes_on_in_the_middle_of_an_answer(shop: Shop, how: Any, after: int) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault=how, after=after))) as pair:
        outcome = await talk(pair)
    assert outcome.silences[0] <= MOST
    assert outcome.waits[0] <= USUAL + 0.8
    assert outcome.report.served["llm"] == {"AnthropicLLM 1": 1, "AnthropicLLM 2": 1}
    assert [fault.kind for fault in outcome.report.faults] == ["AnthropicLLM 1.replaced"]


@pytest.mark.parametrize(("after", "how"), crossed([1, 2, 4, 12], ["reset", "stall"]))
async def test_a_model_that_writes_as_slowly_as_people_speak_is_replaced_as_quickly(
    shop: Shop, how: Any, after: int
) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault=how, after=after, rate=3.5))) as pair:
        outcome = await talk(pair)
    assert outcome.silences[0] <= MOST
    assert outcome.waits[0] <= USUAL + 0.8


@pytest.mark.parametrize("how", ["cut", "stall", "garbage"])
async def test_another_model_answers_when_the_first_has_not_begun(shop: Shop, how: Any) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault=how, after=0))) as pair:
        outcome = await talk(pair)
    assert outcome.waits[0] <= USUAL + 0.8
    assert outcome.silences[0] <= 0.2


@pytest.mark.parametrize("status", first(2, [401, 529, 402, 429]))
async def test_another_model_answers_when_the_first_refuses(shop: Shop, status: int) -> None:
    def refuses(messages: Sequence[Message]) -> Reply:
        return Reply(status=status)

    async with pair_of(shop, refuses) as pair:
        outcome = await talk(pair, questions=3)
    assert outcome.waits[0] <= USUAL + 0.7
    assert max(outcome.waits[1:]) <= USUAL + 0.4
    assert outcome.report.served["llm"] == {"AnthropicLLM 2": 3}


async def test_a_model_of_another_house_goes_on(shop: Shop) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault="reset", after=5)), openai=True) as pair:
        outcome = await talk(pair, questions=2)
    assert outcome.report.served["llm"] == {"AnthropicLLM": 1, "OpenAILLM": 2}
    assert max(outcome.silences) <= MOST


async def test_what_the_second_model_says_again_is_left_out(shop: Shop) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault="error", after=7)), second=repeating) as pair:
        outcome = await talk(pair)
    assert outcome.silences[0] <= MOST


async def test_a_tool_is_run_once_though_the_model_breaks_behind_it(shop: Shop) -> None:
    asks = ToolUse("price", {"drink": "latte", "size": "large"})
    replies = [Reply("One second.", tools=[asks]), Reply("It is $5.50 in all.", fault="reset", after=3)]

    def goes_on(messages: Sequence[Message]) -> str:
        assert [result.text for message in messages for result in message.results] == ["$5.50"]
        return "$5.50 in all."

    async with pair_of(shop, replies, second=goes_on) as pair:
        line = await pair.bar.rings()
        await line.caller.says("How much is a large latte?")
        assert await pair.bar.hears(line) == "One second. It is five dollars and fifty cents in all."
        report = await pair.bar.report(line)
        assert len(pair.llm.requests) == 1
    assert report.turns[0].heard == "One second. It is $5.50 in all."


# --- the voice ------------------------------------------------------------------------------------------------


def breaking(sim: CartesiaSim, how: str, after: int) -> None:
    """From now on, after so many pieces, whatever is asked of it."""
    begun = len(sim.contexts)
    if how == "dropped":
        sim.options = replace(sim.options, drops_sent=range(sim.sent + after, sim.sent + after + 1000))
    elif how == "gone":
        sim.options, sim.refusing = replace(sim.options, drops_sent=[sim.sent + after]), 503
    else:
        trouble = Trouble(after=after, stall=True) if how == "stalled" else Trouble(after=after, status=int(how))
        sim.options = replace(sim.options, troubles=dict.fromkeys(range(begun, begun + 200), trouble))


@pytest.mark.parametrize(("how", "after"), crossed(["stalled", "500", "402", "dropped", "gone"], [1, 4]))
async def test_another_voice_goes_on_in_the_middle_of_an_answer(shop: Shop, how: str, after: int) -> None:
    async with pair_of(shop) as pair:
        outcome = await talk(pair, lambda: breaking(pair.bar.services.cartesia, how, after))
    assert outcome.silences[0] <= MOST
    assert outcome.waits[0] <= USUAL + 0.7
    begun = {"CartesiaTTS 1": 1} if outcome.waits[0] <= USUAL else {}
    assert outcome.report.served["tts"] == {**begun, "CartesiaTTS 2": 1}


@pytest.mark.parametrize("how", first(3, ["stalled", "402", "gone", "500", "429", "dropped"]))
async def test_another_voice_speaks_when_the_first_has_not_begun(shop: Shop, how: str) -> None:
    async with pair_of(shop) as pair:
        outcome = await talk(pair, lambda: breaking(pair.bar.services.cartesia, how, 0), questions=2)
    assert outcome.waits[0] <= USUAL + 0.7
    assert outcome.waits[1] <= USUAL
    assert outcome.report.served["tts"] == {"CartesiaTTS 2": 2}


# --- the recogniser -------------------------------------------------------------------------------------------

WHEN = {"when it opens": {}, "while the caller speaks": {"at": 2.6}, "after its first words": {"after": 1}}


@pytest.mark.parametrize(
    ("how", "when"), crossed(["UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "cut", "stall"], WHEN)
)
async def test_another_recogniser_hears_every_word(shop: Shop, how: str, when: str) -> None:
    fault = Fault("cut" if how == "cut" else "stall" if how == "stall" else "status", how, **WHEN[when])  # type: ignore[arg-type]
    async with pair_of(shop) as pair:
        pair.bar.services.google.faults = lambda number: fault
        outcome = await talk(pair, questions=2)
    assert max(outcome.waits) <= USUAL + 1.0
    assert max(outcome.silences) <= 0.2


# --- afterwards -----------------------------------------------------------------------------------------------


async def test_the_first_model_serves_again_after_its_rest(shop: Shop) -> None:
    async with pair_of(shop, first_reply(Reply(LONG, fault="stall", after=4)), options=REST) as pair:
        outcome = await talk(pair, questions=3, pause=2.0)
    assert outcome.report.served["llm"] == {"AnthropicLLM 1": 3, "AnthropicLLM 2": 1}
    assert max(outcome.waits) <= USUAL


async def test_the_first_voice_serves_again_after_its_rest(shop: Shop) -> None:
    async with pair_of(shop, options=REST) as pair:
        sim = pair.bar.services.cartesia

        def breaks() -> None:
            sim.options = replace(sim.options, troubles={len(sim.contexts): Trouble(after=4, stall=True)})

        outcome = await talk(pair, breaks, questions=3, pause=2.0)
    assert outcome.report.served["tts"] == {"CartesiaTTS 1": 3, "CartesiaTTS 2": 1}
    assert max(outcome.waits) <= USUAL


async def test_the_first_recogniser_serves_again_after_its_rest(shop: Shop) -> None:
    async with pair_of(shop, options=REST) as pair:
        sim = pair.bar.services.google
        sim.faults = lambda number: Fault("stall") if pair.stt.streams == [] else None
        outcome = await talk(pair, questions=3, pause=2.0)
        finals = sum(stream.finals for stream in sim.streams)  # while it failed it gave none
    assert outcome.report.served["stt"] == {"GoogleSTT 2": 1, "GoogleSTT 1": 1}
    assert finals > 0
    assert max(outcome.waits[1:]) <= USUAL


async def test_when_both_models_break_off_the_caller_hears_an_apology(shop: Shop) -> None:
    broken = Reply(LONG, fault="reset", after=3)
    async with pair_of(shop, first_reply(broken), second=lambda messages: broken) as pair:
        line = await pair.bar.rings()
        said = await line.caller.says("What do you have?")
        assert (await pair.bar.hears(line)).endswith("Sorry, something went wrong. Could you say that again?")
        assert line.caller.first_sound_after(said.speech_ended) - said.speech_ended <= USUAL + 0.8
        report = await pair.bar.report(line)
    assert "none of the providers could do it: AnthropicLLM 1:" in report.faults[-1].message
