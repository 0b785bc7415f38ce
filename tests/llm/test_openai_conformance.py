"""`OpenAILLM` keeps the contract of language models, in virtual time and over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from voiceloop.conversation import Message
from voiceloop.llm.openai import OpenAILLM
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


class TestOpenAILLM(LLMConformance):
    rate: ClassVar[float] = 20.0

    def setup_method(self) -> None:
        self.sim = OpenAISim(reply, first=0.1, rate=self.rate)
        self.broken = OpenAISim([Reply("Cherries are red.", fault="cut", after=2)], rate=self.rate)
        self.silent = OpenAISim([Reply("Cherries are red.", fault="stall", after=2)], rate=self.rate)

    @asynccontextmanager
    async def opened(self, make: Callable[[], OpenAILLM] | None = None) -> AsyncIterator[OpenAILLM]:
        async with self.sim.listening(), self.broken.listening(), self.silent.listening(), super().opened(make) as it:
            yield it

    def provider(self) -> OpenAILLM:
        return OpenAILLM("sim", base_url=self.sim.base_url, connector=self.sim.connector)

    def failing_provider(self) -> OpenAILLM:
        return OpenAILLM("sim", base_url=self.broken.base_url, connector=self.broken.connector)

    def stalled_provider(self) -> OpenAILLM:
        return OpenAILLM("sim", base_url=self.silent.base_url, connector=self.silent.connector)


class TestOpenAILLMOverLoopback(TestOpenAILLM):
    realtime = True
    rate = 100.0
