"""`GoogleSTT` keeps the contract of recognisers: v2 and v1 in virtual time, v2 over gRPC."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import ClassVar, Literal

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import Fault, GoogleSpeechSim, Timing
from voiceloop.stt.google import GoogleOptions, GoogleSTT
from voiceloop.testing import STTConformance

LEXICON = Lexicon(letter=0.02)


class TestGoogleSTT(STTConformance):
    version: ClassVar[Literal["v1", "v2"]] = "v2"
    timing: ClassVar[Timing | str] = "google"

    def setup_method(self) -> None:
        self.sim = GoogleSpeechSim(LEXICON, timing=self.timing)
        self.broken = GoogleSpeechSim(
            LEXICON, timing=self.timing, faults=lambda number: Fault(code="PERMISSION_DENIED", after=1)
        )
        self.silent = GoogleSpeechSim(LEXICON, timing=self.timing, faults=lambda number: Fault("stall", after=1))

    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        texts = ("we open at nine in the morning", "please send two large coffees")
        first, second = ((LEXICON.speak(text)[0], text) for text in texts)
        return first, second

    def provider(self) -> GoogleSTT:
        return self.at(self.sim)

    def failing_provider(self) -> GoogleSTT:
        return self.at(self.broken)

    def stalled_provider(self) -> GoogleSTT:
        return self.at(self.silent, GoogleOptions(limit=3600.0, drain=3600.0, idle=3600.0))

    def at(self, sim: GoogleSpeechSim, options: GoogleOptions | None = None) -> GoogleSTT:
        return GoogleSTT(version=self.version, channel=sim.channel, options=options)


class TestGoogleSTTV1(TestGoogleSTT):
    version = "v1"


@contextmanager
def served(*sims: GoogleSpeechSim) -> Iterator[list[str]]:
    """Simulators on a loop and a thread of their own, as a service is: gRPC's server leaves tasks on its loop."""
    endpoints: list[str] = []
    ready, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            endpoints.extend([await stack.enter_async_context(sim.listening()) for sim in sims])
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(5)
        yield endpoints
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(5)
        loop.close()


@pytest.mark.long
class TestGoogleSTTOverGRPC(TestGoogleSTT):
    realtime = True
    pace = 0.2
    pause = 0.3
    timing = Timing(interim=0.02, median=0.05, p95=0.05, pause=0.05)

    @pytest.fixture(autouse=True)
    def _service(self) -> Iterator[None]:
        sims = (self.sim, self.broken, self.silent)
        with served(*sims) as endpoints:
            self.endpoints = dict(zip(map(id, sims), endpoints, strict=True))
            yield

    def at(self, sim: GoogleSpeechSim, options: GoogleOptions | None = None) -> GoogleSTT:
        return GoogleSTT(version=self.version, endpoint=self.endpoints[id(sim)], options=options)
