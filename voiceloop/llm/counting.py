"""What a model has read and written, counted for the call and for the answer it was for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.llm.base import Usage
from voiceloop.speculated import count_wasted

__all__ = ["count", "count_dropped", "estimate"]

CHARACTERS_PER_TOKEN = 4
"""Of English, about: for answers that were cut before the model had counted."""


def count(call: Call, answer: Answer, usage: Usage) -> None:
    """Add what the model has counted. It may come after the answer is over."""
    counts = call.usage
    counts["llm.input_tokens"] += usage.input_tokens
    counts["llm.output_tokens"] += usage.output_tokens
    counts["llm.cached_tokens"] += usage.cached_tokens
    if usage.cache_write_tokens:
        counts["llm.cache_write_tokens"] += usage.cache_write_tokens
    answer.read += usage.input_tokens
    answer.written += usage.output_tokens
    if answer.provisional:
        count_wasted(counts, read=usage.input_tokens, written=usage.output_tokens)


def estimate(call: Call, answer: Answer, messages: Sequence[Message], characters: int) -> None:
    """Count a request that was cut before the model had counted: it is paid for all the same.

    Args:
        messages: what it has read, unless it has counted that.
        characters: what it has written.
    """
    read = sum(len(message.text) for message in messages)
    count(call, answer, Usage(ceil(read / CHARACTERS_PER_TOKEN), ceil(characters / CHARACTERS_PER_TOKEN)))
    call.usage["llm.estimated_requests"] += 1


def count_dropped(call: Call, answer: Answer) -> None:
    """An answer has ended: when it never was certain, what was counted for it so far is wasted."""
    if answer.provisional:
        count_wasted(call.usage, read=answer.read, written=answer.written)
