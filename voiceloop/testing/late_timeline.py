"""The timeline of a call, made afterwards from the signals that were kept: a test that passes does not pay for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from voiceloop.call import Call
from voiceloop.frames import Signal
from voiceloop.handlers import resolve
from voiceloop.keypad import Keypad
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport, Turn

__all__ = ["timeline_of"]


def timeline_of(call: Call, seen: Iterable[tuple[float, Signal]], report: CallReport, began: str) -> Timeline:
    """What a `TimelineRecorder` would have given that had stood behind the pipeline.

    Args:
        call: of which it is.
        seen: the signals, each with the time at which it passed, seconds on the loop's clock.
        report: of the call, or what one would say of it now.
        began: wall-clock time of the beginning, ISO 8601.
    """
    recorder = _Late(_Then(call.id, call.caller, call.number, call.began))
    recorder.begin(began)
    handlers: dict[type[Signal], Callable[[Any], None] | None] = {}
    for at, signal in seen:
        kind = signal.__class__
        if kind not in handlers:
            handlers[kind] = recorder.handler_for(kind)
        handler = handlers[kind]
        if handler is not None:
            recorder.then.now = at
            handler(signal)
    for turn in report.turns:
        recorder.then.turn_over(turn)
    return recorder.timeline(report)


@dataclass(slots=True)
class _Then:
    """What the recorder asks of its call, as it was at the time."""

    id: str
    caller: str
    number: str
    began: float
    now: float = 0.0
    turn_over: Callable[[Turn], object] = lambda turn: None
    keypad: Keypad = field(default_factory=Keypad)
    """As of a call without secrets: of a `Digit` it stands in itself whether it is one."""

    def on_turn(self, callback: Callable[[Turn], object]) -> None:
        self.turn_over = callback


class _Late(TimelineRecorder):
    """A recorder outside a call: told by hand what passed, and when."""

    def __init__(self, then: _Then) -> None:
        super().__init__()
        self.then = then

    @property
    def call(self) -> Any:
        return self.then

    def begin(self, began: str) -> None:
        try:
            self.start().send(None)  # it waits for nothing
        except StopIteration:
            self._line.began = began

    def handler_for(self, kind: type[Signal]) -> Callable[[Any], None] | None:
        resolve(type(self), self._handlers)
        found = [each for each in self._handlers.values() if each.frame_type in kind.__mro__]
        found.sort(key=lambda each: kind.__mro__.index(each.frame_type))
        return getattr(self, found[0].name) if found else None
