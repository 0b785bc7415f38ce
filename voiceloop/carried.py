"""What a call brings along from the line it was on before, when it goes on after it was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voiceloop.conversation import Message
from voiceloop.report import FaultRecord, Turn

if TYPE_CHECKING:
    from voiceloop.call import Call

__all__ = ["Carried", "carry"]


@dataclass(slots=True)
class Carried:
    """The record of a call so far, as it was heard."""

    messages: list[Message]
    """The conversation, oldest first; of the agent what the caller heard."""
    turns: list[Turn] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)
    faults: list[FaultRecord] = field(default_factory=list)
    duration: float = 0.0
    """Seconds that it has lasted."""
    streams: int = 1
    """Lines that it was on so far."""
    served: dict[str, dict[str, int]] = field(default_factory=dict)
    """Requests by kind of provider and by who served them."""


def carry(call: Call, carried: Carried) -> None:
    """Have a call that has not begun go on with what was said on it before."""
    call.carried = carried
    call._record.carry(carried)
