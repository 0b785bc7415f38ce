"""What is left of a call when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voiceloop.conversation import Conversation
from voiceloop.latency import Latency
from voiceloop.prices import Cost
from voiceloop.speculated import Speculated, split_speculated
from voiceloop.watchdogs import split_counts

__all__ = ["CallReport", "FaultRecord", "Turn"]


@dataclass(slots=True)
class Turn:
    """One turn of the caller and what the agent made of it."""

    number: int
    """From 1."""
    caller: str
    """What was recognised."""
    heard: str = ""
    """What the caller heard of the answer."""
    unheard: str = ""
    """What was written and never heard."""
    interrupted: bool = False
    latency: Latency | None = None
    """None when no answer was heard."""
    answer: int = 0
    """The number of the answer within the call (`Answer.id`)."""
    heard_bound: int = 0
    """By at most so many words `heard` may be off, when it was interrupted."""
    gained: float = 0.0
    """Seconds that the caller did not have to wait because the answer was begun before the turn was over."""

    def line(self) -> str:
        """The turn as one line for a console."""
        near = f", {self.heard_bound} more or less" if self.heard_bound else ""
        answer = self.heard + (f" [cut{near}: {self.unheard}]" if self.unheard else "")
        waited = f"  {self.latency}" if self.latency else ""
        gained = f"  gained {self.gained * 1000:.0f} ms" if self.gained > 0 else ""
        return f"turn {self.number}  caller: {self.caller!r}  agent: {answer!r}{waited}{gained}"

    def as_dict(self) -> dict[str, Any]:
        """The turn as plain values."""
        return {
            "caller": self.caller,
            "heard": self.heard,
            "unheard": self.unheard,
            "interrupted": self.interrupted,
            "latency_ms": self.latency.as_ms() if self.latency else None,
            "gained_ms": round(self.gained * 1000, 1),
        }


@dataclass(slots=True, frozen=True)
class FaultRecord:
    """A failure of the call, as text."""

    kind: str
    message: str
    detail: str
    at: float
    """Seconds since the call began."""


@dataclass(slots=True)
class CallReport:
    """The outcome of `Pipeline.run`."""

    call_id: str
    reason: str
    """Why it ended; ``failed`` when it was given up."""
    duration: float
    """Seconds."""
    conversation: Conversation
    """As heard."""
    turns: list[Turn] = field(default_factory=list)
    usage: dict[str, float] = field(default_factory=dict)
    """Counts of what the providers used, by name: ``llm.output_tokens``, ``tts.characters``, ``stt.seconds``, …"""
    faults: list[FaultRecord] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    """Names of tasks that did not end when they were cancelled."""
    served: dict[str, dict[str, int]] = field(default_factory=dict)
    """Where providers stand in for each other: how many requests each of them served, by kind (``llm``) and class."""
    cost: Cost | None = None
    """What it cost, when the runtime knows the prices."""
    watchdogs: dict[str, int] = field(default_factory=dict)
    """What was waited for in vain, by kind (see `voiceloop.watchdogs`), and how often. Empty in a good call."""

    speculation: Speculated = field(default_factory=Speculated)
    """What came of answers that were begun before the caller's turn was over."""

    def __post_init__(self) -> None:
        self.watchdogs = {**self.watchdogs, **split_counts(self.usage)}
        if self.speculation == Speculated():
            self.speculation = split_speculated(self.usage)

    @property
    def unanswered(self) -> str:
        """What the caller said last, when nothing of an answer to it was heard; else empty."""
        last = self.conversation.latest
        return last.text if last is not None and last.role == "user" else ""
