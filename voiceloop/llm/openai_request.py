"""What is asked of an OpenAI-compatible server, and in which words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from voiceloop.conversation import Message
from voiceloop.llm.base import ToolSpec
from voiceloop.llm.openai_tools import message_bodies, tool_bodies
from voiceloop.web_service import check_headers

__all__ = ["OpenAIOptions", "Wording", "request"]

_RENAMED = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_RESERVED = {"messages", "model", "stream", "stream_options", "tools", *_RENAMED}
_OF_TOOLS = {"tool_choice", "parallel_tool_calls"}  # OpenAI refuses them where no tools are offered


@dataclass(slots=True, frozen=True)
class OpenAIOptions:
    """How `OpenAILLM` asks. None leaves a thing to the server."""

    max_tokens: int | None = 500
    """An answer is cut after so many tokens; 200 are about a minute of speech. What a model thinks counts, too."""
    max_tokens_name: str | None = None
    """What this is called: ``max_tokens`` or ``max_completion_tokens``. None finds out: it begins with the second at
    OpenAI and the first elsewhere, and takes the other one when a server refuses it."""
    temperature: float | None = None
    """0 answers much the same each time. Several reasoning models refuse any."""
    stop: tuple[str, ...] = ()
    """An answer ends before any of these texts."""
    seed: int | None = None
    """The same number makes the same answer likelier."""
    context: int | None = None
    """Tokens that the model reads and writes in one request. Turns too many for it are left out, the oldest first.
    None sends all."""
    usage: bool = True
    """Ask what an answer costs (``stream_options``); left out from then on when a server refuses that."""
    prefill: bool | None = None
    """Have the server read the instructions when a call begins, by a request for one token. It then has them in its
    cache, and loads the model if it has put it away. None: if it is on this machine or in a private network."""
    connect: float = 5.0
    """Seconds until a connection is there, TLS included."""
    idle: float = 60.0
    """Seconds that a connection is kept for the next answer."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent along with every request, such as a gateway's ``api-key``."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Sent along in every request for an answer, such as ``{"reasoning_effort": "minimal"}``. What is about tools
    (``tool_choice``, ``parallel_tool_calls``) goes only with requests that offer some."""

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, or None, got {self.max_tokens}")
        if self.max_tokens_name not in (None, *_RENAMED):
            raise ValueError(
                f"expected max_tokens_name to be one of {', '.join(_RENAMED)}, got {self.max_tokens_name!r}"
            )
        if self.temperature is not None and self.temperature < 0:
            raise ValueError(f"temperature must not be negative, got {self.temperature}")
        if self.context is not None and self.context < 2 * (self.max_tokens or 128):
            raise ValueError(f"context must hold twice max_tokens at least, got {self.context}")
        if min(self.connect, self.idle) <= 0:
            raise ValueError(f"connect and idle must be more than 0 s, got {self.connect} and {self.idle}")
        if taken := _RESERVED & set(self.body):
            raise ValueError(f"body must not hold {', '.join(sorted(taken))}: the library sets that")
        check_headers(self.headers)


@dataclass(slots=True, frozen=True)
class Wording:
    """In which words a server is asked, for servers differ in what they know."""

    limit: str
    """The name of `OpenAIOptions.max_tokens`."""
    fixed: bool
    """Whether the user has given that name."""
    usage: bool
    """Whether the counts are asked for."""
    renamed: bool = False
    """Whether the other name of the limit is being tried."""

    def without(self, refusal: str) -> Wording | None:
        """How to ask again, when the server has refused something by name; None when that is no help.

        Args:
            refusal: what the server said, with a status of 400 or 422.
        """
        if self.usage and "stream_options" in refusal:
            return replace(self, usage=False)
        if not self.fixed and not self.renamed and re.search(rf"\b{self.limit}\b", refusal):
            return replace(self, limit=_RENAMED[self.limit], renamed=True)
        return None

    def accepted(self) -> Wording:
        """The same, to begin with at the next request."""
        return replace(self, renamed=False)


def request(
    options: OpenAIOptions,
    wording: Wording,
    model: str,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec] = (),
    *,
    one: bool = False,
) -> dict[str, Any]:
    """The body of a request.

    Args:
        tools: what the model may ask for.
        one: for a single token, not streamed.
    """
    body: dict[str, Any] = {
        "model": model,
        "messages": message_bodies(messages),
        "stream": not one,
    }
    if tools:
        body["tools"] = tool_bodies(tools)
    if wording.usage and not one:
        body["stream_options"] = {"include_usage": True}
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.stop:
        body["stop"] = list(options.stop)
    if options.seed is not None:
        body["seed"] = options.seed
    body |= {name: value for name, value in options.body.items() if tools or name not in _OF_TOOLS}
    if one or options.max_tokens is not None:
        body[wording.limit] = 1 if one else options.max_tokens
    return body
