"""`PipecatLLM` keeps the contract of models, with Pipecat's OpenAI service, in virtual time and over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.openai.llm import OpenAILLMService

from voiceloop.bridges.pipecat import PipecatLLM
from voiceloop.conversation import Message
from voiceloop.sim.openai import OpenAISim, Reply
from voiceloop.testing import LLMConformance


def reply(messages: Sequence[Message]) -> str | Reply:
    """Knows two capitals, and asks for prices."""
    if messages[-1].role == "tool":
        return f"It is {messages[-1].results[0].text}."
    if messages[-1].text == "What does a latte cost?":
        return Reply("Let me look.", tools=[("price", {"drink": "latte"})])
    return {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of Japan?": "It is Tokyo.",
    }.get(messages[-1].text, "Cherries are red. Grass is green. The sky is blue.")


class TestPipecatLLM(LLMConformance):
    rate: ClassVar[float] = 20.0

    @pytest.fixture(autouse=True)
    def _simulators(self, serving: Callable[..., Any]) -> None:
        self.serving = serving
        self.addresses: dict[str, str] = {}
        self.sims = {
            "sim": OpenAISim(reply, first=0.1, rate=self.rate),
            "broken": OpenAISim([Reply("Cherries are red.", fault="cut", after=2)], rate=self.rate),
            "silent": OpenAISim([Reply("Cherries are red.", fault="stall", after=2)], rate=self.rate),
        }

    @asynccontextmanager
    async def opened(self, make: Callable[[], PipecatLLM] | None = None) -> AsyncIterator[PipecatLLM]:
        async with AsyncExitStack() as stack:
            for name, sim in self.sims.items():
                self.addresses[name] = await stack.enter_async_context(self.serving(sim.app))
            self.opened_provider = await stack.enter_async_context(super().opened(make))
            yield self.opened_provider

    async def nothing_left(self, before: set[asyncio.Task[Any]], when: str) -> None:
        """What services that wait for the next answer run is not left over: it is gone when the provider is closed."""
        pool = self.opened_provider._pool
        idle = [] if when == "when the provider is closed" else [task for each in pool._idle for task in each.tasks()]
        await super().nothing_left(before | set(idle), when)

    def provider(self) -> PipecatLLM:
        return self._provider("sim")

    def failing_provider(self) -> PipecatLLM:
        return self._provider("broken")

    def stalled_provider(self) -> PipecatLLM:
        return self._provider("silent")

    def _provider(self, name: str) -> PipecatLLM:
        def make() -> OpenAILLMService:
            url = f"http://{self.addresses[name]}/v1"
            return OpenAILLMService(api_key="k", base_url=url, settings=OpenAILLMService.Settings(model="sim"))

        return PipecatLLM(make)


class TestPipecatLLMOverLoopback(TestPipecatLLM):
    realtime = True
    rate = 100.0
