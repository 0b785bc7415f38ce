"""Whole calls with Pipecat's real OpenAI service: when it works, breaks, is silent or is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.openai.llm import OpenAILLMService

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Phrases, Pipeline, TurnTaking
from voiceloop.bridges.pipecat import PipecatLLM, PipecatProcessor
from voiceloop.conversation import Message
from voiceloop.llm.base import LLM
from voiceloop.llm.history import as_remembered
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.openai import OpenAISim, Reply
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS

SAY = Phrases()


def pipeline(call: Call, model: Any) -> Pipeline:
    lexicon = Lexicon()  # dial puts its own providers in the place of these
    hearing = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(greeting="Corner Coffee, hi!")]
    return Pipeline([*hearing, model, ScriptedTTS(lexicon), AudioStreamer()])


def service(url: str) -> OpenAILLMService:
    return OpenAILLMService(api_key="k", base_url=url, settings=OpenAILLMService.Settings(model="sim"))


class Line:
    """Calls to a bot whose model is a Pipecat service: one shared by calls, or one of the call alone."""

    def __init__(self, dial: Callable[..., Any], serving: Callable[..., Any], kind: str) -> None:
        self.dial = dial
        self.serving = serving
        self.kind = kind
        self.made: list[OpenAILLMService] = []

    @asynccontextmanager
    async def talking(self, sim: OpenAISim, *, silence: float = 0.8) -> AsyncIterator[Dialled]:
        async with self.serving(sim.app) as address:

            def make() -> OpenAILLMService:
                self.made.append(service(f"http://{address}/v1"))
                return self.made[-1]

            shared = PipecatLLM(make)

            def bot(call: Call) -> Pipeline:
                if self.kind == "shared":
                    return pipeline(call, LLMAggregator(shared, instructions="You take orders."))
                del call.runtime.substitutes[LLM]  # or dial would put its own in the place of it
                return pipeline(call, PipecatProcessor(make(), instructions="You take orders."))

            async with self.dial(bot, llm=shared, silence=silence) as caller:
                await caller.hears("Corner Coffee")
                yield caller


@pytest.fixture(params=["shared", "of the call"])
def line(dial: Callable[..., Any], serving: Callable[..., Any], request: pytest.FixtureRequest) -> Line:
    return Line(dial, serving, request.param)


def kinds(report: Any) -> list[str]:
    return [fault.kind for fault in report.faults]


async def test_two_turns_with_memory(line: Line) -> None:
    sim = OpenAISim(["One large mocha. Anything else?", "Five minutes."], first=0.3, rate=30)
    async with line.talking(sim) as caller:
        await caller.says("A large mocha please")
        reply = await caller.hears("large mocha")
        await caller.says("How long will it take")
        await caller.hears("Five minutes")
        report = await caller.hangs_up()
    assert report.faults == []
    assert reply.latency == pytest.approx(0.5, abs=0.1)  # begun in the silence
    assert [(message.role, message.text) for message in sim.requests[1].messages] == [
        ("system", "You take orders."),
        ("user", "Hello?"),
        ("assistant", "Corner Coffee, hi!"),
        ("user", "A large mocha please"),
        ("assistant", "One large mocha. Anything else?"),
        ("user", "How long will it take"),
    ]
    assert report.usage["llm.output_tokens"] == 5 + 2
    assert len(line.made) == 1


async def test_an_interruption_stops_the_service_and_it_remembers_what_was_heard(line: Line) -> None:
    sim = OpenAISim([Reply("We have tea and so on and on", repeat=50), "Tea it is."], rate=10)
    async with line.talking(sim) as caller:
        await caller.says("What do you have")
        await caller.interrupts("Tea please", after=2.0)
        await caller.hears("Tea it is.")
        report = await caller.hangs_up()
    heard = report.turns[0].heard
    assert heard.startswith("We have tea and so on")
    assert sim.requests[1].messages[-2].text == as_remembered(Message("assistant", heard, "more", interrupted=True))
    assert sim.requests[0].left_at is not None
    assert sim.requests[0].tokens < 60
    assert report.turns[0].interrupted
    assert report.faults == []
    assert len(line.made) <= 2  # the next answer may begin while the service of the one that was cut stops


async def test_a_service_that_fails_once_is_asked_again_and_nobody_notices(line: Line) -> None:
    sim = OpenAISim([Reply(status=400, message="Oops."), "One large mocha."])
    async with line.talking(sim) as caller:
        await caller.says("A large mocha please")
        await caller.hears("One large mocha.")
        report = await caller.hangs_up()
    assert kinds(report) == ["PipecatLLM.failed"]
    assert "OpenAILLMService: " in report.faults[0].message
    assert "Oops." in report.faults[0].message
    assert report.faults[0].message.endswith(", for an answer that was not certain yet")


@pytest.mark.parametrize("fault", ["cut", "error", "garbage"])
async def test_what_was_spoken_of_a_broken_answer_is_kept_and_the_caller_hears_of_it(line: Line, fault: Any) -> None:
    sim = OpenAISim([Reply("This is a long answer indeed", rate=3, fault=fault, after=4), "Now whole."])
    async with line.talking(sim, silence=6.0) as caller:
        await caller.says("Tell me")
        reply = await caller.hears(SAY.apology)
        await caller.says("Again please")
        await caller.hears("Now whole.")
        report = await caller.hangs_up()
    spoken = reply.text.removesuffix(SAY.apology).strip()
    assert spoken.startswith("This is a")
    assert report.turns[0].heard == spoken
    assert report.reason == "caller hung up"
    assert len(report.faults) == 1


async def test_a_silent_service_is_asked_again_after_five_seconds(line: Line) -> None:
    sim = OpenAISim([Reply("Never said.", first=60.0), "One large mocha."])
    async with line.talking(sim, silence=6.0) as caller:
        said = await caller.says("A large mocha please")
        reply = await caller.hears("One large mocha.", timeout=40)
        report = await caller.hangs_up()
    assert reply.started - said.speech_ended == pytest.approx(5.2, abs=0.2)
    assert kinds(report)[0] == "PipecatLLM.failed"
    assert sim.requests[0].left_at is not None


async def test_a_hang_up_while_the_service_writes_leaves_nothing(line: Line) -> None:
    sim = OpenAISim([Reply("on and on", repeat=100)], rate=10)
    async with line.talking(sim) as caller:
        await caller.says("What do you have")
        await caller.waits(2.0)
        report = await caller.hangs_up()
        assert sim.requests[0].left_at is not None
        if line.kind == "of the call":
            kept = [provider for provider, _ in caller.call.runtime._warm.values()]
            assert not any(isinstance(provider, PipecatLLM) for provider in kept)
    assert report.faults == []
    assert report.reason == "caller hung up"
