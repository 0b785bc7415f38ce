"""What is asked of Anthropic's Messages API: the conversation as blocks, with the marks of the prompt cache. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.base import ToolSpec
from voiceloop.llm.history import OPENING, estimate_json, fit, paired
from voiceloop.web_service import check_headers

__all__ = ["AnthropicOptions", "Blocks", "parsed", "request"]

_RESERVED = {"model", "messages", "system", "tools", "stream", "max_tokens", "thinking", "cache_control"}
_FAILED = "failed"
"""Result of a tool that failed and did not say why; the service refuses an empty one."""
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]+")

Block = dict[str, Any]


@dataclass(slots=True, frozen=True)
class AnthropicOptions:
    """How `AnthropicLLM` asks. None leaves a thing to the service."""

    max_tokens: int = 500
    """An answer is cut after so many tokens; 200 are about a minute of speech. What a model thinks counts, too."""
    context: int | None = 32_000
    """Tokens that are read and written in one request, by a cautious guess. Turns too many for it are left out, the
    oldest first and many at a time. Instructions and examples stay. None sends all."""
    cache_ttl: Literal["5m", "1h"] | None = "5m"
    """How long the service keeps what it has read, from its last use; an hour costs more to write. None: not at all."""
    prewarm: bool = True
    """Have the service read what a conversation begins with when a call begins, if it may have forgotten it."""
    thinking: Mapping[str, Any] | None = None
    """Such as ``{"type": "disabled"}`` or ``{"type": "adaptive", "display": "omitted"}``; models differ in what they
    take and in what they do without. Thoughts are never spoken; the caller waits for them."""
    retry: float = 2.0
    """Seconds from the question within which another request is made when one fails before anything was written."""
    stall: float = 10.0
    """Seconds without a piece of the answer, thoughts included, until it is given up. Pings do not count."""
    connect: float = 2.0
    """Seconds until a connection is there, TLS included."""
    idle: float = 60.0
    """Seconds that a connection is kept for the next answer."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent along with every request, such as ``{"anthropic-beta": …}``."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Sent along in every request for an answer, such as ``{"temperature": 0}`` or ``{"speed": "fast"}``."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}")
        if self.context is not None and self.context < 2 * self.max_tokens:
            raise ValueError(f"context must hold twice max_tokens at least, got {self.context}")
        if self.cache_ttl not in ("5m", "1h", None):
            raise ValueError(f"expected cache_ttl to be '5m', '1h' or None, got {self.cache_ttl!r}")
        if self.retry < 0 or min(self.stall, self.connect, self.idle) <= 0:
            raise ValueError("retry must not be negative; stall, connect and idle must be more than 0 s")
        if taken := _RESERVED & set(self.body):
            raise ValueError(f"body must not hold {', '.join(sorted(taken))}: the library sets that")
        check_headers(self.headers)


@dataclass(slots=True, frozen=True)
class Blocks:
    """The blocks of an answer, as the model wrote them: what `Echo` holds."""

    model: str
    """Who wrote them: the signatures of thoughts mean nothing to another one."""
    blocks: tuple[Mapping[str, Any], ...]

    @property
    def text(self) -> str:
        """What was spoken of it."""
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def calls(self) -> list[str]:
        """The identifiers of the tools it asked for."""
        return [block["id"] for block in self.blocks if block["type"] == "tool_use"]


def parsed(arguments: str) -> dict[str, Any] | None:
    """The arguments of a call; None when they are no JSON of an object."""
    try:
        value = json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def request(
    options: AnthropicOptions,
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec] = (),
    *,
    fixed: int = 0,
    only_cache: bool = False,
) -> dict[str, Any]:
    """The body of a request.

    Marks of the cache stand behind the tools, the instructions, the first `fixed` messages (which never change) and
    the last block, so that each request finds what the one before has left and adds its own turn.

    Args:
        fixed: how many messages every conversation begins with; they are never left out.
        only_cache: have it read, but not answered.
    """
    described = [_described(tool) for tool in tools]
    beginning = list(messages[:fixed])
    # Results of tools cannot be told to a model that is offered none.
    rest = paired(messages[fixed:]) if tools else [m for m in messages[fixed:] if m.role != "tool"]
    if options.context is not None:
        room = options.context - options.max_tokens - estimate_json(described)
        rest = fit([*beginning, *rest], room, fixed=len(beginning))[len(beginning) :]
    turns = _Turns(model, with_tools=bool(tools))
    turns.add(beginning)
    example = turns.last
    turns.add(rest)
    turns.finish()
    body: dict[str, Any] = {"model": model, "max_tokens": 0 if only_cache else options.max_tokens}
    if described:
        body["tools"] = described
    instructions = "\n\n".join(m.text for m in (*beginning, *rest) if m.role == "system" and m.text.strip())
    if instructions:
        body["system"] = [{"type": "text", "text": instructions}]
    body["messages"] = turns.messages
    # A budget of thoughts must be less than max_tokens.
    if options.thinking is not None and not (only_cache and "budget_tokens" in options.thinking):
        body["thinking"] = dict(options.thinking)
    if options.cache_ttl is not None:
        ends = [described[-1:], body.get("system", ()), [example] if example else (), [turns.last]]
        for block in (block for end in ends for block in end if block is not None):
            block["cache_control"] = {"type": "ephemeral", "ttl": options.cache_ttl}
    return {**body, **options.body}


def _described(tool: ToolSpec) -> Block:
    described = {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
    return {name: value for name, value in described.items() if value}


class _Turns:
    """The messages of a request as they grow. Messages of one side in a row become blocks of one message: a text that
    was sent once stays as it is, and so does the cache."""

    def __init__(self, model: str, *, with_tools: bool) -> None:
        self._model = model
        self._with_tools = with_tools
        self._names: dict[str, str] = {}  # identifiers of calls, as they are sent
        self.messages: list[dict[str, Any]] = []

    @property
    def last(self) -> Block | None:
        """The last block."""
        return self.messages[-1]["content"][-1] if self.messages else None

    def add(self, messages: Sequence[Message]) -> None:
        """What was said, and what tools did."""
        for message in messages:
            if message.role == "assistant":
                self._put("assistant", self._answer(message))
            elif message.role == "user":
                self._put("user", _text(message.text))
            elif message.role == "tool" and self._with_tools:
                self._put("user", [self._result(result) for result in message.results])

    def finish(self) -> None:
        """The caller has the last word, for the service refuses anything else."""
        if not self.messages or self.messages[-1]["role"] == "assistant":
            self._put("user", _text(OPENING))

    def _put(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if not self.messages and role == "assistant":
            self._put("user", _text(OPENING))
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _answer(self, message: Message) -> list[Block]:
        if not (message.calls and self._with_tools):
            return _text(message.text)
        echo = message.echo if isinstance(message.echo, Blocks) and message.echo.model == self._model else None
        if echo is not None and echo.calls != [call.id for call in message.calls]:
            echo = None
        used = [self._use(call) for call in message.calls]
        if echo is None:
            return [*_text(message.text), *used]
        if echo.text.split() == message.text.split() and all(self._names[name] == name for name in echo.calls):
            return [dict(block) for block in echo.blocks if block["type"] != "text" or block["text"].strip()]
        thoughts = [dict(block) for block in echo.blocks if block["type"].endswith("thinking")]
        return [*thoughts, *_text(message.text), *used]

    def _use(self, call: ToolCall) -> Block:
        name = _STRANGE.sub("_", call.id) or "call"
        while name in self._names.values():
            name += "_"
        self._names[call.id] = name
        tool = _STRANGE.sub("_", call.name)[:128] or "unknown"
        return {"type": "tool_use", "id": name, "name": tool, "input": parsed(call.arguments) or {}}

    def _result(self, result: ToolResult) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": self._names[result.id]}
        if text := result.text or (_FAILED if result.error else ""):
            block["content"] = text
        if result.error:
            block["is_error"] = True
        return block


def _text(text: str) -> list[Block]:
    """A text as a block; nothing when it is blank, for the service refuses that."""
    return [{"type": "text", "text": text}] if text.strip() else []
