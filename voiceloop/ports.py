"""The ways out of a processor: where each type of frame goes from there, bound to the processors of one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voiceloop.frames import Frame, Signal
from voiceloop.handlers import Kind
from voiceloop.routes import Stop

if TYPE_CHECKING:
    from voiceloop.engine import Engine
    from voiceloop.gate import Gate
    from voiceloop.processor import Processor

__all__ = ["BoundStop", "Opening", "Plan", "Port", "Step"]

Step = tuple[Callable[[Any], Any], int, int]
"""A bound handler, its kind, the index of its processor."""


class Opening(Signal):
    """Internal: a gate may let content go on. Queued like a frame, so that no handler runs inside another one."""

    __slots__ = ("gate",)

    def __init__(self, gate: Gate) -> None:
        self.gate = gate


class BoundStop:
    """A `Stop` of content, bound to the processors of one call."""

    __slots__ = ("gate", "handler", "index", "kind", "watchers")

    def __init__(self, stop: Stop, processor: Processor, gate: Gate | None) -> None:
        self.index = stop.place
        self.watchers = tuple(getattr(processor, name) for name in stop.watchers)
        self.handler: Callable[[Any], Any] | None = None if stop.handler is None else getattr(processor, stop.handler)
        self.kind: Kind = stop.kind
        self.gate = gate


class Plan:
    """Where one type of frame goes from one place: bound handlers for signals, stops for content."""

    __slots__ = ("content", "steps", "stops")

    def __init__(self, content: bool, steps: tuple[Step, ...], stops: tuple[BoundStop, ...]) -> None:
        self.content = content
        self.steps = steps
        self.stops = stops


class Port(dict[type[Frame], Plan]):
    """One way out of one processor: plans by frame type, compiled when a type is first seen."""

    __slots__ = ("engine", "origin", "up")

    def __init__(self, engine: Engine, origin: int, up: bool) -> None:
        self.engine: Engine | None = engine
        self.origin = origin
        self.up = up

    def __missing__(self, frame_type: type[Frame]) -> Plan:
        assert self.engine is not None
        plan = self[frame_type] = self.engine._plan(frame_type, self.origin, self.up)
        return plan

    def cut(self) -> None:
        """Let go of everything at the end of the call."""
        self.engine = None
        self.clear()
