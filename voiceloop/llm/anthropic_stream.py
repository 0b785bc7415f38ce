"""The stream in which Anthropic's service writes an answer: events in, items of the answer out. Pure.

The events: https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from voiceloop.errors import ModelError, quoted
from voiceloop.llm.anthropic_errors import Failure, of_event
from voiceloop.llm.anthropic_request import Blocks, parsed
from voiceloop.llm.base import Echo, Item, ToolCall, Usage
from voiceloop.llm.openai_stream import Event

__all__ = ["BLOCK_LIMIT", "MessageReader"]

BLOCK_LIMIT = 512 * 1024
"""Characters of one block. An hour of speech takes 50,000."""
_GROWS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "json",
}
"""Which part of a block a delta adds to."""
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class MessageReader:
    """Reads the events of one answer.

    Args:
        model: who answers.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._blocks: dict[int, dict[str, Any]] = {}
        self._counts: dict[str, int] = {}
        self._told = Usage()  # what was yielded of it
        self._broken: ToolCall | None = None  # one with arguments that are no JSON
        self._stop: str | None = None
        self._details: Mapping[str, Any] = {}
        self._wrote = False
        self.done = False
        """Whether the service has said that nothing more comes."""
        self.events = 0
        """Events so far, but for pings."""

    def event(self, event: Event) -> Iterator[Item]:
        """What an event brings.

        Raises:
            Failure: the service reports an error.
            ModelError: it sends what is no event, or an answer that is not one.
        """
        try:
            data = json.loads(event.data)
        except ValueError:
            raise ModelError(f"expected JSON in the stream, got {quoted(event.data)!r}") from None
        if not isinstance(data, dict):
            raise ModelError(f"expected an event of an answer, got {quoted(event.data)!r}")
        kind = data.get("type")
        if kind == "ping":
            return
        self.events += 1
        if kind == "error" or event.error:
            error = _object(data, "error")
            raise of_event(_string(error, "type"), _string(error, "message") or quoted(event.data))
        handle = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handle is not None:  # the service may add others
            yield from handle(self, data)

    def end(self) -> Iterator[Item]:
        """What is left when the stream has ended.

        Raises:
            Failure: it ended before the answer.
            ModelError: there is a reason why the answer has no text, or stopped.
        """
        if not self.done:
            raise Failure("the connection ended before the answer was complete (no message_stop)", again=True)
        yield from self._usage()
        if self._stop == "refusal":
            category = _string(self._details, "category")
            why = _string(self._details, "explanation")
            about = f" ({quoted(category)})" if category else ""
            raise ModelError(f"the model refused to answer{about}{': ' + quoted(why) if why else ''}")
        if self._broken is not None and self._stop != "max_tokens":
            yield self._broken
        elif self._broken is not None:
            raise ModelError(
                f"the model reached max_tokens while it asked for the tool {self._broken.name!r}: raise max_tokens"
            )
        if not self._wrote:
            self._explain()
        calls = any(block["type"] == "tool_use" for block in self._blocks.values())
        thoughts = any(block["type"].endswith("thinking") for block in self._blocks.values())
        if calls and thoughts:
            yield Echo(Blocks(self._model, tuple(self._whole(self._blocks[index]) for index in sorted(self._blocks))))

    # --- events ---------------------------------------------------------------------------------------------------

    def _message_start(self, data: dict[str, Any]) -> Iterator[Item]:
        usage = _object(_object(data, "message"), "usage")
        self._count({name: usage.get(name) for name in _INPUT})  # its one token of output stands for nothing yet
        yield from ()

    def _block_start(self, data: dict[str, Any]) -> Iterator[Item]:
        block = {**_object(data, "content_block")}
        block["type"] = _string(block, "type")
        self._blocks[_index(data)] = block
        if block["type"] == "text" and (text := _string(block, "text")):
            yield from self._write(text)

    def _delta(self, data: dict[str, Any]) -> Iterator[Item]:
        block, delta = self._blocks.get(_index(data)), _object(data, "delta")
        part = _GROWS.get(_string(delta, "type"))
        if block is None or part is None:
            return
        text = _string(delta, "partial_json" if part == "json" else part)
        block[part] = _string(block, part) + text
        if len(block[part]) > BLOCK_LIMIT:
            raise ModelError(f"the service wrote more than {BLOCK_LIMIT} characters in a block: no answer is like it")
        if part == "text" and text:
            yield from self._write(text)

    def _block_stop(self, data: dict[str, Any]) -> Iterator[Item]:
        block = self._blocks.get(_index(data))
        if block is None or block["type"] != "tool_use":
            return
        arguments = _string(block, "json") or (json.dumps(block["input"]) if block.get("input") else "")
        call = ToolCall(_string(block, "id"), _string(block, "name"), arguments)
        self._wrote = True
        yield from self._usage()
        if parsed(arguments) is None:
            self._broken = call  # cut by max_tokens, or written like that: the end of the message tells
        else:
            yield call

    def _message_delta(self, data: dict[str, Any]) -> Iterator[Item]:
        self._count(_object(data, "usage"))
        delta = _object(data, "delta")
        self._stop = _string(delta, "stop_reason") or self._stop
        self._details = _object(delta, "stop_details") or self._details
        yield from ()

    def _message_stop(self, data: dict[str, Any]) -> Iterator[Item]:
        self.done = True
        yield from ()

    # --- of an answer ---------------------------------------------------------------------------------------------

    def _write(self, text: str) -> Iterator[Item]:
        self._wrote = self._wrote or bool(text.strip())
        yield from self._usage()
        yield text

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Counts are sums from the beginning of the answer; one that is not repeated stays."""
        for name in (*_INPUT, "output_tokens"):
            value = usage.get(name)
            if isinstance(value, int) and value >= 0:
                self._counts[name] = value

    def _usage(self) -> Iterator[Item]:
        """What has not been told of the counts: the input before the first words, so that a barge-in does not lose
        it; the output at the end."""
        counts = {name: self._counts.get(name, 0) for name in (*_INPUT, "output_tokens")}
        now = Usage(
            sum(counts[name] for name in _INPUT),
            counts["output_tokens"],
            counts["cache_read_input_tokens"],
            counts["cache_creation_input_tokens"],
        )
        before, self._told = self._told, now
        more = Usage(
            max(0, now.input_tokens - before.input_tokens),
            max(0, now.output_tokens - before.output_tokens),
            max(0, now.cached_tokens - before.cached_tokens),
            max(0, now.cache_write_tokens - before.cache_write_tokens),
        )
        if more != Usage():
            yield more

    def _explain(self) -> None:
        """Raise if it is known why nothing was written."""
        if self._stop == "model_context_window_exceeded":
            raise ModelError("the conversation is longer than the model can read: lower context in the options")
        thought = any(block["type"].endswith("thinking") for block in self._blocks.values())
        if self._stop == "max_tokens":
            why = "only thought, and reached max_tokens" if thought else "reached max_tokens before it wrote anything"
            raise ModelError(f"the model {why}: raise max_tokens{', or turn thinking off' if thought else ''}")
        if thought:
            raise ModelError("the model only thought, and then stopped: turn thinking off")
        if self._stop == "pause_turn":
            raise ModelError("the model paused for a tool of the service itself: those are not supported")

    def _whole(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """A block as it is given back."""
        if block["type"] != "tool_use":
            return dict(block)
        given = {"input": parsed(_string(block, "json")) or block.get("input") or {}}
        return {name: value for name, value in block.items() if name in ("type", "id", "name")} | given


_HANDLERS = {
    "message_start": MessageReader._message_start,
    "content_block_start": MessageReader._block_start,
    "content_block_delta": MessageReader._delta,
    "content_block_stop": MessageReader._block_stop,
    "message_delta": MessageReader._message_delta,
    "message_stop": MessageReader._message_stop,
}


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _string(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _index(data: Mapping[str, Any]) -> int:
    value = data.get("index")
    return value if isinstance(value, int) else 0
