"""What one caller message costs from the socket on: aiohttp, uvloop, and the carrier in its own process.

    python benchmarks/media_wire.py                      CPU of the server per message
    python benchmarks/media_wire.py --profile out.prof   the same under cProfile
    python benchmarks/media_wire.py --together           the carrier in this process; for a machine that others use
    python benchmarks/media_wire.py --receive            through ``receive()``, as from an aiohttp that we do not know

The pipeline is that of ``media.py``: transport, detector and recogniser without their models. Of every round the CPU
time of this process is divided by the messages that reached the pipeline; printed are the least and the median.
With ``--together`` a round is one message of every stream, of which the time from the first read to the last handler
counts: too short for others to come between, in its least.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import sys
import time
from functools import partial
from typing import Any, Final

from aiohttp import web
from media import _Buffer, _Model  # type: ignore[import-not-found, unused-ignore]

from voiceloop.call import Call
from voiceloop.frames import CallerAudio
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.server.aiohttp_app import phone_app
from voiceloop.server.phone_options import PhoneOptions
from voiceloop.stt.processor import STTProcessor
from voiceloop.twilio import aiohttp_socket
from voiceloop.twilio.carrier_protocol import CarrierStream
from voiceloop.vad.processor import VADProcessor

__all__: list[str] = []

INTERVAL: Final = 0.02
"""Seconds between two messages of a stream."""


class Count(Processor):
    """Counts the messages of all calls."""

    heard = 0

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """One more."""
        Count.heard += 1


def bot(call: Call) -> Pipeline:
    """The pipeline of ``media.py``."""
    return Pipeline([call.transport, VADProcessor(_Model()), STTProcessor(_Buffer()), Count()])


async def serve(options: argparse.Namespace) -> None:
    """Answer the calls of a carrier in another process, and measure."""
    phone = PhoneOptions(public_url="https://localhost", check=False, auth_token="", most_calls=5000)
    async with Runtime() as runtime:
        runner = web.AppRunner(phone_app(bot, runtime, phone), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        if options.together:
            await measure_together(options, port)
            return await runner.cleanup()
        command = [sys.executable, __file__, "--send", str(port), "--streams", str(options.streams)]
        sender = await asyncio.create_subprocess_exec(*command)
        try:
            await measure(options)
        finally:
            sender.terminate()
            await sender.wait()
            await runner.cleanup()


async def measure(options: argparse.Namespace) -> None:
    """Print what a message costs, and how many tasks a call has."""
    await asyncio.sleep(2.0)
    print(f"{len(asyncio.all_tasks()) / options.streams:.2f} tasks per call")
    profile = None
    if options.profile:
        import cProfile

        profile = cProfile.Profile()
    gc.collect()
    gc.freeze()
    costs = []
    if profile is not None:
        profile.enable()
    for _ in range(options.rounds):
        heard, began = Count.heard, time.process_time()
        await asyncio.sleep(options.seconds)
        spent, came = time.process_time() - began, Count.heard - heard
        costs.append(spent / max(1, came) * 1e6)
        print(f"{came} messages, {costs[-1]:.2f} µs each", flush=True)
    if profile is not None:
        profile.disable()
        profile.dump_stats(options.profile)
    print(f"least {min(costs):.2f}, median {statistics.median(costs):.2f} µs of CPU per message")


async def measure_together(options: argparse.Namespace, port: int) -> None:
    """Print what a message costs that has come to the socket already."""
    loop = asyncio.get_running_loop()
    lines = [
        (await loop.create_connection(partial(Line, number), "127.0.0.1", port))[1] for number in range(options.streams)
    ]
    await asyncio.sleep(1.0)
    gc.collect()
    gc.freeze()
    costs = []
    for _ in range(500):
        heard = Count.heard
        for line in lines:
            os.write(line.transport.get_extra_info("socket").fileno(), line.next())
        began = time.process_time()
        while Count.heard < heard + len(lines):  # noqa: ASYNC110 - turns of the loop are what is measured
            await asyncio.sleep(0)
        costs.append((time.process_time() - began) / len(lines) * 1e6)
    print(f"least {min(costs):.2f}, median {statistics.median(costs):.2f} µs of CPU per message")
    for line in lines:
        line.transport.abort()
    await asyncio.sleep(0.5)


# --- the carrier ----------------------------------------------------------------------------------------------


class Line(asyncio.Protocol):
    """One stream. Its frames are masked with zeros, which is legal and costs nothing."""

    def __init__(self, number: int) -> None:
        self.transport: Any = None
        self.carrier = CarrierStream(f"MZ{number:032x}", f"CA{number:032x}", f"AC{0:032x}")
        self.open = False
        self.at = 0
        self.payload = os.urandom(160)

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self.transport = transport
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        transport.write(
            f"GET /media HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """The answer to the handshake; what the agent says is of no interest."""
        if not self.open:
            if not data.startswith(b"HTTP/1.1 101 "):
                raise SystemExit(f"the server answered {data[:200]!r}")
            self.open = True
            self.transport.write(frame(self.carrier.connected()) + frame(self.carrier.start({})))

    def send(self) -> None:
        """The next 20 ms."""
        if self.open:
            self.transport.write(self.next())

    def next(self) -> bytes:
        """The message of the next 20 ms."""
        self.at += 20
        return frame(self.carrier.media(self.payload, self.at))


def frame(text: str) -> bytes:
    """A text frame of a client."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


async def send(port: int, streams: int) -> None:
    """Speak on so many lines, each at a moment of its own."""
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(partial(Line, number), "127.0.0.1", port))[1] for number in range(streams)]
    began, sent = loop.time(), 0
    while True:
        due = int((loop.time() - began) / INTERVAL * streams)
        while sent < due:
            lines[sent % streams].send()
            sent += 1
        await asyncio.sleep(INTERVAL / streams)


def main() -> None:
    """Measure, or be the carrier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--profile", metavar="FILE")
    parser.add_argument("--receive", action="store_true")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--send", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        aiohttp_socket.prompt = lambda: False  # type: ignore[assignment]
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(options.send, options.streams) if options.send else serve(options))


if __name__ == "__main__":
    main()
