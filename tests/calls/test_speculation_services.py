"""What becomes of requests at the services when an answer that was begun early is dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.calls.guessing import Bot
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.llm.base import LLM
from voiceloop.llm.openai import OpenAILLM
from voiceloop.sim.anthropic import Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.openai import OpenAISim
from voiceloop.sim.openai import Reply as OpenAIReply
from voiceloop.sim.services import Services, simulated_services
from voiceloop.testing import Dialled
from voiceloop.tts.cartesia import CartesiaTTS

Dial = Callable[..., Any]
LONG = "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, and tea at noon. " * 3
PHRASE = 60
"""Characters that the voice keeps back until a phrase is whole, at most."""


@asynccontextmanager
async def called(dial: Dial, bot: Bot, answers: Any) -> AsyncIterator[tuple[Dialled, Services]]:
    """A call with a bot on Anthropic and Cartesia."""
    lexicon = Lexicon()
    async with simulated_services(answers, lexicon=lexicon) as services:
        with services.environ():
            llm, tts = AnthropicLLM("claude-haiku-4-5"), CartesiaTTS("a0e99841-438c-4a64-b679-ae501e7d6091")
            async with dial(bot, llm=llm, tts=tts, lexicon=lexicon) as caller:
                await caller.waits(6.0)  # until the library's own phrases are rendered
                yield caller, services


@pytest.mark.parametrize("after", [0.1, 0.35, 0.8, 2.5, 4.5])
async def test_a_dropped_answer_ends_at_the_services_and_what_they_did_is_counted(dial: Dial, after: float) -> None:
    bot = Bot()
    async with called(dial, bot, [Reply(LONG, rate=10.0), "A mocha, fine."]) as (caller, services):
        before = len(services.cartesia.contexts)
        wrong = bot.guesser.guess("what do you have")
        await caller.waits(after)
        bot.guesser.wrong(wrong)
        await caller.waits(0.3)
        dropped = services.anthropic.requests[0]
        contexts = services.cartesia.contexts[before:]
        assert dropped.left_at is not None or dropped.complete
        assert all(each.cancelled_at is not None or each.ended_at is not None for each in contexts)
        turn = bot.guesser.guess("a mocha")
        await caller.waits(0.4)
        bot.guesser.sure(turn)
        await caller.hears("A mocha, fine.")
        report = await caller.hangs_up()
        requests = services.anthropic.requests
        spoken = sum(len(each.transcript) for each in contexts)
    found = report.speculation
    assert [len(requests), found.kept, found.discarded] == [2, 1, 1]
    assert report.usage["llm.output_tokens"] == pytest.approx(sum(each.tokens for each in requests), rel=0.7)
    assert found.tokens - found.wasted_tokens == requests[1].tokens
    assert found.wasted_tokens == pytest.approx(dropped.tokens, rel=0.7)
    assert found.wasted_input_tokens > 0
    assert spoken <= found.wasted_characters <= spoken + PHRASE
    assert report.usage.get("tts.wasted_characters", 0) <= found.wasted_characters <= report.usage["tts.characters"]
    assert report.faults == []
    assert report.abandoned == []


async def test_a_kept_answer_is_one_request_at_each_service(dial: Dial) -> None:
    bot = Bot()
    async with called(dial, bot, ["A mocha, fine."]) as (caller, services):
        before = len(services.cartesia.contexts)
        turn = bot.guesser.guess("a mocha")
        await caller.waits(0.4)
        bot.guesser.sure(turn)
        await caller.hears("A mocha, fine.")
        report = await caller.hangs_up()
        assert len(services.anthropic.requests) == len(services.cartesia.contexts[before:]) == 1
    assert "llm.estimated_requests" not in report.usage
    assert report.turns[0].gained > 0.2


async def test_a_server_of_the_openai_protocol_is_left_too(dial: Dial) -> None:
    bot = Bot()
    sim = OpenAISim([OpenAIReply("We have tea and so on", repeat=50), "Tea it is."], rate=10)
    async with sim.listening() as base_url:
        llm: LLM = OpenAILLM("sim", base_url=base_url, connector=sim.connector)
        async with dial(bot, llm=llm) as caller:
            await caller.waits(1.0)
            wrong = bot.guesser.guess("what do you have")
            await caller.waits(1.0)
            bot.guesser.wrong(wrong)
            await caller.waits(0.2)
            assert sim.requests[0].left_at is not None
            bot.guesser.turn("tea")
            await caller.hears("Tea it is.")
            report = await caller.hangs_up()
    assert report.speculation.wasted_tokens == pytest.approx(sim.requests[0].tokens, rel=0.7)
    assert report.faults == []
