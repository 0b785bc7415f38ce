"""What the Anthropic service sends, byte for byte. Pure.

Events and their order: https://platform.claude.com/docs/en/build-with-claude/streaming and the types of anthropic 2.12.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from voiceloop.sim.anthropic_reply import Reply
from voiceloop.sim.openai_wire import tokens_of

__all__ = ["PING", "Answer", "Step", "error_body", "event", "input_tokens", "model_body", "models_body", "signature"]

_CHUNK = 12
"""Characters of arguments in one event."""
_CHARACTERS_PER_TOKEN = 4
_CREATED = "2026-01-01T00:00:00Z"


def event(kind: str, **data: Any) -> bytes:
    """One event. Its name stands on the wire twice."""
    text = json.dumps({"type": kind, **data}, ensure_ascii=False)
    return f"event: {kind}\ndata: {text}\n\n".encode()


PING = event("ping")


def signature(thinking: str) -> str:
    """What vouches for a thought: the service takes it back unchanged only."""
    return "sig-" + hashlib.sha256(thinking.encode()).hexdigest()[:32]


def input_tokens(value: Any) -> int:
    """Tokens of a block that is read: a fixed number of characters each."""
    return -(-len(json.dumps(value, ensure_ascii=False)) // _CHARACTERS_PER_TOKEN)


@dataclass(slots=True, frozen=True)
class Step:
    """Something the model does: an event, and how many tokens it has taken."""

    data: bytes
    tokens: int = 0


class Answer:
    """One answer: the same as events and as one object.

    Args:
        reply: what is answered.
        number: of the answer; makes its identifiers.
        model: what was asked for.
        usage: of the input.
        limit: tokens that may be written.
    """

    def __init__(self, reply: Reply, number: int, model: str, usage: Mapping[str, Any], limit: int) -> None:
        self._reply = reply
        self._number = number
        self._model = model
        self._usage = dict(usage)
        self._left = limit
        self.content: list[dict[str, Any]] = []
        """The blocks so far, as a message holds them."""
        self.tokens = 0
        """Tokens written so far."""

    def start(self) -> bytes:
        """The first event."""
        return event("message_start", message=self._message([], None, 1 if self._left else 0))

    def steps(self) -> Iterator[Step]:
        """The blocks, in order."""
        if not self._left:
            return
        reply = self._reply
        if reply.thoughts:
            yield from self._thinking(reply)
        if reply.redacted:
            yield from self._whole({"type": "redacted_thinking", "data": reply.redacted})
        if reply.text and self._left:
            yield from self._text(reply)
        for index in range(len(reply.tools)):
            if self._left:
                yield from self._tool(index)

    def end(self) -> bytes:
        """The last events."""
        usage = {**self._usage, "output_tokens": self.tokens}
        delta = {"stop_reason": self._stop, "stop_sequence": None, "stop_details": self._details}
        return event("message_delta", delta=delta, usage=usage) + event("message_stop")

    def whole(self) -> dict[str, Any]:
        """The answer that is not streamed."""
        for _ in self.steps():
            pass
        return self._message(self.content, self._stop, self.tokens)

    def _message(self, content: list[dict[str, Any]], stop: str | None, tokens: int) -> dict[str, Any]:
        return {
            "id": f"msg_sim{self._number:04}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "stop_details": self._details if stop else None,
            "usage": {**self._usage, "output_tokens": tokens, "service_tier": "standard"},
        }

    @property
    def _stop(self) -> str:
        if self._reply.stop:
            return self._reply.stop
        if not self._left:
            return "max_tokens"
        return "tool_use" if self._reply.tools else "end_turn"

    @property
    def _details(self) -> dict[str, Any] | None:
        if self._stop != "refusal":
            return None
        return {"type": "refusal", "category": self._reply.category or None, "explanation": None}

    def _thinking(self, reply: Reply) -> Iterator[Step]:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        yield self._begin(block)
        for token in self._counted(tokens_of(reply.thoughts)):
            if reply.omitted:
                yield Step(b"", 1)
            else:
                block["thinking"] += token
                yield self._delta(1, type="thinking_delta", thinking=token)
        block["signature"] = signature(block["thinking"])
        yield self._delta(0, type="signature_delta", signature=block["signature"])
        yield self._stopped()

    def _text(self, reply: Reply) -> Iterator[Step]:
        block = {"type": "text", "text": ""}
        yield self._begin(block)
        words = tokens_of(reply.text)
        again = [f" {word.strip()}" if not at else word for at, word in enumerate(words)]
        tokens = chain(words, chain.from_iterable(repeat(again, reply.repeat - 1)))
        for token in self._counted(tokens):
            block["text"] += token
            yield self._delta(1, type="text_delta", text=token)
        yield self._stopped()

    def _tool(self, index: int) -> Iterator[Step]:
        use = self._reply.tools[index]
        name = use.id or f"toolu_sim{self._number:04}{index:02}"
        block: dict[str, Any] = {"type": "tool_use", "id": name, "name": use.name, "input": {}}
        yield self._begin(block)
        yield self._delta(0, type="input_json_delta", partial_json="")
        text = use.json
        for token in self._counted(text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)):
            yield self._delta(1, type="input_json_delta", partial_json=token)
        if self._left and not isinstance(use.input, str):
            block["input"] = dict(use.input)
        yield self._stopped()

    def _whole(self, block: dict[str, Any]) -> Iterator[Step]:
        yield self._begin(block)
        yield self._stopped()

    def _counted(self, tokens: Any) -> Iterator[str]:
        for token in tokens:
            if not self._left:
                return
            self._left -= 1
            self.tokens += 1
            yield token

    def _begin(self, block: dict[str, Any]) -> Step:
        self.content.append(block)
        return Step(event("content_block_start", index=len(self.content) - 1, content_block=dict(block)))

    def _delta(self, tokens: int, **delta: Any) -> Step:
        return Step(event("content_block_delta", index=len(self.content) - 1, delta=delta), tokens)

    def _stopped(self) -> Step:
        return Step(event("content_block_stop", index=len(self.content) - 1))


def model_body(model: str) -> dict[str, Any]:
    """A model, as ``GET /v1/models`` lists it."""
    return {
        "type": "model",
        "id": model,
        "display_name": model,
        "created_at": _CREATED,
        "lifecycle": "active",
        "line": None,
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }


def models_body(models: tuple[str, ...]) -> dict[str, Any]:
    """The answer to ``GET /v1/models``."""
    ends = {"first_id": models[0], "last_id": models[-1]} if models else {"first_id": None, "last_id": None}
    return {"data": [model_body(model) for model in models], "has_more": False, **ends}


def error_body(kind: str, message: str, request_id: str) -> dict[str, Any]:
    """An error, also in the middle of a stream."""
    return {"type": "error", "error": {"type": kind, "message": message, "details": None}, "request_id": request_id}
