"""What a test may ask about the bot's side of a call: the frames that passed, and the tools that were called."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from voiceloop.answer import Answer
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import VoiceloopError
from voiceloop.eventlog import EventLog
from voiceloop.frames import AnswerBegan, Content, Frame, Signal
from voiceloop.llm.tool_round import NOT_YET
from voiceloop.processor import Processor
from voiceloop.report import Turn

__all__ = ["FrameLog", "ToolUse", "tool_uses"]

F = TypeVar("F", bound=Signal)


class FrameLog(Processor):
    """Keeps every signal that passed the whole pipeline, in order, and when."""

    def __init__(self) -> None:
        self.seen: list[Signal] = []
        self.times: list[float] = []
        """When each passed, seconds on the loop's clock."""

    def on_signal(self, signal: Signal) -> None:
        self.seen.append(signal)
        self.times.append(self.call.now)

    def of(self, *types: type[F]) -> list[F]:
        """Those of these types."""
        for each in types:
            _check(each)
        return [frame for frame in self.seen if isinstance(frame, types)]

    def answers(self) -> Iterator[Answer]:
        """Every answer that began."""
        return (frame.answer for frame in self.seen if isinstance(frame, AnswerBegan))


def _check(wanted: object) -> None:
    """Raises `VoiceloopError` for what can never be among the frames."""
    if isinstance(wanted, type) and issubclass(wanted, Signal):
        return
    if isinstance(wanted, type) and issubclass(wanted, Content):
        raise VoiceloopError(
            f"caller.frames({wanted.__name__}): expected a signal, got content, which is consumed inside the pipeline. "
            f"To see it, put a processor with @watch into the bot, or look at AnswerEnded(…).answer.text"
        )
    hint = " (give its class)" if isinstance(wanted, Frame) else ""
    raise VoiceloopError(f"caller.frames takes types of signals, such as UserTurn; got {wanted!r}{hint}")


@dataclass(slots=True, frozen=True)
class ToolUse:
    """A tool that the model asked for. Equal when name, arguments, result, error and turn are."""

    name: str
    arguments: Any
    """A dict, as a rule; what the model wrote, as text, when that was no JSON."""
    result: str | None
    """What the model was told; None when nothing is there yet."""
    error: bool = False
    """Whether it failed; `result` says why."""
    turn: int = 0
    """The number of the caller's turn in which it was asked for, from 1 as in the report; 0: before the first."""
    asked: float | None = field(default=None, compare=False, repr=False)
    """When the model asked for it, seconds on the loop's clock; None when that is not known."""
    took: float | None = field(default=None, compare=False, repr=False)
    """Seconds from then until its result was there."""


def tool_uses(conversation: Iterable[Message], turns: Sequence[Turn], log: EventLog | None = None) -> list[ToolUse]:
    """Every tool that was asked for, in order.

    Args:
        conversation: of the call.
        turns: those that are over.
        log: of the call's wake-ups: it knows when.
    """
    messages = list(conversation)
    results: dict[str, ToolResult] = {result.id: result for message in messages for result in message.results}
    times = _Times(log)
    uses: list[ToolUse] = []
    turn, rest = 0, ""  # the turn that is going on, and what of its text the messages so far do not hold
    for message in messages:
        if message.role == "user":
            turn, rest = _turn(message.text, turn, rest, turns)
        for call in message.calls:
            result = results.get(call.id)
            done = result is not None and result.text != NOT_YET
            text, error = (result.text, result.error) if result is not None and done else (None, False)
            asked, took = times.of(call, done)
            uses.append(ToolUse(call.name, _value(call.arguments), text, error, turn, asked, took))
    return uses


class _Times:
    """When tools were asked for, and when they were done, by a log of wake-ups. Each entry is used once."""

    def __init__(self, log: EventLog | None) -> None:
        events = log.events if log is not None else []
        self._asked = [(at, detail) for at, kind, detail in events if kind == "llm"]
        self._done = [(at, detail) for at, kind, detail in events if kind == "task"]

    def of(self, call: ToolCall, done: bool) -> tuple[float | None, float | None]:
        same = EventLog()
        same.add(0.0, "llm", call)
        asked = _take(self._asked, same.events[0][2], 0.0)
        if asked is None or not done:
            return asked, None
        ended = _take(self._done, f"tool {call.name}", asked)
        return asked, None if ended is None else ended - asked


def _take(entries: list[tuple[float, str]], wanted: str, since: float) -> float | None:
    for index, (at, detail) in enumerate(entries):
        if detail == wanted and at >= since:
            del entries[index]
            return at
    return None


def _turn(text: str, turn: int, rest: str, turns: Sequence[Turn]) -> tuple[int, str]:
    """The turn that a message of the caller belongs to, and the rest of its text: one that goes on has several."""
    if rest and rest.startswith(text):
        return turn, rest[len(text) :].strip()
    for each in turns:
        if each.number > turn and each.caller.startswith(text):
            return each.number, each.caller[len(text) :].strip()
    return len(turns) + 1, ""  # it is not over


def _value(arguments: str) -> Any:
    if not arguments:
        return {}
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments
