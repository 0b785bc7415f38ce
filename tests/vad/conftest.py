"""Lines of calls that are judged on the tick, and a model of voice activity whose word follows from the audio."""

from __future__ import annotations

import asyncio
import math
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Fault, SpeechPaused, SpeechStarted
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.vad.detector import VADOptions
from voiceloop.vad.processor import VADProcessor
from voiceloop.vad.tick import VADTick

SILENCE = b"\xff" * 256


class FakeLine:
    """Says of a window what follows from it and from those before; says of silence that it begins with so at once."""

    def __init__(self) -> None:
        self.state = 0
        self.judged: list[bytes] = []
        """Windows for which the model ran."""

    def probability(self, window_bytes: bytes) -> float:
        if window_bytes.startswith(b"bad"):
            raise ValueError("what is this?")
        if (said := self.known(window_bytes)) == said:
            return said
        self.judged.append(window_bytes)
        self.state = zlib.crc32(window_bytes, self.state) * 2654435761 % 2**32
        return self.state / 2**32 * 0.5 + 0.5 * (window_bytes[0] < 128)

    def known(self, window_bytes: bytes) -> float:
        return 0.01 if self.state == 0 and window_bytes == SILENCE else math.nan


class FakeModel:
    """Judges lines together, or not at all when a window is bad. Notes how many there were each time."""

    window = 256

    def __init__(self) -> None:
        self.shared = self
        self.runs: list[int] = []

    def new_line(self) -> FakeLine:
        return FakeLine()

    def probabilities(self, lines: Sequence[FakeLine], windows: Sequence[bytes]) -> list[float]:
        self.runs.append(len(lines))
        assert len(set(map(id, lines))) == len(lines)
        if any(window.startswith(b"bad") for window in windows):
            raise ValueError("a bad window is among them")
        return [line.probability(window) for line, window in zip(lines, windows, strict=True)]


class Alone:
    """The same model, of which nobody knows that it can judge several lines."""

    def __init__(self, model: Any) -> None:
        self.window = model.window
        self._model = model

    def new_line(self) -> Any:
        line = self._model.new_line()

        class Line:
            def probability(self, window_bytes: bytes) -> float:
                said: float = line.probability(window_bytes)
                return said

        return Line()


class Mouth(Processor):
    """The head of a call's pipeline."""


class Ear(Processor):
    """Notes what comes of it, and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []
        self.times: list[float] = []
        self.faults: list[str] = []

    def _note(self, kind: str, at: float) -> None:
        self.heard.append((kind, at))
        self.times.append(self.call.now)

    def on_speech_started(self, speech: SpeechStarted) -> None:
        self._note("started", speech.at)

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        self._note("paused", speech.at)

    def on_fault(self, fault: Fault) -> None:
        self.faults.append(f"{fault.kind}: {fault.message}")


class Line:
    """A call that hears. `at` is the caller's time of the next sample."""

    def __init__(self, model: Any, options: VADOptions | None = None) -> None:
        self.mouth, self.vad, self.ear = Mouth(), VADProcessor(model, options), Ear()
        self.call = Call(self.mouth, id="CA1", runtime=Runtime())
        self.at = 0.0
        self._task = asyncio.create_task(Pipeline([self.mouth, self.vad, self.ear]).run(self.call))

    def hears(self, audio: bytes, *, lost: float = 0.0) -> None:
        """The next piece of audio, behind `lost` seconds of which nothing came."""
        self.at += lost
        self.mouth.push(CallerAudio(audio, self.at))
        self.at += len(audio) / 8000

    async def end(self) -> None:
        """Hang up."""
        self.call.end("completed")
        await self._task


@asynccontextmanager
async def _lines(model: Any, count: int = 1, options: VADOptions | None = None) -> AsyncIterator[list[Line]]:
    """Calls that run; at their end nothing is left of them at any tick."""
    lines = [Line(model, options) for _ in range(count)]
    await asyncio.sleep(0.051)  # just behind a tick
    try:
        yield lines
    finally:
        for line in lines:
            await line.end()
        assert VADTick._ticks.get(asyncio.get_running_loop(), {}) == {}


@pytest.fixture
def lines() -> Any:
    return _lines


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def alone() -> type[Alone]:
    return Alone


@pytest.fixture
def new_model() -> type[FakeModel]:
    return FakeModel
