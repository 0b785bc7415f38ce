"""What one media message costs: from the JSON text of the socket to the detector and the recogniser's buffer.

Without the models: the detector's model answers at once, the recogniser never wakes. `engine.py` runs this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from voiceloop.frames import Transcript
from voiceloop.processor import Processor
from voiceloop.sim.carrier import Carrier
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.processor import STTProcessor
from voiceloop.twilio.protocol import MediaStream, Started
from voiceloop.twilio.transport import TwilioTransport
from voiceloop.vad.processor import VADProcessor

__all__ = ["MESSAGES", "stages"]

MESSAGES = 2_000
"""Forty seconds of a caller."""


class _Socket:
    """A socket on which nothing more comes."""

    closed = True

    async def receive(self) -> Any:
        await asyncio.get_running_loop().create_future()

    def exception(self) -> None:
        """Nothing went wrong."""

    async def close(self) -> None:
        pass


class _Model:
    """A detector's model that costs nothing and hears nothing."""

    window = 256

    def new_line(self) -> _Model:
        return self

    def probability(self, window_bytes: bytes) -> float:
        return 0.0


class _Buffer(STT):
    """A recogniser that listens to the whole call and is never woken."""

    per_call = True
    chunk = float("inf")

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        async for piece in audio:
            if isinstance(piece, Flush):
                yield piece


def stages() -> tuple[list[Processor], Callable[[], float]]:
    """A pipeline, and what measures it: seconds of CPU per message, to be called while it runs."""
    carrier = Carrier("ws://nowhere").stream
    stream = MediaStream()
    stream.receive(carrier.connected())
    started = stream.receive(carrier.start({}))
    assert isinstance(started, Started)
    payload = bytes(range(160))
    texts = [carrier.media(payload, 20 * index) for index in range(MESSAGES)]
    socket: Any = _Socket()
    transport = TwilioTransport(socket, stream, started)

    def measure() -> float:
        began = time.process_time()
        for text in texts:
            transport.receive(text)
        return (time.process_time() - began) / MESSAGES

    return [transport, VADProcessor(_Model()), STTProcessor(_Buffer())], measure
