"""What the simulated OpenAI-compatible endpoint is told to answer, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from voiceloop.conversation import Message, ToolCall, ToolResult

__all__ = ["Asked", "Fault", "Form", "Reply", "Request"]

Fault = Literal["stall", "cut", "end", "garbage", "error", "line"]
"""What happens to an answer: ``stall``: nothing more comes; ``cut``: the socket closes; ``end``: the stream ends as if
complete; ``garbage``: a line that is no JSON; ``error``: an error object; ``line``: a line without end."""

Form = Literal["pieces", "whole", "bare"]
"""How calls of tools are written: ``pieces``, as OpenAI does: the arguments in pieces; ``whole``: each call in one
chunk, as Ollama does; ``bare``: the same without ``index`` and ``id``, the arguments an object."""

Asked = tuple[str, Mapping[str, Any] | str]
"""A tool that is called: its name and its arguments; these as text may be broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, and what goes wrong with it."""

    text: str = field(default="Okay.", kw_only=False)
    repeat: int = 1
    """How often the text is written, for answers without measure."""
    first: float | None = None
    """Seconds until the first token; None for that of the simulator."""
    rate: float | None = None
    """Tokens per second, 0 for all at once; None for that of the simulator."""
    thoughts: str = ""
    """Written before the text, as ``reasoning_content``."""
    tools: Sequence[Asked] = ()
    """Tools that are called after the text: ``[("price", {"drink": "latte"})]``."""
    form: Form = "pieces"
    finish: str = ""
    """Why the model stops: ``stop``, ``length``, ``content_filter``, ``tool_calls``; empty for what is the case."""
    keep_alive: bool = False
    """Comments between the chunks, as gateways send them while they wait."""
    fault: Fault | None = None
    after: int = 0
    """Tokens that are written before the fault; a piece of a call is one, too."""
    status: int = 200
    """Anything else: an error in OpenAI's form instead of an answer."""
    message: str = ""
    """What the error says."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the response, such as ``{"Retry-After": "7"}``."""
    page: bool = False
    """A web page instead of an answer, with the status."""

    def __post_init__(self) -> None:
        if self.fault is not None and self.fault not in get_args(Fault):
            raise ValueError(f"expected fault to be one of {', '.join(get_args(Fault))}, got {self.fault!r}")
        if self.form not in get_args(Form):
            raise ValueError(f"expected form to be one of {', '.join(get_args(Form))}, got {self.form!r}")

    @property
    def why(self) -> str:
        """Why the model stops."""
        return self.finish or ("tool_calls" if self.tools else "stop")

    def asks(self, made: int) -> list[ToolCall]:
        """The tools that are called.

        Args:
            made: calls that were made before; each has an identifier of its own.
        """
        return [
            ToolCall(f"call_sim{made + number}", name, given if isinstance(given, str) else json.dumps(dict(given)))
            for number, (name, given) in enumerate(self.tools, 1)
        ]


@dataclass(slots=True)
class Request:
    """A request for an answer, as it came. The key is not in it."""

    body: dict[str, Any]
    headers: dict[str, str]
    """Without the value of ``Authorization``: ``Bearer ***``."""
    at: float
    """When it came, seconds on the loop's clock."""
    tokens: int = 0
    """Tokens that were written."""
    left_at: float | None = None
    """When the client closed the connection before the end of the answer."""
    complete: bool = False

    @property
    def messages(self) -> list[Message]:
        """What the model was asked, each result of a tool in a message of its own."""
        return [_message(each) for each in self.body["messages"]]

    @property
    def tools(self) -> list[str]:
        """The names of the tools that it was offered."""
        return [each["function"]["name"] for each in self.body.get("tools", ())]


def _message(body: Mapping[str, Any]) -> Message:
    text = body.get("content") or ""
    if body["role"] == "tool":
        return Message("tool", "", results=(ToolResult(body["tool_call_id"], text, text.startswith("Error: ")),))
    calls = [(each["id"], each["function"]) for each in body.get("tool_calls") or ()]
    asked = tuple(ToolCall(id, function["name"], function["arguments"]) for id, function in calls)
    return Message(body["role"], text, calls=asked)
