"""`CartesiaTTS` keeps the contract of voices, in virtual time and over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import pytest

from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions, Trouble
from voiceloop.testing import TTSConformance
from voiceloop.tts.cartesia import CartesiaOptions, CartesiaTTS


class TestCartesiaTTS(TTSConformance):
    pace: ClassVar[float] = 8.0
    speaking: ClassVar[CartesiaOptions] = CartesiaOptions()

    def setup_method(self) -> None:
        options = CartesiaSimOptions(pace=self.pace, key="key-of-the-test")
        self.sim = CartesiaSim(options=options)
        self.broken = CartesiaSim(options=replace(options, troubles=_all(Trouble(after=2, status=500))))
        self.silent = CartesiaSim(options=replace(options, troubles=_all(Trouble(after=2, stall=True))))

    @asynccontextmanager
    async def opened(self, make: Callable[[], CartesiaTTS] | None = None) -> AsyncIterator[CartesiaTTS]:
        async with self.sim.listening(), self.broken.listening(), self.silent.listening(), super().opened(make) as it:
            yield it

    def provider(self) -> CartesiaTTS:
        return self._at(self.sim)

    def failing_provider(self) -> CartesiaTTS:
        return self._at(self.broken)

    def stalled_provider(self) -> CartesiaTTS:
        return self._at(self.silent)

    def _at(self, sim: CartesiaSim) -> CartesiaTTS:
        return CartesiaTTS("any", api_key="key-of-the-test", base_url=sim.base_url, options=self.speaking)


class TestCartesiaTTSWithManagedBuffering(TestCartesiaTTS):
    speaking = CartesiaOptions(max_buffer_delay_ms=3000)


@pytest.mark.long
class TestCartesiaTTSOverLoopback(TestCartesiaTTS):
    realtime = True
    pace = 40.0


def _all(trouble: Trouble) -> dict[int, Trouble]:
    return dict.fromkeys(range(100), trouble)
