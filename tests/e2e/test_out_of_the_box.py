"""A call with the bot of the examples just as it comes: its endpointing, its pauses and its early answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from voiceloop.cli.load import load_bot
from voiceloop.conversation import Message
from voiceloop.frames import Backchannel, Pause, Resume, Speculation
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_sounds import cough
from voiceloop.sim.services import Services, simulated_services
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import Dialled

BOT = Path(__file__).parents[2] / "examples" / "twilio_bot.py"
GREETING = "Corner Coffee, hi! What can I get you?"
LATTE = "A large latte is five fifty today."
DRINKS = "Besides that there are cappuccino, mocha and plain coffee, every one of them small or large."
CAKES = "We bake carrot cake, lemon tart and almond biscuits fresh each morning before opening."
HOURS = "On weekdays from seven until six, Saturdays eight until four, and Sundays we stay closed all day."
MOCHA = "One small mocha, ready in five minutes."
WRONG = "Too early, I misunderstood."
ANSWERS = {
    "I would like to know the price of a large latte.": LATTE,
    "What else do you have?": DRINKS,
    "Do you have any cakes?": CAKES,
    "When are you open?": HOURS,
    "Stop, one small mocha please.": MOCHA,
}


def answer(messages: Sequence[Message]) -> str:
    """What the model says; to half a sentence something that must not be heard."""
    return ANSWERS.get(messages[-1].text, WRONG)


@asynccontextmanager
async def called(
    dial: Any, answers: Callable[[Sequence[Message]], str] = answer
) -> AsyncIterator[tuple[Dialled, Services]]:
    """The bot with its own providers, on a line with a round trip of 120 ms."""
    lexicon, line = Lexicon(), CarrierOptions(delay_to_server=0.06, delay_from_server=0.06)
    async with simulated_services(answers, lexicon=lexicon) as services:
        with services.environ():
            bot = load_bot(BOT)
            own = {"stt": GoogleSTT(channel=services.google.channel), "llm": bot.llm, "tts": bot.tts}
            async with dial(bot, **own, lexicon=lexicon, carrier=line) as caller:
                yield caller, services


async def five_turns(caller: Dialled) -> CallReport:
    """One with a pause in it, one coughed into, one listened to with a "mhm", one cut, and what cut it."""
    first, second, third, fourth, fifth = ANSWERS
    await caller.hears(GREETING)
    half = first.index(" a large")
    await caller.says(first[:half])
    await caller.waits(0.7)
    await caller.says(first[half + 1 :])
    await caller.hears(LATTE)
    await caller.waits(0.8)
    await caller.says(second)
    await spoken_over(caller, cough(), after=1.5)
    await caller.waits(0.8)
    await caller.says(third)
    await spoken_over(caller, "mhm", after=1.5)
    await caller.waits(0.8)
    await caller.says(fourth)
    cut = await caller.interrupts(fifth, after=2.0)
    assert cut.agent_stopped - cut.speech.speech_started < 0.35
    await caller.hears(MOCHA)
    await caller.waits(1.5)
    return await caller.hangs_up()


async def spoken_over(caller: Dialled, what: str | bytes, *, after: float) -> None:
    """The caller makes a sound over the agent, which falls silent for a moment and then says the rest."""
    await caller.interrupts(what, after=after)
    await caller.hears()


async def test_five_turns_are_each_answered_once_whatever_comes_in_between(dial: Any) -> None:
    async with called(dial) as (caller, services):  # the invariants are looked at when the block is left
        report = await five_turns(caller)
        heard = caller.lexicon.listen(bytes(caller.carrier.heard))
    cut = report.turns[3]
    given = [LATTE, DRINKS, CAKES, cut.heard, MOCHA]
    assert [turn.caller for turn in report.turns] == list(ANSWERS)
    assert [turn.heard for turn in report.turns] == given
    assert f"{cut.heard} {cut.unheard}" == HOURS
    assert [turn.interrupted for turn in report.turns] == [False, False, False, True, False]
    # Whole words are heard once; of a word that a pause or the caller cut, its beginning is heard as well.
    assert [word.text for word in heard if word.whole] == " ".join([GREETING, *given]).split()
    assert len([word for word in heard if not word.whole]) <= len(caller.frames(Pause)) == 3
    held = [frame.answer.id for frame in caller.frames(Resume)]
    assert held == [report.turns[1].answer, report.turns[2].answer]
    assert [aside.text for aside in caller.frames(Backchannel)] == ["mhm"]
    told = [f"{message.role[0]}: {message.text}" for message in report.conversation if not message.aside]
    talk = [line for turn in report.turns for line in (f"u: {turn.caller}", f"a: {turn.heard}")]
    assert told == [f"a: {GREETING}", *talk]
    assert [message.text for message in report.conversation if message.aside] == ["mhm"]
    speculation_is_counted(report, services, caller)
    assert (report.reason, report.faults, report.abandoned, report.watchdogs) == ("caller hung up", [], [], {})


def speculation_is_counted(report: CallReport, services: Services, caller: Dialled) -> None:
    """All that was asked early is in the report, and what was dropped was left at the service too."""
    requests, found = services.anthropic.requests, report.speculation
    kept = [request for request in requests if request.complete]
    assert [request.said for request in kept] == list(ANSWERS)
    assert found.kept == sum(turn.gained > 0 for turn in report.turns) > 0
    assert found.gained == pytest.approx(sum(turn.gained for turn in report.turns))
    assert found.made == len(caller.frames(Speculation))
    assert found.made + len(ANSWERS) - found.kept == len(requests)
    assert found.discarded == len(requests) - len(kept)
    assert all(request.left_at is not None for request in requests if not request.complete)
    assert found.tokens == report.usage["llm.output_tokens"]
    assert found.tokens - found.wasted_tokens == sum(request.tokens for request in kept)
    assert found.wasted_characters == 0  # each was dropped before its first word


@pytest.mark.parametrize("word", ["Mocha.", "Cappuccino."])
async def test_a_word_of_the_agents_that_the_caller_says_over_it_is_answered_once(dial: Any, word: str) -> None:
    """The recogniser confirms it when nobody speaks any more; it is the caller's all the same."""
    answers = {"What else do you have?": DRINKS, word: "Good choice."}
    async with called(dial, lambda messages: answers.get(messages[-1].text, WRONG)) as (caller, _):
        await caller.hears(GREETING)
        await caller.says("What else do you have?")
        await caller.interrupts(word, after=3.5)
        await caller.hears("Good choice.")
        await caller.waits(3.0)
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == list(answers)
    assert [turn.heard for turn in report.turns] == [report.turns[0].heard, "Good choice."]
    assert report.turns[0].interrupted
