"""A coroutine whose every step is told to somebody: each time the event loop lets it go on."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

__all__ = ["RecordedSteps", "Steps"]


class Steps(Coroutine[Any, Any, Any]):
    """Stands in for a coroutine in a task."""

    __slots__ = ("__name__", "__qualname__", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.__name__ = getattr(coroutine, "__name__", type(coroutine).__name__)
        self.__qualname__ = getattr(coroutine, "__qualname__", self.__name__)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("cr_"):  # where it stands, for whoever describes the task
            return getattr(self._coroutine, name)
        raise AttributeError(name)


class Stepping(Protocol):
    """Who is told."""

    inside: bool

    def step(self, number: int) -> None:
        """The task of that number goes on; `inside` from here on."""


class RecordedSteps(Steps):
    """Tells of each step."""

    __slots__ = ("_number", "_recorder", "_send")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, recorder: Stepping) -> None:
        super().__init__(coroutine)
        self._number = number
        self._recorder = recorder
        self._send = coroutine.send

    def send(self, value: Any) -> Any:
        """One step."""
        recorder = self._recorder
        recorder.step(self._number)
        try:
            return self._send(value)
        finally:
            recorder.inside = False

    def throw(self, *error: Any) -> Any:
        """One step, into which something is raised."""
        recorder = self._recorder
        recorder.step(self._number)
        try:
            return self._coroutine.throw(*error)
        finally:
            recorder.inside = False
