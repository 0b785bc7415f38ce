"""A call's timeline with what went on behind it: requests, tools, failures, watchdogs. With this `why` explains."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from voiceloop.record.timeline import AnswerLine, Timeline
from voiceloop.report import Turn

__all__ = ["Act", "Bark", "DetailedTimeline", "Failure", "ModelRequest", "Stood", "ToolRun"]


@dataclass(slots=True)
class ModelRequest:
    """The model was asked."""

    at: float
    answer: int
    """For which; 0 when it is not known."""
    first: float | None = None
    """When its first item came."""
    ended: float | None = None
    """When it had given all, or failed; None when nobody waited for that."""
    failure: str = ""
    """How it failed: the type of the error and what that said."""
    calls: int = 0
    """How many tools it asked for."""


@dataclass(slots=True)
class ToolRun:
    """A tool ran."""

    name: str
    at: float
    ended: float | None = None
    """None when it still ran at the end."""
    arguments: str = ""
    """As the model wrote them; empty when they are not known."""
    result: str = ""
    error: bool = False
    answer: int = 0


@dataclass(slots=True)
class Failure:
    """A provider failed."""

    at: float
    kind: str
    """``stt``, ``llm`` or ``tts``."""
    text: str
    """The type of the error and what that said."""


@dataclass(slots=True)
class Stood:
    """A provider began to do the work of another one."""

    at: float
    kind: str
    """``stt``, ``llm`` or ``tts``."""
    name: str
    instead_of: str
    why: str


@dataclass(slots=True)
class Bark:
    """A watchdog: something did not come in time. See `voiceloop.watchdogs`."""

    at: float
    kind: str
    waited: float
    """How long in vain, seconds; of ``loop_held``, how long nothing else could run."""
    limit: float
    """What it was set to, seconds."""
    detail: str = ""
    answer: int = 0


@dataclass(slots=True)
class Act:
    """Somebody outside did something to the call: ``say``, ``interrupt``, ``hang_up``, …"""

    at: float
    name: str


@dataclass(slots=True)
class DetailedTimeline(Timeline):
    """A timeline with what `why` needs."""

    whole: bool = True
    """False when the recording breaks off before the call ends."""
    over: float | None = None
    """When the end of the call was known; what was still to be closed then is in its `duration`. None before that."""
    redacted: tuple[str, ...] = ()
    """What was left out: ``audio``, ``text``."""
    providers: dict[str, str] = field(default_factory=dict)
    """Class of each provider by its kind."""
    unfinished: Collection[str] = ()
    """Words in lower case with which nobody ends a turn, in the language of the call."""
    listed: list[Turn] = field(default_factory=list)
    """The turns as the report has them, or would have them."""
    requests: list[ModelRequest] = field(default_factory=list)
    tools: list[ToolRun] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    """When the recogniser had answered for all that was said."""
    failures: list[Failure] = field(default_factory=list)
    stood: list[Stood] = field(default_factory=list)
    barks: list[Bark] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    @property
    def end(self) -> float:
        """When the call ended, or its recording."""
        return self.duration if self.over is None else self.over

    def cut_by_the_end(self, answer: AnswerLine) -> bool:
        """Whether an answer was cut because the call ended."""
        return answer.interrupted is not None and self.over is not None and answer.interrupted >= self.over
