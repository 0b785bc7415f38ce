"""`AnthropicLLM` keeps the contract of language models, in virtual time and over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from voiceloop.conversation import Message
from voiceloop.llm.anthropic import AnthropicLLM, AnthropicOptions
from voiceloop.sim.anthropic import AnthropicSim, Reply, ToolUse
from voiceloop.testing import LLMConformance

pytest.importorskip("anthropic", reason="the extra anthropic is not installed")


def reply(messages: Sequence[Message]) -> str | Reply:
    """Knows two capitals, and asks what a latte costs."""
    if results := messages[-1].results:
        return f"It costs {results[0].text.strip('{}').rpartition(' ')[2]} dollars."
    if messages[-1].text == "What does a latte cost?":
        return Reply("Let me see.", thoughts="I must ask.", tools=[ToolUse("price", {"drink": "latte"})])
    return {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of Japan?": "It is Tokyo.",
    }.get(messages[-1].text, "Cherries are red. Grass is green. The sky is blue.")


class TestAnthropicLLM(LLMConformance):
    rate: ClassVar[float] = 20.0

    def setup_method(self) -> None:
        self.sim = AnthropicSim(reply, first=0.1, rate=self.rate)
        self.broken = AnthropicSim([Reply("Cherries are red.", fault="reset", after=2)], rate=self.rate)
        self.silent = AnthropicSim([Reply("Cherries are red.", fault="stall", after=2)], rate=self.rate)

    @asynccontextmanager
    async def opened(self, make: Callable[[], AnthropicLLM] | None = None) -> AsyncIterator[AnthropicLLM]:
        async with self.sim.listening(), self.broken.listening(), self.silent.listening(), super().opened(make) as it:
            yield it

    def provider(self) -> AnthropicLLM:
        return AnthropicLLM("claude-sim", base_url=self.sim.base_url)

    def failing_provider(self) -> AnthropicLLM:
        return AnthropicLLM("claude-sim", base_url=self.broken.base_url)

    def stalled_provider(self) -> AnthropicLLM:
        return AnthropicLLM("claude-sim", base_url=self.silent.base_url, options=AnthropicOptions(stall=60.0))


@pytest.mark.long
class TestAnthropicLLMOverLoopback(TestAnthropicLLM):
    realtime = True
    rate = 100.0
