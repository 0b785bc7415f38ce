"""What a call used and what it cost, compared with what the services counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.prices import Prices
from voiceloop.report import CallReport
from voiceloop.sim.anthropic import Reply, Request, ToolUse

Shop = Callable[..., Any]
PRICE = Reply("One second.", tools=[ToolUse("price", {"drink": "latte", "size": "large"})])
LONG = "We have coffee, latte, cappuccino and mocha, small or large, hot or iced, and tea at noon. " * 3
WORD = 12
"""Characters of a word and its space, at most."""


def read(requests: Sequence[Request]) -> dict[str, int]:
    """What the service counted of its input."""
    names = {
        "llm.input_tokens": ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        "llm.cached_tokens": ("cache_read_input_tokens",),
        "llm.cache_write_tokens": ("cache_creation_input_tokens",),
    }
    return {name: sum(each.usage[part] for each in requests for part in parts) for name, parts in names.items()}


def spoken(bar: Any, since: int) -> int:
    """Characters that the voice was sent, without those of the library's own phrases."""
    return sum(len(context.transcript) for context in bar.services.cartesia.contexts[since:])


def matches(report: CallReport, counted: dict[str, int]) -> bool:
    """Whether the report's counts are the service's."""
    return {name: report.usage.get(name, 0) for name in counted} == counted


async def test_a_call_with_tools_is_counted_exactly_as_the_services_count(shop: Shop) -> None:
    async with shop([PRICE, "It is $5.50.", "A mocha it is."]) as bar:
        line = await bar.rings()
        before = len(bar.services.cartesia.contexts), bar.services.google.seconds
        for question in ("How much is a large latte?", "A mocha please."):
            await line.caller.says(question)
            await bar.hears(line)
        report = await bar.report(line)
        requests = bar.services.anthropic.requests
        heard = bar.services.google.seconds
    assert matches(report, read(requests))
    assert report.usage["llm.output_tokens"] == sum(request.tokens for request in requests)
    assert report.usage["tts.characters"] == spoken(bar, before[0])
    assert report.usage["stt.seconds"] == pytest.approx(report.duration, abs=0.03)
    assert heard == pytest.approx(report.usage["stt.seconds"], abs=0.12)  # its last piece was not sent any more
    assert not [name for name in report.usage if "wasted" in name or "estimated" in name]


async def test_of_an_answer_that_is_cut_the_input_is_exact_and_the_rest_nearly_so(shop: Shop) -> None:
    async with shop([Reply(LONG, rate=4.0), "A mocha, fine."]) as bar:
        line = await bar.rings()
        before = len(bar.services.cartesia.contexts)
        await line.caller.says("What do you have?")
        await line.caller.interrupts("Stop, a mocha please", after=4.0)
        assert await bar.hears(line) == "A mocha, fine."
        report = await bar.report(line)
        cut, whole = bar.services.anthropic.requests
        sent = spoken(bar, before)
    assert cut.left_at is not None
    assert matches(report, read([cut, whole]))
    assert report.usage["llm.output_tokens"] == pytest.approx(cut.tokens + whole.tokens, rel=0.5)
    assert report.usage["llm.estimated_requests"] == 1
    assert sent <= report.usage["tts.characters"] <= sent + WORD
    turn = report.turns[0]
    assert turn.interrupted
    assert report.usage["llm.wasted_characters"] == len(turn.unheard)
    assert report.usage["tts.wasted_characters"] == pytest.approx(
        sent - len("A mocha, fine.") - len(turn.heard), abs=WORD
    )


async def test_speech_that_nobody_heard_is_counted_as_wasted(shop: Shop) -> None:
    async with shop([LONG, "Fine."]) as bar:
        line = await bar.rings()
        await line.caller.says("What do you have?")
        await line.caller.interrupts("Stop", after=2.0)
        assert await bar.hears(line) == "Fine."
        report = await bar.report(line)
        sent = bar.services.cartesia.contexts[-2].transcript
        written = sum(request.tokens for request in bar.services.anthropic.requests)
    heard = report.turns[0].heard
    assert report.usage["tts.wasted_characters"] == len(sent.strip()) - len(heard) - 1
    assert report.usage["llm.wasted_characters"] == len(report.turns[0].unheard)
    assert report.usage["llm.output_tokens"] == written  # all, before it was cut


@pytest.mark.parametrize("how", ["error", "reset"])
async def test_an_answer_that_fails_is_paid_for_and_counted(shop: Shop, how: Any) -> None:
    async with shop([Reply("This will break off soon", fault=how, after=4, rate=5.0), "Good."]) as bar:
        line = await bar.rings()
        before = len(bar.services.cartesia.contexts)
        for question in ("Go on.", "Once more."):
            await line.caller.says(question)
            await bar.hears(line)
        report = await bar.report(line)
        requests = bar.services.anthropic.requests
        sent = spoken(bar, before)
    assert matches(report, read(requests))
    assert report.usage["llm.estimated_requests"] == 1
    assert report.usage["llm.output_tokens"] == pytest.approx(sum(request.tokens for request in requests), abs=2)
    assert sent <= report.usage["tts.characters"] <= sent + WORD


async def test_the_cost_follows_from_the_counts_and_the_prices(shop: Shop) -> None:
    prices = Prices(
        stt_minute=0.016,
        llm_input=1.0,
        llm_cached=0.1,
        llm_cache_write=1.25,
        llm_output=5.0,
        tts_characters=50.0,
        line_minute=0.012,
    )
    async with shop([LONG, "A mocha, fine."]) as bar:
        bar.module.INSTRUCTIONS = f"{bar.module.INSTRUCTIONS} {LONG * 40}"
        line = await bar.rings()
        bar.calls[0].runtime.prices = prices
        await line.caller.says("What do you have?")
        await line.caller.interrupts("Stop, a mocha please", after=3.0)
        await bar.hears(line)
        report = await bar.report(line)
    used, cost = report.usage, report.cost
    fresh = used["llm.input_tokens"] - used["llm.cached_tokens"] - used["llm.cache_write_tokens"]
    model = fresh * 1.0 + used["llm.cached_tokens"] * 0.1 + used["llm.cache_write_tokens"] * 1.25
    assert cost.llm == pytest.approx((model + used["llm.output_tokens"] * 5.0) / 1e6)
    assert cost.stt == pytest.approx(used["stt.seconds"] / 60 * 0.016)
    assert cost.tts == pytest.approx(used["tts.characters"] * 50.0 / 1e6)
    assert cost.line == pytest.approx(report.duration / 60 * 0.012)
    assert cost.wasted == pytest.approx(used["tts.wasted_characters"] * 50.0 / 1e6)
    assert cost.total == pytest.approx(cost.stt + cost.llm + cost.tts + cost.line)
    assert 0 < cost.wasted < cost.tts


async def test_in_a_long_call_nearly_all_input_comes_from_the_cache(shop: Shop) -> None:
    def answer(messages: Sequence[Message]) -> str:
        return f"This is answer number {sum(message.role == 'user' for message in messages)}."

    async with shop(answer) as bar:
        bar.module.INSTRUCTIONS = f"{bar.module.INSTRUCTIONS} {LONG * 40}"
        line = await bar.rings()
        for number in range(30):
            await line.caller.says(f"Please tell me about number {number}.")
            await bar.hears(line)
        report = await bar.report(line)
        requests = bar.services.anthropic.requests
        (ahead,) = bar.services.anthropic.prewarms
    assert matches(report, read(requests))
    shares = [request.usage["cache_read_input_tokens"] / read([request])["llm.input_tokens"] for request in requests]
    assert len(shares) == 30
    assert ahead.usage["cache_creation_input_tokens"] > 1024
    assert min(shares) > 0.9
    assert report.usage["llm.cached_tokens"] > 0.98 * report.usage["llm.input_tokens"]
    reads = [request.usage["cache_read_input_tokens"] for request in requests]
    assert reads == sorted(reads)
    assert reads[-1] > reads[0] + 500
