"""`PipecatTTS` keeps the contract of voices, with Pipecat's Cartesia service, in virtual time and over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.cartesia.tts import CartesiaTTSService

from voiceloop.bridges.pipecat import PipecatTTS
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.testing import TTSConformance


class Always(dict[int, Trouble]):
    """The same for every context."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self.trouble = trouble

    def get(self, key: int, default: Any = None) -> Any:
        return self.trouble

    def __getitem__(self, key: int) -> Trouble:
        return self.trouble


class TestPipecatTTS(TTSConformance):
    pace: ClassVar[float] = 8.0

    def setup_method(self) -> None:
        lexicon = Lexicon()
        broken, silent = Always(Trouble(after=2, status=500)), Always(Trouble(after=2, stall=True))
        self.sim = CartesiaSim(lexicon, CartesiaSimOptions(pace=self.pace))
        self.broken = CartesiaSim(lexicon, CartesiaSimOptions(pace=self.pace, troubles=broken))
        self.silent = CartesiaSim(lexicon, CartesiaSimOptions(pace=self.pace, troubles=silent))

    @asynccontextmanager
    async def opened(self, make: Callable[[], PipecatTTS] | None = None) -> AsyncIterator[PipecatTTS]:
        async with AsyncExitStack() as stack:
            for sim in (self.sim, self.broken, self.silent):
                await stack.enter_async_context(sim.listening())
            self.opened_provider = await stack.enter_async_context(super().opened(make))
            yield self.opened_provider

    async def nothing_left(self, before: set[asyncio.Task[Any]], when: str) -> None:
        """What services that wait for the next answer run is not left over: it is gone when the provider is closed."""
        pool = self.opened_provider._pool
        idle = [] if when == "when the provider is closed" else [task for each in pool._idle for task in each.tasks()]
        idle += [
            task for task in asyncio.all_tasks() if task.get_name().startswith("cartesia context")
        ]  # of the server
        await super().nothing_left(before | set(idle), when)

    def provider(self) -> PipecatTTS:
        return self._provider(self.sim)

    def failing_provider(self) -> PipecatTTS:
        return self._provider(self.broken)

    def stalled_provider(self) -> PipecatTTS:
        return self._provider(self.silent)

    def _provider(self, sim: CartesiaSim) -> PipecatTTS:
        def make() -> CartesiaTTSService:
            url = sim.base_url.replace("http", "ws") + "/tts/websocket"
            return CartesiaTTSService(api_key="k", url=url, settings=CartesiaTTSService.Settings(voice="any"))

        return PipecatTTS(make)


class TestPipecatTTSOverLoopback(TestPipecatTTS):
    realtime = True
    pace = 40.0
