"""What the simulated Anthropic service is told to answer, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from voiceloop.conversation import Message, ToolCall, ToolResult

__all__ = ["ERROR_TYPES", "Fault", "Reply", "Request", "ToolUse"]

Fault = Literal["stall", "pings", "cut", "reset", "error", "garbage", "line"]
"""What happens to an answer: ``stall``: nothing more comes; ``pings``: nothing but pings; ``cut``: the stream ends as
if complete, without ``message_stop``; ``reset``: the connection breaks; ``error``: an ``error`` event; ``garbage``: an
event that is no JSON; ``line``: a line without end."""

ERROR_TYPES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "Your request was invalid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not found"),
    409: ("conflict_error", "The resource is in a conflicting state."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "Request timed out."),
    529: ("overloaded_error", "Overloaded"),
}
"""Type and usual text of the error that goes with each status."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the model asks for."""

    name: str
    input: Mapping[str, Any] | str = field(default_factory=dict)
    """The arguments; a text is sent as it is, for JSON that is broken. Empty: what the service sends for none."""
    id: str = ""
    """Empty for one that the simulator makes."""

    @property
    def json(self) -> str:
        """The arguments as the model writes them."""
        if isinstance(self.input, str):
            return self.input
        return json.dumps(dict(self.input), ensure_ascii=False) if self.input else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, and what goes wrong with it."""

    text: str = field(default="Okay.", kw_only=False)
    tools: Sequence[ToolUse] = ()
    """Asked for behind the text."""
    thoughts: str = ""
    """Written before the text, in a block with a signature."""
    omitted: bool = False
    """Whether the thoughts are kept back, so that only their signature is sent (``display: omitted``)."""
    redacted: str = ""
    """Data of a ``redacted_thinking`` block, sent whole before the text."""
    repeat: int = 1
    """How often the text is written, for answers without measure."""
    stop: str = ""
    """Why the model stops; empty for what follows from the answer: ``end_turn``, ``tool_use`` or ``max_tokens``."""
    category: str = ""
    """With ``stop="refusal"``: the policy that it names."""
    first: float | None = None
    """Seconds until the first event; None for that of the simulator."""
    rate: float | None = None
    """Tokens per second, 0 for all at once; None for that of the simulator."""
    pings: int = 1
    """How many ``ping`` events follow ``message_start``."""
    fault: Fault | None = None
    after: int = 0
    """Tokens that are written before the fault; thoughts and arguments count."""
    status: int = 200
    """Anything else: an error of the service instead of an answer."""
    kind: str = ""
    """The type of the error, also of the one in mid-stream; empty for the one of the status (``overloaded_error``)."""
    message: str = ""
    """What the error says; empty for what the service says."""
    retry_after: float | None = None
    """Seconds, sent as ``retry-after``."""
    headers: Mapping[str, str] = field(default_factory=dict)
    page: bool = False
    """A web page instead of an answer, with the status."""

    def __post_init__(self) -> None:
        if self.fault is not None and self.fault not in get_args(Fault):
            raise ValueError(f"expected fault to be one of {', '.join(get_args(Fault))}, got {self.fault!r}")
        if self.status != 200 and not self.page and self.status not in ERROR_TYPES and not self.kind:
            raise ValueError(f"the status {self.status} has no type of error: give kind")

    @property
    def error(self) -> tuple[str, str]:
        """Type and text of the error."""
        kind, message = ERROR_TYPES.get(529 if self.status == 200 else self.status, ("api_error", ""))
        return self.kind or kind, self.message or message


@dataclass(slots=True)
class Request:
    """A request for an answer, as it came. The key is not in it."""

    body: dict[str, Any]
    headers: dict[str, str]
    """Without the values of ``authorization`` and ``x-api-key``."""
    at: float
    """When it came, seconds on the loop's clock."""
    status: int = 0
    """What it was answered with; 0 as long as it is not."""
    refusal: str = ""
    """Why it was refused."""
    usage: dict[str, Any] = field(default_factory=dict)
    """Of the input, as it was told: ``input_tokens``, ``cache_read_input_tokens`` and so on."""
    tokens: int = 0
    """Tokens that were written."""
    left_at: float | None = None
    """When the client closed the connection before the end of the answer."""
    complete: bool = False

    @property
    def messages(self) -> list[Message]:
        """What the model was asked: instructions, turns, calls of tools and their results."""
        system = self.body.get("system")
        instructions = _text(_blocks(system)) if system else ""
        found = [Message("system", instructions)] if instructions else []
        return [*found, *(part for message in self.body.get("messages", ()) for part in _parts(message))]

    @property
    def said(self) -> str:
        """The last words of the caller."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


def _parts(message: Mapping[str, Any]) -> Iterator[Message]:
    blocks = _blocks(message["content"])
    text = _text(blocks)
    if message["role"] == "assistant":
        uses = [block for block in blocks if block["type"] == "tool_use"]
        calls = tuple(ToolCall(use["id"], use["name"], json.dumps(use["input"])) for use in uses)
        yield Message("assistant", text, calls=calls)
        return
    results = tuple(
        ToolResult(block["tool_use_id"], _text(_blocks(block.get("content", ""))), bool(block.get("is_error")))
        for block in blocks
        if block["type"] == "tool_result"
    )
    if results:
        yield Message("tool", "", results=results)
    if text:
        yield Message(message["role"], text)


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _text(blocks: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(block["text"] for block in blocks if block["type"] == "text")
