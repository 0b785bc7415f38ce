"""Tools as an OpenAI-compatible server is told of them and asks for them. Pure.

The form: https://platform.openai.com/docs/guides/function-calling and ``…/api-reference/chat-streaming``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from voiceloop.conversation import Message, ToolCall
from voiceloop.errors import ModelError
from voiceloop.llm.base import ToolSpec
from voiceloop.llm.history import OPENING, paired

__all__ = ["CallReader", "message_bodies", "refuses_tools", "rounds", "tool_bodies"]

CALLS = 32
"""Calls of tools in one answer, at most."""
ARGUMENTS_LIMIT = 128 * 1024
"""Characters of the arguments of one call."""
_NAME_LIMIT = 64
_REFUSALS = re.compile(
    r"support\W+(\w+\W+){0,3}(tool|function)|(tool|function)s?\W+(\w+\W+){0,6}support"
    r"|\btools?\b.{0,40}--jinja|tool-call-parser|unknown field \W?tools",
    re.IGNORECASE,
)
"""Ollama, OpenAI, OpenRouter, llama.cpp, vLLM, strict gateways."""


def refuses_tools(said: str) -> bool:
    """Whether a refusal means that the model or the server takes no tools."""
    return _REFUSALS.search(said) is not None


def tool_bodies(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """What ``tools`` of a request holds."""
    return [
        {
            "type": "function",
            "function": {"name": each.name, "description": each.description, "parameters": dict(each.parameters)},
        }
        for each in tools
    ]


def rounds(messages: Sequence[Message]) -> list[Message]:
    """The conversation in the form of `voiceloop.llm.history.alternating`, with what tools were asked and gave.

    Each call has one result, right behind it; what the agent said before it is of the same message.
    """
    instructions = "\n\n".join(message.text for message in messages if message.role == "system" and message.text)
    turns: list[Message] = []
    for message in paired(messages):
        if message.role == "system" or not (message.text.strip() or message.calls or message.results):
            continue
        before = turns[-1] if turns else None
        if before is not None and before.role == message.role != "tool" and not before.calls:
            text = f"{before.text} {message.text}".strip()
            turns[-1] = Message(message.role, text, calls=message.calls)
        else:
            turns.append(message)
    if not turns or turns[0].role == "assistant":
        turns.insert(0, Message("user", OPENING))
    return [Message("system", instructions), *turns] if instructions else turns


def message_bodies(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """What ``messages`` of a request holds: one for each result, in the order of the calls."""
    bodies: list[dict[str, Any]] = []
    for message in messages:
        for result in message.results:
            text = f"Error: {result.text}" if result.error else result.text
            bodies.append({"role": "tool", "tool_call_id": result.id, "content": text})
        if message.role != "tool":
            bodies.append(_body(message))
    return bodies


def _body(message: Message) -> dict[str, Any]:
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {"id": each.id, "type": "function", "function": {"name": _name(each), "arguments": _arguments(each)}}
        for each in message.calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def _name(call: ToolCall) -> str:
    """The name, as far as it can be one: OpenAI refuses any other, and with it the whole conversation from then on."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:_NAME_LIMIT] or "unknown"


def _arguments(call: ToolCall) -> str:
    """The arguments, if they are the JSON of an object; vLLM, Ollama and llama.cpp refuse any other."""
    try:
        return call.arguments if isinstance(json.loads(call.arguments), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


@dataclass(slots=True)
class _Call:
    """A call that is being written."""

    index: Any
    id: str
    name: str = ""
    arguments: str = ""


class CallReader:
    """Puts the calls of an answer together from their pieces.

    Servers differ: pieces or whole calls, with or without ``index`` and ``id``, arguments as text or as an object,
    the same identifier in every answer. A call is whole when the next one begins, or the answer ends.

    Args:
        used: identifiers of calls that the conversation holds already; a call gets another one.
    """

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)
        self._open: _Call | None = None
        self._count = 0

    def __bool__(self) -> bool:
        """Whether any call has begun."""
        return self._count > 0

    def feed(self, deltas: Any) -> Iterator[ToolCall]:
        """The calls that are whole by these pieces, ``tool_calls`` of a chunk or of a message.

        Raises:
            ModelError: there are too many, or one is too long.
        """
        for delta in deltas if isinstance(deltas, list) else ():
            if not isinstance(delta, dict):
                continue
            function = delta.get("function")
            function = function if isinstance(function, dict) else {}
            if self._begins(delta, function):
                yield from self.end()
                self._begin(delta)
            self._add(function)

    def end(self) -> Iterator[ToolCall]:
        """The last call, when nothing more of it comes."""
        call, self._open = self._open, None
        if call is None or not call.name:
            return
        number = len(self._used)
        while not call.id or call.id in self._used:
            number += 1
            call.id = f"call_{number}"
        self._used.add(call.id)
        yield ToolCall(call.id, call.name, call.arguments.strip())

    def cut(self) -> bool:
        """Whether the call that is being written is not whole."""
        return self._open is not None and bool(self._open.arguments) and not _whole(self._open.arguments)

    def _begins(self, delta: dict[str, Any], function: dict[str, Any]) -> bool:
        """Whether a piece is the first of another call."""
        call = self._open
        if call is None:
            return True
        if delta.get("index") is not None and call.index is not None and delta["index"] != call.index:
            return True
        other = _text(delta.get("id"))
        if other and call.id and other != call.id:
            return True  # the same index for all of them
        # With neither to go by: another name, or the same one again after arguments that are whole.
        name = _text(function.get("name"))
        return not other and bool(name and call.name) and (name != call.name or _whole(call.arguments))

    def _begin(self, delta: dict[str, Any]) -> None:
        self._count += 1
        if self._count > CALLS:
            raise ModelError(f"the model asked for more than {CALLS} tools at once")
        self._open = _Call(delta.get("index"), _text(delta.get("id")))

    def _add(self, function: dict[str, Any]) -> None:
        call = self._open
        assert call is not None
        call.name = call.name or _text(function.get("name"))
        arguments = function.get("arguments")
        call.arguments += json.dumps(arguments) if isinstance(arguments, dict | list) else _text(arguments)
        if len(call.arguments) > ARGUMENTS_LIMIT:
            raise ModelError(f"the model wrote more than {ARGUMENTS_LIMIT // 1024} KiB of arguments for a tool")


def _whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
