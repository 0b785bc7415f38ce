"""What the simulated OpenAI-compatible endpoint is told to answer, and what it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from voiceloop.conversation import Message

__all__ = ["Fault", "Reply", "Request"]

Fault = Literal["stall", "cut", "end", "garbage", "error", "line"]
"""What happens to an answer: ``stall``: nothing more comes; ``cut``: the socket closes; ``end``: the stream ends as if
complete; ``garbage``: a line that is no JSON; ``error``: an error object; ``line``: a line without end."""


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
    tool: str = ""
    """A function that is called after the text."""
    finish: str = "stop"
    """Why the model stops: ``stop``, ``length``, ``content_filter``, ``tool_calls``."""
    keep_alive: bool = False
    """Comments between the chunks, as gateways send them while they wait."""
    fault: Fault | None = None
    after: int = 0
    """Tokens that are written before the fault."""
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
        """What the model was asked."""
        return [Message(message["role"], message["content"]) for message in self.body["messages"]]
