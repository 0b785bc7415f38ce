"""Helpers of the engine's tests: a running call to push frames through, and a processor that notes what reaches it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.faults import FaultPolicy
from voiceloop.frames import Content, Frame, Signal
from voiceloop.handlers import watch
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.runtime import Limits, Runtime


def show(frame: Frame) -> str:
    """A frame as a word: its type, and the one thing that tells it from others."""
    for name in ("text", "digit", "audio", "outcome", "kind"):
        if hasattr(frame, name):
            return f"{type(frame).__name__}:{getattr(frame, name)}"
    answer = getattr(frame, "answer", None)
    return type(frame).__name__ if answer is None else f"{type(frame).__name__}:{answer.id}"


class TapeRecorder(Processor):
    """Notes every frame that reaches it; consumes none. Put behind the others, it sees what comes out of them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    @property
    def seen(self) -> list[str]:
        """Everything that came, as words."""
        return [show(frame) for frame in self.frames]

    @property
    def content(self) -> list[str]:
        """The content that came, as words."""
        return [show(frame) for frame in self.frames if isinstance(frame, Content)]

    def of(self, *types: type[Frame]) -> list[str]:
        """What came of these types, as words."""
        return [show(frame) for frame in self.frames if isinstance(frame, types)]

    def on_signal(self, signal: Signal) -> None:
        self.frames.append(signal)

    @watch
    def on_content(self, content: Content) -> None:
        self.frames.append(content)


class Session:
    """``async with session(A(), B()) as running:`` runs a call through these stages and ends it at the end."""

    def __init__(self, *stages: Any, limits: Limits | None = None, faults: FaultPolicy | None = None) -> None:
        self.pipeline = Pipeline(stages)
        runtime = Runtime(limits=limits or Limits(), faults=faults or FaultPolicy(), log_events=True)
        self.call = Call(self.pipeline.processors[0], id="CA1", runtime=runtime)
        self._task: asyncio.Task[CallReport] | None = None

    async def __aenter__(self) -> Session:
        self._task = asyncio.create_task(self.pipeline.run(self.call), name="call under test")
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def end(self, reason: str = "completed") -> CallReport:
        """End the call and return its report."""
        self.call.end(reason)
        return await self.ended()

    async def ended(self) -> CallReport:
        """Wait for the end of the call and return its report."""
        assert self._task is not None
        return await self._task

    def cancel(self) -> None:
        """Cancel `Pipeline.run`."""
        assert self._task is not None
        self._task.cancel()


async def settle() -> None:
    """Let everything run that is ready, at a standing clock."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture(name="session")
def session_class() -> type[Session]:
    return Session


@pytest.fixture(name="tape")
def new_tape() -> TapeRecorder:
    return TapeRecorder()


@pytest.fixture(name="new_tape")
def tape_class() -> type[TapeRecorder]:
    return TapeRecorder


@pytest.fixture(name="settle")
def settle_function() -> Any:
    return settle
