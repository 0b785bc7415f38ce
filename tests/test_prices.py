"""What a call costs."""

from __future__ import annotations

import pytest

from voiceloop.prices import Prices

USAGE = {
    "stt.seconds": 90.0,
    "llm.input_tokens": 10_000,
    "llm.cached_tokens": 7_000,
    "llm.cache_write_tokens": 1_000,
    "llm.output_tokens": 500,
    "tts.characters": 2_000,
    "tts.wasted_characters": 500,
}


def test_each_part_is_its_count_times_its_price() -> None:
    prices = Prices(
        stt_minute=0.02,
        llm_input=1.0,
        llm_cached=0.1,
        llm_cache_write=1.25,
        llm_output=5.0,
        tts_characters=40.0,
        line_minute=0.01,
    )
    cost = prices.cost(USAGE, seconds=120.0)
    assert cost.stt == pytest.approx(0.03)
    assert cost.llm == pytest.approx((2_000 * 1.0 + 7_000 * 0.1 + 1_000 * 1.25 + 500 * 5.0) / 1e6)
    assert cost.tts == pytest.approx(0.08)
    assert cost.wasted == pytest.approx(0.02)
    assert cost.line == pytest.approx(0.02)
    assert cost.total == pytest.approx(cost.stt + cost.llm + cost.tts + cost.line)
    assert cost.as_dict()["total"] == pytest.approx(cost.total, abs=1e-6)


def test_a_call_without_usage_costs_its_line_only() -> None:
    assert Prices(llm_input=3.0, line_minute=0.06).cost({}, seconds=10.0).total == pytest.approx(0.01)


def test_negative_prices_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        Prices(llm_output=-1.0)
