"""The callers of ``calls.py``, hundreds in one process: reads a scenario as JSON from standard input, prints results.

A line ``{"phase": "measuring"}`` says that all callers are there and settled; the last line has what they noted from
then on.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from calls_caller import PACKET, Caller, Line, Notes, Script, Speech
from calls_mocks import ANSWER, MARK, WORD_SECONDS

_PARAMETER: Final = re.compile(r'<Parameter name="([^"]*)" value="([^"]*)"')
SLOTS: Final = 20
"""Of 1 ms: when in each 20 ms a caller's packet is sent."""


@dataclass(slots=True)
class Scenario:
    """What a run is."""

    port: int
    calls: int
    speech: str
    """A file that `calls_speech` has made."""
    core: int | None = None
    """The one this process runs on."""
    rate: float = 30.0
    """New calls a second at the begin."""
    settle: float = 5.0
    """Seconds from the last call's begin until it counts."""
    seconds: float = 30.0
    """That count."""
    barge_in: float = 0.0
    length: float | None = None
    """Seconds of a call; then the line dials again. None: no call ends."""
    spread: float = 10.0
    """Lengths differ by so many percent, so that lines do not dial together."""
    burst: int = 0
    """Calls that begin within one second in the middle of the run."""
    webhook: bool = False
    """Whether each call asks ``POST /voice`` first, as Twilio does, and goes away when no stream is wanted."""


class Refused(Exception):
    """The server wants no stream of this call."""


class Load:
    """All lines."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.notes = Notes()
        self.burst = Notes()
        self.lateness: list[float] = []
        self._number = 0
        self._speech = load_speech(scenario.speech)
        self._slots: list[list[Line]] = [[] for _ in range(SLOTS)]
        self._lines = 0
        self._dialling: set[asyncio.Task[None]] = set()

    async def run(self) -> dict[str, Any]:
        """The whole scenario."""
        scenario = self.scenario
        loop = asyncio.get_running_loop()
        ticking = loop.create_task(self._tick())
        for _ in range(scenario.calls):
            self._add(scenario.length, self.notes)
            await asyncio.sleep(1 / scenario.rate)
        await asyncio.sleep(scenario.settle)
        for caller in self._callers():
            caller.notes = self._fresh()
        self.lateness.clear()
        say(phase="measuring")
        if scenario.burst:
            await asyncio.sleep(scenario.seconds / 3)
            for _ in range(scenario.burst):
                self._add(None, self.burst)
                await asyncio.sleep(1 / scenario.burst)
            say(phase="burst")
            await asyncio.sleep(scenario.seconds * 2 / 3)
        else:
            await asyncio.sleep(scenario.seconds)
        ticking.cancel()
        return self._results()

    def _fresh(self) -> Notes:
        if not self.lateness and self.notes.calls:
            self.notes = Notes()
        return self.notes

    def _callers(self) -> list[Caller]:
        return [line.caller for slot in self._slots for line in slot if line.caller is not None]

    def _add(self, length: float | None, notes: Notes) -> None:
        # Neighbours in time are not neighbours in phase: 7 and 20 have no common divisor.
        line = Line(self._lines * 7 % SLOTS)
        self._lines += 1
        self._slots[line.slot].append(line)
        self._dial(line, length, notes)

    def _dial(self, line: Line, length: float | None, notes: Notes) -> None:
        self._number += 1
        script = Script(round(len(ANSWER.split()) * WORD_SECONDS * 8000), self.scenario.barge_in)
        host = f"127.0.0.1:{self.scenario.port}"
        caller = line.caller = Caller(self._number, self._speech, script, notes, host)
        if length is not None:
            script.length = length * (1 + self.scenario.spread / 100 * caller.draw.uniform(-1, 1))
        task = asyncio.get_running_loop().create_task(self._connect(caller))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _connect(self, caller: Caller) -> None:
        port = self.scenario.port
        try:
            if self.scenario.webhook:
                caller.parameters = await ask(port, caller.call_sid)
            await asyncio.get_running_loop().create_connection(lambda: caller, "127.0.0.1", port)
        except (OSError, Refused):
            caller.notes.refused += 1
            caller.over = True

    async def _tick(self) -> None:
        """Every millisecond the callers of one slot send a packet; what is late is made up for at once."""
        loop = asyncio.get_running_loop()
        step = PACKET / SLOTS
        due, slot = loop.time(), 0
        while True:
            now = loop.time()
            if now < due:
                await asyncio.sleep(max(step, due - now))  # the loop's clock has steps of 1 ms: less would spin
                continue
            if self._slots[slot]:
                self.lateness.append(now - due)
            for line in self._slots[slot]:
                caller = line.caller
                if caller is None:
                    continue
                caller.tick(now)
                if caller.over and self.scenario.length is not None:
                    self._dial(line, self.scenario.length, caller.notes)
            slot = (slot + 1) % SLOTS
            due += step

    def _results(self) -> dict[str, Any]:
        notes = asdict(self.notes)
        notes["lateness"] = percentiles(self.lateness)
        notes["on_line"] = sum(not caller.over for caller in self._callers())
        if self.scenario.burst:
            notes["burst"] = asdict(self.burst)
        return notes


async def ask(port: int, call_sid: str) -> dict[str, str]:
    """What Twilio asks when somebody calls. Returns the stream's parameters.

    Raises:
        Refused: the answer is another one than to open a stream.
    """
    fields = {"CallSid": call_sid, "AccountSid": f"AC{0:032x}", "From": "+15005550006", "To": "+15005550007"}
    body = urlencode({**fields, "CallStatus": "ringing", "Direction": "inbound", "ApiVersion": "2010-04-01"})
    head = ["POST /voice HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    head += ["Content-Type: application/x-www-form-urlencoded", "", body]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join(head).encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    if "<Stream" not in answer:
        raise Refused
    return dict(_PARAMETER.findall(answer))


def percentiles(values: list[float]) -> dict[str, float]:
    """In milliseconds."""
    if not values:
        return {}
    marks = np.percentile(np.array(values) * 1000, [50, 95, 99, 100])
    return dict(zip(("p50", "p95", "p99", "max"), (round(float(mark), 1) for mark in marks), strict=True))


def load_speech(path: str) -> Speech:
    """Packets of a file of `calls_speech`, as base64."""
    with np.load(path) as file:
        lengths = file["lengths"]
        audio = file["audio"].tobytes()
        noise = file["noise"].tobytes()
    ends = np.cumsum(lengths)
    utterances = [packets(audio[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
    return Speech(utterances, packets(noise), b64encode(MARK))


def packets(audio: bytes) -> list[bytes]:
    """Of 20 ms, the last one filled up with silence."""
    pieces = (audio[at : at + 160].ljust(160, b"\xff") for at in range(0, len(audio), 160))
    return [b64encode(piece) for piece in pieces]


def say(**what: Any) -> None:
    """A line for whoever has started this process."""
    print(json.dumps(what), flush=True)


async def play(scenario: Scenario) -> None:
    """Run it, and stay on the line until somebody has looked at the server."""
    say(phase="done", **await Load(scenario).run())
    await asyncio.to_thread(sys.stdin.readline)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Of the fastest loop there is."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop
    return new_event_loop


def main() -> None:
    """Run one scenario."""
    scenario = Scenario(**json.loads(sys.stdin.readline()))
    if scenario.core is not None:
        os.sched_setaffinity(0, {scenario.core})
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(play(scenario))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
