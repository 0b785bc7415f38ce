"""What an OpenAI-compatible endpoint sends, byte for byte. Pure.

The form: https://platform.openai.com/docs/api-reference/chat/object and ``…/chat-streaming``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from voiceloop.conversation import ToolCall
from voiceloop.sim.openai_reply import Form

__all__ = ["Chunks", "completion", "error_body", "models_body", "tokens_of"]

_ID = "chatcmpl-sim"
_CREATED = 1_700_000_000
_PIECE = 5  # characters of arguments in a chunk, as large as tokens are


def tokens_of(text: str) -> list[str]:
    """A text as a model writes it: words, each with the space before it."""
    return [word if index == 0 else f" {word}" for index, word in enumerate(text.split(" "))] if text else []


class Chunks:
    """The events of one streamed answer.

    Args:
        model: what was asked for.
        with_usage: whether the client wants the counts.
    """

    def __init__(self, model: str, with_usage: bool) -> None:
        self._model = model
        self._with_usage = with_usage

    def role(self) -> bytes:
        """The first chunk, which holds no text."""
        return self._delta({"role": "assistant", "content": "", "refusal": None})

    def thought(self, token: str) -> bytes:
        """A piece of reasoning, as vLLM, llama.cpp and DeepSeek send it."""
        return self._delta({"content": None, "reasoning_content": token})

    def text(self, token: str) -> bytes:
        """A piece of the answer."""
        return self._delta({"content": token})

    def calls(self, calls: Sequence[ToolCall], form: Form) -> Iterator[bytes]:
        """Calls of tools."""
        for index, call in enumerate(calls):
            if form == "bare":
                function = {"name": call.name, "arguments": json.loads(call.arguments)}
                yield self._delta({"tool_calls": [{"type": "function", "function": function}]})
                continue
            first, *rest = [call.arguments] if form == "whole" else ["", *_pieces(call.arguments)]
            yield self._delta({"tool_calls": [{"index": index, **_call(call, first)}]})
            for piece in rest:
                yield self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def finish(self, reason: str) -> bytes:
        """The last chunk of the choice."""
        return self._delta({}, reason)

    def usage(self, read: int, wrote: int) -> bytes:
        """The counts, in a chunk without a choice; nothing when they are not wanted."""
        return self._event([], _usage(read, wrote)) if self._with_usage else b""

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], None)

    def _event(self, choices: list[Any], usage: dict[str, Any] | None) -> bytes:
        chunk: dict[str, Any] = {
            "id": _ID,
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": self._model,
            "system_fingerprint": "fp_sim",
            "choices": choices,
        }
        if self._with_usage:
            chunk["usage"] = usage
        return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def completion(
    model: str, text: str, calls: Sequence[ToolCall], finish: str, read: int, limit: int | None
) -> dict[str, Any]:
    """An answer that is not streamed."""
    tokens = tokens_of(text)[:limit]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens) or None, "refusal": None}
    if calls:
        message["tool_calls"] = [_call(each, each.arguments) for each in calls]
    cut = limit is not None and len(tokens) == limit
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "length" if cut else finish}
    return {
        "id": _ID,
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "system_fingerprint": "fp_sim",
        "choices": [choice],
        "usage": _usage(read, len(tokens)),
    }


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _pieces(text: str) -> list[str]:
    """Arguments as they are written, a few characters at a time."""
    return [text[place : place + _PIECE] for place in range(0, len(text), _PIECE)]


def models_body(models: Sequence[str]) -> dict[str, Any]:
    """The answer to ``GET /models``."""
    data = [{"id": model, "object": "model", "created": _CREATED, "owned_by": "sim"} for model in models]
    return {"object": "list", "data": data}


def error_body(message: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """An error, also in the middle of a stream."""
    kind = "invalid_request_error" if code or param else "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _usage(read: int, wrote: int) -> dict[str, Any]:
    return {
        "prompt_tokens": read,
        "completion_tokens": wrote,
        "total_tokens": read + wrote,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
