"""What happened in one call, on one time axis: the material of the call's picture.

All times are seconds since the call began, dated as the agent learnt of them: the caller's audio by its media
timestamps and arrival, the agent's audio by when a reply to hearing it could arrive, as estimated from marks. So the
distance from the end of the caller's speech to the agent's first sound is the wait that the report states.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["RATE", "AnswerLine", "PlacedWord", "Span", "Timeline", "TimelineEvent", "TurnLine"]

RATE = 8000
"""Samples a second of both voices."""


@dataclass(slots=True)
class Span:
    """A stretch of time."""

    start: float
    end: float


@dataclass(slots=True)
class PlacedWord:
    """A word of the agent that was heard, as the model wrote it."""

    text: str
    start: float
    end: float
    answer: int
    exact: bool = True
    """False when the voice gave no word times: then the answer's words share its sound by their letters."""


@dataclass(slots=True)
class TurnLine:
    """A turn of the caller, and the wait that followed it."""

    number: int
    """From 1, as in the report; 0 for a turn that the report does not list (it was withdrawn, or nothing answered)."""
    text: str
    started: float
    ended: float
    """The last sample of speech."""
    endpointed: float
    decided: float
    continued: bool = False
    answer: int = 0
    """`AnswerLine.id`; 0 when nothing answered it."""
    latency_ms: dict[str, float] | None = None
    """``total`` and its parts in order: endpoint, stt, llm, tts, output, carrier. None when no answer was heard."""
    why: str = ""
    """What made the silence after it as long as it was; empty when that is not known."""
    guessed: float | None = None
    """When it was first guessed right; None when it was not before it was over."""


@dataclass(slots=True)
class AnswerLine:
    """An answer of the agent, or something it said by itself."""

    id: int
    text: str
    """All that was written."""
    began: float
    heard: str = ""
    unheard: str = ""
    outcome: str = ""
    """``complete``, ``interrupted``, ``failed``, ``discarded``; empty when the call ended before."""
    sounds: list[Span] = field(default_factory=list)
    """When it was heard; more than one when it was paused."""
    interrupted: float | None = None
    """When it was cut off."""
    milestones: dict[str, float] = field(default_factory=dict)
    """``text``, ``audio``, ``sent``, ``played``: when each was first reached."""
    early: bool = False
    """Begun before it was certain that the caller was done."""


@dataclass(slots=True)
class TimelineEvent:
    """A moment."""

    at: float
    kind: str
    """``mark``, ``echo``, ``clear``, ``interruption``, ``pause``, ``resume``, ``aside``, ``digit``, ``fault``,
    ``watchdog``, ``transcript``."""
    text: str = ""
    """The mark's name, the digit, the fault's kind and message, the words recognised, or said aside."""
    answer: int = 0


@dataclass(slots=True)
class Timeline:
    """One call. See the module for what the times mean."""

    call_id: str = ""
    caller: str = ""
    number: str = ""
    began: str = ""
    """Wall-clock time of the beginning, ISO 8601 with zone; empty when unknown."""
    duration: float = 0.0
    reason: str = ""
    """Why the call ended."""
    caller_audio: bytes = b""
    """Mu-law, 8000 Hz, mono, from time 0 to the end; silence where nothing came."""
    agent_audio: bytes = b""
    """The same of what the caller heard."""
    speech: list[Span] = field(default_factory=list)
    """When voice activity was detected."""
    turns: list[TurnLine] = field(default_factory=list)
    answers: list[AnswerLine] = field(default_factory=list)
    words: list[PlacedWord] = field(default_factory=list)
    events: list[TimelineEvent] = field(default_factory=list)
    """In order of time."""

    def as_dict(self) -> dict[str, Any]:
        """Everything but the audio, as plain values."""
        values = asdict(self)
        del values["caller_audio"], values["agent_audio"]
        return values
