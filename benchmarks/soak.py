"""Thousands of calls in one process with the garbage collector off: is anything left of them?

Virtual time, one server for all calls, 20 at once. In each the connection is cut at a random byte, in one direction
or the other; one provider in 50 stalls for good. What must hold: one report for each call, no live call, no task, no
descriptor more than before, and memory that does not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import re
import resource
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.line_frames import TEXT, client_frame
from voiceloop.sim.loop import VirtualLoop, run_virtual, settle
from voiceloop.sim.serving import serving
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.twilio.carrier_protocol import CarrierStream
from voiceloop.twilio.media import media_app

AT_ONCE = 20
SAID = ("what do you have", "a latte please", "thank you")
MENU = "We have coffee, latte, mocha and tea. Anything else?"
_MARK = re.compile(rb'"mark":\{"name":"([^"]+)"')
ONE_IN = 50
SLOPE = 0.05
"""By how much memory may grow over the second half of the calls."""


P = TypeVar("P")


class Calls:
    """The bot, and what it leaves."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(f"soak {seed}")
        self.lexicon = Lexicon()
        self.made: weakref.WeakSet[Call] = weakref.WeakSet()
        self.taken_on = 0
        """Calls that began; of the others the connection broke before the stream had started."""
        self.reports: dict[str, int] = {}
        self.reasons: dict[str, int] = {}
        self.stalling = [Failing(how, after=after) for how in ("stall", "deaf") for after in range(3)]
        self.stalled = 0
        lexicon = self.lexicon
        # Built once, as providers are: the sound ones first.
        self._stt = [ScriptedSTT(lexicon, failing=each) for each in (None, *self.stalling)]
        self._llm = [ScriptedLLM([MENU], rate=30, failing=each) for each in (None, *self.stalling)]
        self._tts = [ScriptedTTS(lexicon, failing=each) for each in (None, *self.stalling)]

    def bot(self, call: Call) -> Pipeline:
        """One provider in 50 stalls."""
        stt, llm, tts = self._one(self._stt), self._one(self._llm), self._one(self._tts)
        turns = TurnTaking("Hello, how can I help?")
        return Pipeline([call.transport, EnergyVAD(), stt, turns, LLMAggregator(llm), tts, AudioStreamer()])

    def _one(self, providers: Sequence[P]) -> P:
        if self.draw.random() >= 1 / ONE_IN:
            return providers[0]
        self.stalled += 1
        return self.draw.choice(providers[1:])

    def forget_requests(self) -> None:
        """A scripted model remembers all it was asked, for tests."""
        for llm in self._llm:
            llm.requests.clear()
            llm.offered.clear()

    def taken(self, call: Call) -> None:
        """A call begins."""
        self.made.add(call)
        self.taken_on += 1
        call.on_end(self.ended)

    def ended(self, report: CallReport) -> None:
        """It has ended."""
        self.reports[report.call_id] = self.reports.get(report.call_id, 0) + 1
        self.reasons[report.reason] = self.reasons.get(report.reason, 0) + 1


class RawCaller(asyncio.Protocol):
    """A media stream over a socket, by hand: nothing of it is left when the socket is gone.

    It speaks, echoes the marks that come, and breaks the connection when it has sent, or received, so many bytes.
    """

    def __init__(self, audio: bytes, number: int, draw: random.Random) -> None:
        self.over = asyncio.get_running_loop().create_future()
        sends = draw.random() < 0.5
        self._most_out = draw.randint(500, 200_000) if sends else 1 << 40
        self._most_in = 1 << 40 if sends else draw.randint(300, 60_000)
        self._audio = audio
        self._stream = CarrierStream(f"MZ{number:032x}", f"CA{number:032x}", f"AC{0:032x}")
        self._place = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Shake hands, and begin."""
        self._transport = transport
        lines = ["GET /media HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""]
        transport.write("\r\n".join(lines).encode())
        for text in (self._stream.connected(), self._stream.start(None)):
            self._send(text)
        self._speak()

    def _speak(self) -> None:
        size = 160
        block = self._audio[self._place : self._place + size] or b"\xff" * size
        self._send(self._stream.media(block.ljust(size, b"\xff"), self._place // 8))
        self._place += size
        if not self.over.done():
            self._timer = asyncio.get_running_loop().call_later(0.02, self._speak)

    def _send(self, text: str) -> None:
        frame = client_frame(TEXT, text.encode())
        if len(frame) > self._most_out:
            self._transport.write(frame[: self._most_out])
            self._transport.abort()
        self._most_out -= len(frame)
        if self._most_out >= 0 and not self._transport.is_closing():
            self._transport.write(frame)

    def data_received(self, data: bytes) -> None:
        """Echo marks."""
        self._most_in -= len(data)
        if self._most_in < 0:
            self._transport.abort()
            return
        for name in _MARK.findall(data):  # one that is torn is never echoed
            self._send(self._stream.mark(name.decode()))

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if self._timer is not None:
            self._timer.cancel()
        if not self.over.done():
            self.over.set_result(None)
        self._transport._read_ready_cb = None  # asyncio's transports are circles, too
        del self._transport, self._timer


async def one(calls: Calls, number: int, path: str) -> None:
    """A caller, until the connection is cut, or for a minute."""
    draw = random.Random(f"caller {number}")
    silence = b"\xff" * 8000 * draw.randint(3, 6)
    said = silence.join(
        calls.lexicon.speak(text)[0] for text in ("", "what do you have", "a latte please", "thank you")
    )
    loop = asyncio.get_running_loop()
    transport, caller = await loop.create_unix_connection(lambda: RawCaller(said, number, draw), path)
    try:
        async with asyncio.timeout(60):
            await caller.over
    except TimeoutError:
        transport.abort()
        await asyncio.sleep(0.1)


async def soak(count: int, seed: int) -> dict[str, Any]:
    """All of them; what is left."""
    calls = Calls(seed)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with Runtime() as runtime, serving(media_app(calls.bot, runtime, on_call=calls.taken)) as (_, connector):
        path = str(getattr(connector, "path"))  # noqa: B009  # of a connector to a socket in memory
        waiting = iter(range(count))
        memory: list[tuple[int, int]] = []
        tasks_before, files_before = len(loop.pending_tasks()), _files()

        async def callers() -> None:
            for number in waiting:
                await one(calls, number, path)
                calls.forget_requests()
                if number % 50 == 49:
                    memory.append((number, _memory()))

        await asyncio.gather(*(callers() for _ in range(AT_ONCE)))
        await asyncio.sleep(120)
        for failing in calls.stalling:
            failing.let_go()
        await settle()
        tasks, files = len(loop.pending_tasks()) - tasks_before, _files() - files_before
        await connector.close()
    return {
        "calls": count,
        "begun": calls.taken_on,
        "reports": len(calls.reports),
        "reported twice": sum(number > 1 for number in calls.reports.values()),
        "reasons": calls.reasons,
        "stalling providers": calls.stalled,
        "live calls left": len(calls.made),
        "tasks left": tasks,
        "descriptors left": files,
        "memory_mb": round(memory[-1][1] / 1e6, 1),
        "memory_growth_percent": round(100 * _growth(memory), 2),
    }


def _growth(memory: Sequence[tuple[int, int]]) -> float:
    """By how much memory grew over the second half, by a straight line through it, as a part of it."""
    half = memory[len(memory) // 2 :]
    if len(half) < 2:
        return 0.0
    xs, ys = [number for number, _ in half], [size for _, size in half]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    return slope * (xs[-1] - xs[0]) / mean_y


def _files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _memory() -> int:
    """Bytes that are resident."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="few calls")
    options.add_argument("--calls", type=int, default=3000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    count = 200 if chosen.smoke else chosen.calls
    gc.collect()
    gc.disable()
    before = _cpu()
    result = run_virtual(soak(count, chosen.seed), max_time=None, strict=True)
    result["cpu_seconds"] = round(_cpu() - before, 1)
    if chosen.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>22}: {value}")
    left = result["live calls left"] or result["tasks left"] or result["descriptors left"]
    few = result["calls"] < 1000  # too few to say how memory grows
    fine = result["reports"] == result["begun"] and not result["reported twice"] and not left
    return 0 if fine and (few or result["memory_growth_percent"] < 100 * SLOPE) else 1


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
