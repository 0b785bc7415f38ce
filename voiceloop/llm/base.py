"""What a language model provides: one async generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.served import Served

__all__ = ["LLM", "Echo", "Item", "Message", "Served", "ToolCall", "ToolResult", "ToolSpec", "Usage"]


@dataclass(slots=True, frozen=True)
class Usage:
    """What an answer cost, yielded at any time by a model; several are added up."""

    input_tokens: int = 0
    """All that was read, with what came from a cache."""
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input: what the service had kept from before."""
    cache_write_tokens: int = 0
    """Of the input: what it was told to keep."""


@dataclass(slots=True, frozen=True)
class ToolSpec:
    """A tool, as a model is told of it."""

    name: str
    """Letters, digits, ``_`` and ``-``; at most 64."""
    description: str
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON schema of an object: the arguments."""


@dataclass(slots=True, frozen=True)
class Echo:
    """The whole of what the model wrote, in the form in which it wants it back together with the results of its tools.

    A model yields it, at most once and last, when more than text and calls must come back to it: signed thoughts.
    It is given back as `Message.echo` of the message with the calls, unless what was said was cut.
    """

    content: Any


Item = str | ToolCall | Usage | Echo | Served
"""What `LLM.respond` yields."""


class LLM(ABC):
    """A language model, built once per process. Building one reads no key and opens nothing."""

    takes_tools: ClassVar[bool] = False
    """Whether it can be offered tools, and may yield `ToolCall`."""
    speculative: bool = True
    """Whether it may be asked for answers that may be thrown away: before it is certain that the caller is done. False
    for a model that answers one request at a time, or whose every request counts."""

    async def warm(self) -> None:
        """Load models and open connections, so that the first call does not wait. Safe to call twice."""

    async def prepare(self, beginning: Sequence[Message], tools: Sequence[ToolSpec] | None = None) -> None:
        """Get ready for conversations that begin with these messages (a prompt cache). Called before each call.

        Args:
            beginning: the instructions and examples, which never change.
            tools: what will be offered; None when that is not known.
        """

    async def aclose(self) -> None:
        """Give back what `warm` opened."""

    @abstractmethod
    def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        """Answer the conversation.

        Args:
            messages: the instructions (role ``system``), then turns as they were heard, oldest first. A message of
                the agent with `Message.calls` is followed by one of role ``tool`` with all their results.
            tools: what it may ask for; none for a model whose `takes_tools` is False.

        Yields:
            `Item`: `str`, pieces of the answer as they are written, with their own spaces. `ToolCall`: a tool to run,
            once its arguments are whole; the model is asked again with the results. `Usage`: counts. `Echo`, `Served`.
        """
