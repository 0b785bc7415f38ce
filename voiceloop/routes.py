"""Which processors a frame reaches: compiled once per tuple of classes and frame type."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from voiceloop.frames import AnswerEnd, Broadcast, Content, Frame
from voiceloop.handlers import Handler, Kind, resolve
from voiceloop.processor import Processor

__all__ = ["Stop", "Table", "table"]


class Stop(NamedTuple):
    """One processor on the way of a frame."""

    place: int
    """Index of the processor."""
    watchers: tuple[str, ...]
    """Names of the `watch` handlers, run before anything else."""
    handler: str | None
    """Name of the handler that takes the frame; None when it only passes a gate."""
    kind: Kind
    gate: bool
    """True when content waits here for its turn."""


class Table:
    """The routes of one tuple of processor classes."""

    def __init__(self, classes: tuple[type[Processor], ...]) -> None:
        self.classes = classes
        for cls in classes:
            resolve(cls, cls._handlers)
        self._handlers: list[list[Handler]] = [list(cls._handlers.values()) for cls in classes]
        self.gates: tuple[bool, ...] = tuple(any(map(_closes, handlers)) for handlers in self._handlers)
        self._routes: dict[tuple[type[Frame], int, bool], tuple[Stop, ...]] = {}

    def route(self, frame_type: type[Frame], origin: int, up: bool) -> tuple[Stop, ...]:
        """The stops of a frame pushed by the processor at `origin` (-1: the call itself)."""
        key = (frame_type, origin, up)
        found = self._routes.get(key)
        if found is None:
            found = self._routes[key] = tuple(self._compile(frame_type, origin, up))
        return found

    def _compile(self, frame_type: type[Frame], origin: int, up: bool) -> list[Stop]:
        count = len(self.classes)
        if issubclass(frame_type, Broadcast):
            indices = range(count)
        else:
            indices = range(origin - 1, -1, -1) if up else range(origin + 1, count)
        stops: list[Stop] = []
        content = issubclass(frame_type, Content)
        for index in indices:
            stop = self._stop(frame_type, index, content)
            if stop is None:
                continue
            stops.append(stop)
            if content and stop.handler is not None:
                break  # consumed
        return stops

    def _stop(self, frame_type: type[Frame], index: int, content: bool) -> Stop | None:
        mine = [h for h in self._handlers[index] if h.frame_type is not None and issubclass(frame_type, h.frame_type)]
        if frame_type is AnswerEnd:  # everyone may look at an answer's end, nobody consumes it
            plain = [h for h in mine if h.kind in (Kind.INLINE, Kind.WATCH)]
            mine = [Handler(h.name, Kind.WATCH, h.frame_type, h.owner) for h in plain]
        watchers = tuple(h.name for h in mine if h.kind is Kind.WATCH)
        takers = sorted((h for h in mine if h.kind is not Kind.WATCH), key=lambda h: _distance(frame_type, h))
        gate = content and self.gates[index]
        if takers:
            return Stop(index, watchers, takers[0].name, takers[0].kind, gate)
        if watchers or gate:
            return Stop(index, watchers, None, Kind.PASS, gate)
        return None


def _closes(handler: Handler) -> bool:
    """Whether the handler makes its processor a gate."""
    frame_type = handler.frame_type
    return handler.kind in (Kind.ASYNC, Kind.STREAM) and frame_type is not None and issubclass(frame_type, Content)


def _distance(frame_type: type[Frame], handler: Handler) -> int:
    assert handler.frame_type is not None
    return frame_type.__mro__.index(handler.frame_type)


@lru_cache(maxsize=128)
def table(classes: tuple[type[Processor], ...]) -> Table:
    """The compiled routes of these classes. Raises `HandlerError` for an annotation that names nothing."""
    return Table(classes)
