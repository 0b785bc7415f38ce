"""Whole calls with `OpenAILLM`: what the caller hears when the endpoint works, is slow, breaks, or is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Phrases, Pipeline, TurnTaking
from voiceloop.llm.openai import OpenAILLM
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.openai import OpenAISim, Reply
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS
from voiceloop.turns.events import TurnOptions

SAY = Phrases()
Phone = Callable[..., Any]


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()  # dial puts its own providers in the place of these
    hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(greeting="Corner Coffee, hi!")]
    model = LLMAggregator(OpenAILLM("sim"), instructions="You take orders.")
    return Pipeline([*hearing, model, ScriptedTTS(lexicon), AudioStreamer()])


@asynccontextmanager
async def talking(dial: Phone, sim: OpenAISim, *, silence: float = 0.8) -> AsyncIterator[Dialled]:
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, connector=sim.connector)
        async with dial(bot, llm=llm, silence=silence) as caller:
            await caller.hears("Corner Coffee")
            yield caller


def kinds(report: Any) -> list[str]:
    return [fault.kind for fault in report.faults]


async def test_two_turns(dial: Phone) -> None:
    sim = OpenAISim(["One large mocha. Anything else?", "Five minutes."], first=0.3, rate=30)
    async with talking(dial, sim) as caller:
        await caller.says("A large mocha please")
        reply = await caller.hears("large mocha")
        await caller.says("How long will it take")
        await caller.hears("Five minutes")
        report = await caller.hangs_up()
    assert report.faults == []
    # Asked at the first short silence: the model writes while the silence that ends the turn goes on.
    assert reply.latency is not None
    assert TurnOptions().finished < reply.latency < TurnOptions().finished + 0.3 - 0.05
    assert (report.speculation.kept, report.speculation.discarded) == (2, 0)
    assert [(message.role, message.text) for message in sim.requests[1].messages] == [
        ("system", "You take orders."),
        ("user", "Hello?"),
        ("assistant", "Corner Coffee, hi!"),
        ("user", "A large mocha please"),
        ("assistant", "One large mocha. Anything else?"),
        ("user", "How long will it take"),
    ]
    assert report.usage["llm.output_tokens"] == 5 + 2
    # Reading ahead takes a connection beside the one of warming; the answers take none.
    assert (sim.connections, len(sim.prefills)) == (1, 1)


async def test_an_interruption_stops_the_server(dial: Phone) -> None:
    sim = OpenAISim([Reply("We have tea and so on and on", repeat=50), "Tea it is."], rate=10)
    async with talking(dial, sim) as caller:
        await caller.says("What do you have")
        await caller.interrupts("Tea please", after=2.0)
        await caller.hears("Tea it is.")
        report = await caller.hangs_up()
    assert sim.requests[0].left_at is not None
    assert sim.requests[0].tokens < 50
    assert report.turns[0].interrupted
    assert report.faults == []


async def test_a_server_that_fails_once_is_asked_again_and_nobody_notices(dial: Phone) -> None:
    sim = OpenAISim([Reply(status=500, message="Oops."), "One large mocha."])
    async with talking(dial, sim) as caller:
        await caller.says("A large mocha please")
        await caller.hears("One large mocha.")
        report = await caller.hangs_up()
    assert kinds(report) == ["OpenAILLM.failed"]
    assert "the server failed (status 500): Oops., for an answer that was not certain yet" in report.faults[0].message


async def test_an_endpoint_that_goes_down_is_excused_and_the_call_goes_on_when_it_is_back(dial: Phone) -> None:
    sim = OpenAISim(["One large mocha."])
    async with talking(dial, sim) as caller:
        await sim.down()
        await caller.says("A large mocha please")
        await caller.hears(SAY.apology)
        await sim.up()
        await caller.says("A large mocha please")
        await caller.hears("One large mocha.")
        report = await caller.hangs_up()
    # Asked once before the turn was over, in vain; then twice for the turn.
    assert kinds(report) == [*["OpenAILLM.failed"] * 2, "LLMAggregator.on_user_turn"]
    assert report.speculation.discarded == 1
    assert "nothing listens there: start the server" in report.faults[0].message
    assert report.reason == "caller hung up"


async def test_an_endpoint_that_stays_down_ends_the_call_with_a_goodbye(dial: Phone) -> None:
    sim = OpenAISim(["-"])
    async with talking(dial, sim, silence=3.0) as caller:
        await sim.down()
        for expected in (SAY.apology, SAY.apology, SAY.failed):
            await caller.says("A large mocha please")
            await caller.hears(expected)
        report = await caller.report()
    assert report.reason == "failed"


async def test_where_nothing_listens_from_the_start_the_caller_hears_so_and_the_call_ends(dial: Phone) -> None:
    sim = OpenAISim(["-"])
    llm = OpenAILLM("sim", base_url=sim.base_url, connector=sim.connector)
    async with dial(bot, llm=llm, silence=3.0) as caller:
        await caller.hears(SAY.failed)
        report = await caller.report()
    assert report.reason == "failed"
    assert kinds(report)[0] == "LLMAggregator.start"
    assert "nothing listens there: start the server" in report.faults[0].message


async def test_a_server_that_is_silent_is_asked_again_after_five_seconds(dial: Phone) -> None:
    sim = OpenAISim([Reply("Never said.", first=60.0), "One large mocha."])
    async with talking(dial, sim, silence=6.0) as caller:
        said = await caller.says("A large mocha please")
        reply = await caller.hears("One large mocha.", timeout=40)
        report = await caller.hangs_up()
    assert reply.started - said.speech_ended == pytest.approx(5.2, abs=0.1)  # asked before the turn was over
    assert kinds(report)[0] == "OpenAILLM.failed"
    assert sim.requests[0].left_at is not None


async def test_a_server_that_thinks_for_ever_is_excused(dial: Phone) -> None:
    sim = OpenAISim([Reply("Never said.", first=600.0, keep_alive=True)])
    async with talking(dial, sim, silence=6.0) as caller:
        said = await caller.says("A large mocha please")
        reply = await caller.hears(SAY.apology, timeout=40)
        report = await caller.hangs_up()
    assert reply.started - said.speech_ended == pytest.approx(10.2, abs=0.1)  # asked twice, from the first silence on
    assert kinds(report) == ["OpenAILLM.failed", "LLMAggregator.on_speculation"]
    assert all(request.left_at is not None for request in sim.requests)


@pytest.mark.parametrize("fault", ["cut", "end", "error", "garbage", "line"])
async def test_what_was_spoken_of_a_broken_answer_is_kept_and_the_caller_hears_of_it(dial: Phone, fault: Any) -> None:
    sim = OpenAISim([Reply("This is a long answer indeed", rate=3, fault=fault, after=4), "Now whole."])
    async with talking(dial, sim, silence=6.0) as caller:
        await caller.says("Tell me")
        reply = await caller.hears(SAY.apology)
        await caller.says("Again please")
        await caller.hears("Now whole.")
        report = await caller.hangs_up()
    spoken = reply.text.removesuffix(SAY.apology).strip()
    assert spoken.startswith("This is a")
    assert report.turns[0].heard == spoken
    assert sim.requests[1].messages[-2].text == f"{spoken} {SAY.apology}"
    assert kinds(report)[0] == "LLMAggregator.on_user_turn"
    assert report.reason == "caller hung up"
