"""Whole calls with `CartesiaTTS`: what the caller hears, and what the conversation holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Phrases, Pipeline, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.testing import Dialled, ScriptedLLM, ScriptedSTT, script
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS
from voiceloop.turns.events import TurnOptions

SAY = Phrases()
Phone = Callable[..., Any]
LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."
CANNED = len({*SAY.all()}) + 1
"""Contexts of the library's own phrases and the greeting."""


def bot(call: Call) -> Pipeline:
    ears = [call.transport, EnergyVAD(), ScriptedSTT(Lexicon()), TurnTaking(greeting="Corner Coffee, hi!")]
    return Pipeline([*ears, LLMAggregator(script("Okay.")), CartesiaTTS("any"), AudioStreamer()])


@asynccontextmanager
async def talking(
    dial: Phone,
    llm: Any,
    options: CartesiaSimOptions | None = None,
    speaking: CartesiaOptions | None = None,
    **more: Any,
) -> AsyncIterator[tuple[Dialled, CartesiaSim, Lexicon]]:
    lexicon = Lexicon()
    sim = CartesiaSim(lexicon, options)
    async with sim.listening() as url:
        tts = CartesiaTTS("any", base_url=url, options=speaking)
        async with dial(bot, llm=llm, tts=tts, lexicon=lexicon, **more) as caller:
            await caller.hears("Corner Coffee, hi!")
            yield caller, sim, lexicon


async def test_two_turns(dial: Phone) -> None:
    llm = script("One large mocha. Anything else?", "Five minutes.", first=0.3, rate=30)
    async with talking(dial, llm) as (caller, sim, _):
        await caller.says("A large mocha please")
        reply = await caller.hears("One large mocha. Anything else?")
        await caller.says("How long will it take")
        await caller.hears("Five minutes.")
        report = await caller.hangs_up()
    assert report.faults == []
    # The silence after a whole sentence, the model's first phrase of three words, the voice's 90 ms, one frame.
    assert reply.latency == pytest.approx(TurnOptions().finished + 0.3 + 3 / 30 + 0.09, abs=0.05)
    assert [turn.heard for turn in report.turns] == ["One large mocha. Anything else?", "Five minutes."]
    assert len(sim.sockets) == 1
    assert {context.settings["language"] for context in sim.contexts} == {"en"}


@pytest.mark.parametrize("delay", [0.0, 0.06])
@pytest.mark.parametrize("after", [0.3, 1.31, 2.6, 4.15])
async def test_after_a_barge_in_the_conversation_holds_exactly_what_was_heard(
    dial: Phone, delay: float, after: float
) -> None:
    carrier = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    llm = script(LONG, "Sure.")
    async with talking(dial, llm, carrier=carrier, silence=0.4) as (caller, sim, lexicon):
        await caller.says("what do you have")
        cut = await caller.interrupts("stop", after=after)
        truth = lexicon.text(caller.carrier.truth.heard_between(cut.agent_started, cut.agent_stopped))
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    turn = report.turns[0]
    assert turn.interrupted
    words, kept = truth.split(), turn.heard.split()
    assert kept == words[: len(kept)]  # never ahead
    assert len(words) - len(kept) <= 1  # a word that ended within the frame of the cut may be missing
    assert f"{turn.heard} {turn.unheard}".strip() == LONG
    said = [message.text for message in llm.requests[1] if message.role == "assistant"]
    remembered = f"{turn.heard.rstrip(',')} —" if turn.unheard else turn.heard  # a dash stands where it was cut
    assert said[-1] == (remembered if kept else "Corner Coffee, hi!")
    assert [context.transcript for context in sim.contexts][-1] == "Sure."


async def test_a_barge_in_cancels_what_is_not_made_yet(dial: Phone) -> None:
    llm = script(LONG, "Sure.")
    async with talking(dial, llm, CartesiaSimOptions(pace=1.2)) as (caller, sim, _):
        await caller.says("what do you have")
        await caller.interrupts("stop", after=1.5)
        await caller.hears("Sure.")
        await caller.hangs_up()
    (cut,) = [context for context in sim.contexts if context.transcript == LONG]
    assert cut.outcome == "cancelled"
    assert cut.seconds < 4.0


async def test_a_slow_model_is_spoken_as_it_writes_and_no_word_is_lost(dial: Phone) -> None:
    llm = ScriptedLLM([LONG], rate=1.5)
    async with talking(dial, llm, silence=3.0) as (caller, _, _):
        await caller.says("what do you have")
        reply = await caller.hears()
        report = await caller.hangs_up()
    assert reply.text == LONG
    assert report.turns[0].heard == LONG
    assert report.faults == []


async def test_a_socket_that_is_cut_in_the_middle_of_an_answer_is_hardly_heard(dial: Phone) -> None:
    async with talking(dial, script(LONG), CartesiaSimOptions(pace=1.5)) as (caller, sim, _):
        await caller.says("what do you have")
        await caller.waits(3.0)
        sim.drop()
        reply = await caller.hears()
        report = await caller.hangs_up()
    assert reply.text == LONG
    assert report.turns[0].heard == LONG
    assert report.faults == []
    assert len(sim.sockets) == 2


async def test_an_answer_that_fails_is_excused_with_speech_that_was_made_before(dial: Phone) -> None:
    troubles = dict.fromkeys(range(CANNED, CANNED + 20), Trouble(status=503, message="Overloaded."))
    async with talking(dial, script("Yes."), CartesiaSimOptions(troubles=troubles), silence=2.0) as (caller, _, _):
        await caller.says("Is there any tea")
        await caller.hears(SAY.apology)
        report = await caller.hangs_up()
    assert report.faults[0].kind == "CartesiaTTS.failed"
    assert (
        "the server failed (status 503): Internal server error: Overloaded.; asking again" in report.faults[0].message
    )


async def test_a_wrong_key_is_told_in_the_report(dial: Phone) -> None:
    sim = CartesiaSim(options=CartesiaSimOptions(key="another"))
    async with sim.listening() as url, dial(bot, tts=CartesiaTTS("any", base_url=url, api_key="mistyped")) as caller:
        report = await caller.report()
    assert "it does not accept the key (401)" in report.faults[0].message
