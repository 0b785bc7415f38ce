"""The stream in which an OpenAI-compatible server writes an answer: bytes in, text and calls of tools out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voiceloop.conversation import ToolCall
from voiceloop.errors import ModelError, quoted
from voiceloop.llm.base import Usage
from voiceloop.llm.openai_thoughts import Thoughts
from voiceloop.llm.openai_tools import CallReader

__all__ = ["EVENT_LIMIT", "AnswerReader", "Event", "EventStream", "error_text"]

EVENT_LIMIT = 256 * 1024
"""Bytes of one event or line, and of an answer that comes as one object. A chunk of an answer takes about 300."""
_REFUSAL = 200
"""Characters of a refusal from which on no more of it is kept."""
_END_OF_LINE = (b"\n", b"\r")


def error_text(body: Any) -> str:
    """What a server's error object says: of OpenAI, vLLM, FastAPI, Ollama, or anything else."""
    if isinstance(body, dict):
        for key in ("error", "message", "detail"):
            if body.get(key):
                return error_text(body[key])
    return quoted(body if isinstance(body, str) else json.dumps(body))


@dataclass(slots=True, frozen=True)
class Event:
    """One event of a stream."""

    data: str
    error: bool = False
    """Whether it is marked as one: ``event: error``, or ``error:`` in place of ``data:``, as llama.cpp used to."""


class EventStream:
    """Cuts bytes into events by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html.

    One thing differs: an event at the end of the stream counts without an empty line behind it, if its own line is
    whole. Several servers end like that after ``[DONE]``.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._error = False
        self._after_return = False
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that are whole with this chunk. A character or a line end may be cut by the end of a chunk.

        Raises:
            ModelError: a line or an event is longer than `EVENT_LIMIT`.
        """
        if chunk and self._after_return:
            chunk = chunk.removeprefix(b"\n")  # the other half of a CR LF
            self._after_return = False
        for piece in chunk.splitlines(keepends=True):
            self._line += piece
            if len(self._line) + self._size > EVENT_LIMIT:
                raise ModelError(
                    f"the server sent an event of more than {EVENT_LIMIT // 1024} KiB: no answer is like it"
                )
            if piece.endswith(_END_OF_LINE):
                self._after_return = piece.endswith(b"\r")
                line = bytes(self._line).rstrip(b"\r\n").decode("utf-8", "replace")
                self._line.clear()
                yield from self._take(line)

    def end(self) -> list[Event]:
        """What is left when the stream ends."""
        return self._take("")

    def _take(self, line: str) -> list[Event]:
        if self._first:
            self._first = False
            line = line.removeprefix("\ufeff")
        if not line:
            events = [Event("\n".join(self._data), self._error)] if self._data else []
            self._data, self._size, self._error = [], 0, False
            return events
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name in ("data", "error"):
            self._data.append(value)
            self._size += len(line) + 1
        if name == "error" or (name == "event" and value == "error"):
            self._error = True
        return []


class AnswerReader:
    """Reads the chunks of one answer, in the form of https://platform.openai.com/docs/api-reference/chat-streaming.

    Args:
        calls: reads the calls of tools; None when no tool was offered.
    """

    def __init__(self, calls: CallReader | None = None) -> None:
        self._calls = calls
        self._whole: list[ToolCall] = []
        self._thoughts = Thoughts()
        self._usage: Usage | None = None
        self._refusal = ""
        self._reasoned = False
        self._tools = False
        self._wrote = False
        self.finish: str | None = None
        """Why the model stopped, once it has said so."""
        self.done = False
        """Whether the server has said that nothing more comes."""

    def event(self, event: Event) -> str:
        """The text of an event.

        Raises:
            ModelError: the server reports an error, or sends what is no chunk of an answer.
        """
        if event.data.startswith("[DONE]"):
            self.done = True
            return ""
        try:
            chunk = json.loads(event.data)
        except ValueError:
            if event.error:
                raise ModelError(f"the server reports an error: {quoted(event.data)}") from None
            raise ModelError(f"expected JSON in the stream, got {quoted(event.data)!r}") from None
        if event.error:
            raise ModelError(f"the server reports an error: {error_text(chunk)}")
        return self.chunk(chunk)

    def chunk(self, chunk: Any) -> str:
        """The text of a chunk, or of an answer that came as one object.

        Raises: `ModelError`, as `event` does.
        """
        if not isinstance(chunk, dict):
            raise ModelError(f"expected a chunk of an answer, got {quoted(json.dumps(chunk))}")
        if chunk.get("error") or chunk.get("object") == "error":
            raise ModelError(f"the server reports an error: {error_text(chunk)}")
        if usage := _usage(chunk.get("usage")):
            self._usage = usage  # the last one counts: some servers send the sum so far with every chunk
        text = ""
        for choice in chunk.get("choices") or ():
            if isinstance(choice, dict) and not choice.get("index"):
                text += self._choice(choice)
        return text

    def _choice(self, choice: dict[str, Any]) -> str:
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            return ""
        if self._calls is not None:
            self._whole += self._calls.feed(delta.get("tool_calls"))
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            self.finish = finish
            self._end_calls()
        self._reasoned = self._reasoned or bool(delta.get("reasoning_content") or delta.get("reasoning"))
        self._tools = self._tools or bool(delta.get("tool_calls") or delta.get("function_call"))
        if isinstance(delta.get("refusal"), str) and len(self._refusal) < _REFUSAL:
            self._refusal += delta["refusal"]
        text = self._thoughts.feed(_content(delta.get("content")))
        self._wrote = self._wrote or bool(text.strip())
        return text

    def calls(self) -> list[ToolCall]:
        """The calls of tools that have become whole since this was asked last."""
        whole, self._whole = self._whole, []
        return whole

    def _end_calls(self) -> None:
        if self._calls is None:
            return
        if self.finish == "length" and self._calls.cut():
            raise ModelError("the model reached max_tokens in the middle of what it asks of a tool: raise max_tokens")
        self._whole += self._calls.end()

    def end(self) -> str:
        """What was held back, when the stream has ended. `calls` may give something once more.

        Raises:
            ModelError: the answer is not complete, or there is a reason why it has no text.
        """
        text = self._thoughts.end()
        self._wrote = self._wrote or bool(text.strip())
        if not self.done and self.finish is None:
            raise ModelError("the connection ended before the answer was complete")
        if self.finish == "content_filter":
            raise ModelError("the server's content filter stopped the answer")
        self._end_calls()
        if not self._wrote and not self._calls:
            self._explain()
        return text

    def usage(self) -> Usage | None:
        """What the answer cost, if the server has said so."""
        return self._usage

    def _explain(self) -> None:
        """Raise if it is known why nothing was written."""
        if self._refusal:
            raise ModelError(f"the model refused to answer: {quoted(self._refusal)}")
        if self._reasoned or self._thoughts.seen:
            why = "and reached max_tokens" if self.finish == "length" else "and then stopped"
            raise ModelError(
                f"the model only thought, {why}: raise max_tokens, or turn thinking off (for instance by "
                "body={'reasoning_effort': 'minimal'})"
            )
        if self.finish == "length":
            raise ModelError("the model reached max_tokens before it wrote anything: raise max_tokens")
        if self._tools:
            raise ModelError("the model called a tool and said nothing, and no tool of that kind was offered to it")


def _content(content: Any) -> str:
    """Text, also where it comes as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return ""


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), _count(cached))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
