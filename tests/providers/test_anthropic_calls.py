"""Whole calls with `AnthropicLLM`: what the caller hears when the service works, is busy, breaks, or is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Phrases, Pipeline, TurnTaking
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.sim.anthropic import AnthropicSim, Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS
from voiceloop.turns.events import TurnOptions

pytest.importorskip("anthropic", reason="the extra anthropic is not installed")

SAY = Phrases()
Phone = Callable[..., Any]


def bot(call: Call) -> Pipeline:
    lexicon = Lexicon()  # dial puts its own providers in the place of these
    hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(greeting="Corner Coffee, hi!")]
    model = LLMAggregator(AnthropicLLM("claude-sim"), instructions="You take orders.")
    return Pipeline([*hearing, model, ScriptedTTS(lexicon), AudioStreamer()])


@asynccontextmanager
async def talking(dial: Phone, sim: AnthropicSim, *, silence: float = 0.8) -> AsyncIterator[Dialled]:
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url)
        async with dial(bot, llm=llm, silence=silence) as caller:
            await caller.hears("Corner Coffee")
            yield caller


def kinds(report: Any) -> list[str]:
    return [fault.kind for fault in report.faults]


async def test_two_turns(dial: Phone) -> None:
    sim = AnthropicSim(["One large mocha. Anything else?", "Five minutes."], first=0.3, rate=30)
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
    read = sum(request.usage["input_tokens"] for request in sim.requests)
    assert report.usage["llm.input_tokens"] == read
    assert (sim.connections, sim.lookups) == (1, 1)


async def test_an_interruption_stops_the_service_and_the_next_request_holds_what_was_heard(dial: Phone) -> None:
    sim = AnthropicSim([Reply("We have tea and so on and on", repeat=50), "Tea it is."], rate=10)
    async with talking(dial, sim) as caller:
        await caller.says("What do you have")
        await caller.interrupts("Tea please", after=2.0)
        await caller.hears("Tea it is.")
        report = await caller.hangs_up()
    assert len(sim.disconnects) == 1
    assert sim.requests[0].tokens < 60
    assert report.turns[0].interrupted
    heard = sim.requests[1].messages[-2]
    assert (heard.role, heard.text) == ("assistant", f"{report.turns[0].heard} —")  # where it was cut
    assert heard.text.startswith("We have tea and")
    assert report.faults == []


async def test_a_service_that_is_busy_for_a_moment_is_not_noticed(dial: Phone) -> None:
    sim = AnthropicSim([Reply(status=529), Reply(status=429, retry_after=0.5), "One large mocha."])
    async with talking(dial, sim) as caller:
        await caller.says("A large mocha please")
        reply = await caller.hears("One large mocha.")
        report = await caller.hangs_up()
    assert report.faults == []
    assert reply.latency == pytest.approx(0.2 + 0.2 + 0.5, abs=0.15)  # from the first short silence on


async def test_a_service_that_stays_overloaded_is_excused_with_what_it_said_in_the_report(dial: Phone) -> None:
    sim = AnthropicSim([*[Reply(status=529)] * 8, "One large mocha."])
    async with talking(dial, sim) as caller:
        await caller.says("A large mocha please")
        await caller.hears(SAY.apology)
        await caller.says("A large mocha please")
        await caller.hears("One large mocha.")
        report = await caller.hangs_up()
    assert kinds(report) == ["AnthropicLLM.failed", "LLMAggregator.on_speculation"]
    assert "the service is overloaded (529): Overloaded; asked 4 times in 2 s" in report.faults[0].message


async def test_a_service_that_is_gone_from_the_start_ends_the_call_in_words(dial: Phone) -> None:
    llm = AnthropicLLM("claude-sim", base_url="http://127.0.0.1:9")
    async with dial(bot, llm=llm, silence=3.0) as caller:
        await caller.hears(SAY.failed)
        report = await caller.report()
    assert report.reason == "failed"
    assert kinds(report)[0] == "LLMAggregator.start"
    assert "no connection: " in report.faults[0].message


@pytest.mark.parametrize("fault", ["reset", "cut", "error", "garbage", "line"])
async def test_what_was_spoken_of_a_broken_answer_is_kept_and_the_caller_hears_of_it(dial: Phone, fault: Any) -> None:
    sim = AnthropicSim([Reply("This is a long answer indeed", rate=3, fault=fault, after=4), "Now whole."])
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
