"""The providers of a replay: each gives what the recording has, when the recording has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from math import nan
from typing import Any

from voiceloop.flight.entries import Kind
from voiceloop.flight.items import FlushNumber, decode_item
from voiceloop.llm.base import LLM, Item, Message, ToolSpec
from voiceloop.replay.driver import Driver
from voiceloop.replay.read_back import failure_of_entry
from voiceloop.runtime import Canned, Runtime
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush, Transcript
from voiceloop.stt.feed import AudioFeed
from voiceloop.tts.base import TTS, Speech
from voiceloop.vad.base import VADModel

__all__ = ["ReplayRuntime", "substitutes_of"]


async def _recorded(driver: Driver, made: Callable[[Any], Any] = lambda item: item) -> AsyncGenerator[Any, None]:
    """What a provider gave; `made` turns what was kept of an item into the item."""
    while True:
        entry = driver.next_in(Kind.ITEM, Kind.ENDED)
        if entry is None:
            if driver.leaving:
                return
            await driver.arrival()
        elif entry.kind is Kind.ITEM:
            yield made(decode_item(entry.content))
        elif entry.content:
            raise failure_of_entry(entry)
        else:
            return


class RecordedSTT(STT):
    """A recogniser of the recording."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def for_language(self, language: str) -> Any:
        """The same."""
        return self

    async def transcribe(
        self, audio: AsyncIterator[bytes | Flush]
    ) -> AsyncGenerator[Transcript | Flush | Served, None]:
        """What it understood. The audio is read for the flushes in it, which are given back."""
        flushes: dict[int, Flush] = {}

        async def read() -> None:
            async for piece in audio:
                if isinstance(piece, Flush):
                    flushes[piece.number] = piece

        def made(item: Any) -> Any:
            if not isinstance(item, FlushNumber):
                return item
            pending = audio.pending if isinstance(audio, AudioFeed) else None
            if pending is not None and pending.number == item:  # so soon that it was not read here yet
                return pending
            return flushes.get(int(item), Flush(int(item)))

        reading = asyncio.get_running_loop().create_task(read())
        try:
            async for item in _recorded(self._driver, made):
                yield item
        finally:
            reading.cancel()


class RecordedLLM(LLM):
    """A model of the recording."""

    speculative = False  # unless the recording says otherwise: before it could, none was

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def respond(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncGenerator[Item, None]:
        """What it wrote."""
        async for item in _recorded(self._driver):
            yield item


class RecordedTTS(TTS):
    """A voice of the recording."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._reading: asyncio.Task[None] | None = None

    def for_language(self, language: str) -> Any:
        """The same."""
        return self

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Served, None]:
        """What it said. The text is read when the voice read it."""
        if self._reading is not None:
            self._reading.cancel()
        # Not ended with the voice: what that has read by then, it may not have been given here yet.
        self._reading = asyncio.get_running_loop().create_task(_read(text))
        async for item in _recorded(self._driver):
            yield item


async def _read(text: AsyncIterator[str]) -> None:
    """To its end; the driver says at which pace."""
    async for _ in text:
        pass


class ReplayRuntime(Runtime):
    """Warms and renders nothing: what was rendered is in the recording."""

    async def warm(self, provider: Any) -> None:
        """Nothing to do."""

    async def render(self, voice: object, text: str, speak: Callable[[str], Awaitable[Canned]]) -> Canned:
        """Nothing to do."""
        return Canned(b"")

    @staticmethod
    async def offload(fn: Callable[..., Any], *args: Any, virtual_cost: float = 0.0) -> Any:
        """Here and now."""
        return fn(*args)

    def canned(self, voice: object, text: str) -> Canned | None:
        """The journal knows."""
        return None


class _Line:
    def probability(self, window_bytes: bytes) -> float:
        """The journal knows."""
        return 0.0


class _SharedLine(_Line):
    def known(self, window_bytes: bytes) -> float:
        """Nothing is, before the tick."""
        return nan


class RecordedVAD:
    """A model of voice activity of the recording; in a replay that drives also when it says something."""

    def __init__(self, window: int) -> None:
        self.window = window

    def new_line(self) -> Any:
        """For the call."""
        return _Line()


class TickedVAD(RecordedVAD):
    """One that judges at a tick."""

    shared = "recorded"

    def new_line(self) -> Any:
        """For the call."""
        return _SharedLine()

    def probabilities(self, lines: Sequence[Any], windows: Sequence[bytes]) -> list[float]:
        """The journal knows."""
        return [0.0] * len(lines)


def substitutes_of(header: dict[str, Any], driver: Driver) -> dict[type, Any]:
    """Providers with the names and properties of those that the call ran on."""
    known = header["providers"]
    made: dict[type, Any] = {}
    for kind, base, recorded in (("stt", STT, RecordedSTT), ("llm", LLM, RecordedLLM), ("tts", TTS, RecordedTTS)):
        given = dict(known.get(kind, {"name": recorded.__name__}))
        named = type(given.pop("name"), (recorded,), given)
        made[base] = named(driver)
    if "vad" in known:
        made[VADModel] = RecordedVAD(known["vad"]["window"])
    return made
