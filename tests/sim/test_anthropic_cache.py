"""The prompt cache of the simulated Anthropic service."""

from __future__ import annotations

from typing import Any

from voiceloop.sim.anthropic_cache import PromptCache

MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def block(text: str, **more: Any) -> dict[str, Any]:
    """40 tokens, whatever it says."""
    return {"type": "text", "text": text.ljust(131, "."), **more}


def body(*blocks: dict[str, Any], system: Any = (), **more: Any) -> dict[str, Any]:
    return {"model": "m", "system": list(system), "messages": [{"role": "user", "content": list(blocks)}], **more}


def counts(cache: PromptCache, asked: dict[str, Any], now: float) -> tuple[int, int, int]:
    """Tokens that were neither, that were written, that were read."""
    reading = cache.look_up(asked, now)
    cache.keep(reading, now)
    usage = reading.usage
    assert sum(usage["cache_creation"].values()) == usage["cache_creation_input_tokens"]
    return usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]


def test_what_was_marked_is_read_the_next_time_and_what_follows_is_not() -> None:
    cache = PromptCache(minimum=40)
    asked = body(block("question"), system=[block("be kind", **MARK)])
    fresh, written, read = counts(cache, asked, 0.0)
    assert (written, read) == (40, 0)
    assert counts(cache, asked, 1.0) == (fresh, 0, 40)


def test_a_mark_before_the_minimum_counts_for_nothing() -> None:
    cache = PromptCache(minimum=41)
    asked = body(system=[block("be kind", **MARK)])
    assert counts(cache, asked, 0.0)[1:] == (0, 0)
    assert counts(cache, asked, 1.0)[1:] == (0, 0)


def test_it_is_forgotten_after_five_minutes_without_use() -> None:
    cache = PromptCache(minimum=1)
    asked = body(system=[block("be kind", **MARK)])
    assert counts(cache, asked, 0.0)[1:] == (40, 0)
    assert counts(cache, asked, 299.0)[1:] == (0, 40)
    assert counts(cache, asked, 598.0)[1:] == (0, 40)
    assert counts(cache, asked, 898.0)[1:] == (40, 0)


def test_for_an_hour_it_stays_an_hour() -> None:
    cache = PromptCache(minimum=1)
    asked = body(system=[block("be kind", **HOUR)])
    assert cache.look_up(asked, 0.0).written == {"5m": 0, "1h": 40}
    assert counts(cache, asked, 0.0)[1:] == (40, 0)
    assert counts(cache, asked, 3599.0)[1:] == (0, 40)


def test_a_change_before_a_mark_undoes_it() -> None:
    tools = [{"name": "price", "input_schema": {"type": "object"}, **MARK}]
    cache = PromptCache(minimum=1)
    counts(cache, body(block("hi"), tools=tools, system=[block("be kind", **MARK)]), 0.0)
    _, written, read = counts(cache, body(block("hi"), tools=tools, system=[block("be rude", **MARK)]), 1.0)
    assert written == 40
    assert read > 0  # the tools come first, and are the same
    other = [{**tools[0], "name": "cost"}]
    assert counts(cache, body(block("hi"), tools=other, system=[block("be kind", **MARK)]), 2.0)[2] == 0


def test_another_model_has_another_cache() -> None:
    cache = PromptCache(minimum=1)
    counts(cache, body(system=[block("be kind", **MARK)]), 0.0)
    assert counts(cache, body(system=[block("be kind", **MARK)], model="other"), 1.0)[2] == 0


def test_a_moving_mark_finds_what_the_request_before_has_left_within_twenty_blocks() -> None:
    cache = PromptCache(minimum=1)
    turns = [block(f"turn {number}") for number in range(60)]
    one = counts(cache, body(*turns[:2], {**turns[2], **MARK}), 0.0)[1]
    _, written, read = counts(cache, body(*turns[:22], {**turns[22], **MARK}), 1.0)
    assert (read, round(written / one * 3)) == (one, 20)
    assert counts(cache, body(*turns[:44], {**turns[44], **MARK}), 2.0)[2] == 0


def test_the_top_level_mark_is_for_the_last_block() -> None:
    cache = PromptCache(minimum=1)
    asked = body(block("one"), block("two"), **MARK)
    fresh, written, _ = counts(cache, asked, 0.0)
    assert (fresh, counts(cache, asked, 1.0)) == (0, (0, 0, written))
