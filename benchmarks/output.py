"""What an answer's voice costs on its way to the carrier: CPU time, messages and wake-ups per second of it.

    python benchmarks/output.py            a table
    python benchmarks/output.py --json     the same as JSON
    python benchmarks/output.py --smoke    a short run that only shows that it works

One call in virtual time: answers of three sentences of 3 s, and a carrier of a few lines that echoes each mark when it
was played, 60 ms away each way. CPU time of this process, that of the loop and of the carrier's lines with it; the
median of several rounds. Messages are those that `AudioStreamer` hands to the transport, before they are written.
Exit status 1 when a figure misses its floor (never with ``--smoke``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from voiceloop import AudioStreamer, Call, Pipeline, Runtime
from voiceloop.frames import Audio, MarkEcho, Word
from voiceloop.processor import Processor
from voiceloop.sim.loop import run_virtual

RATE: Final = 8000
ONE_WAY: Final = 0.06
FRAME: Final = 0.02
WORD: Final = 0.3
ROUNDS: Final = 7
SENTENCES: Final = (
    "Good morning and welcome to the Corner Coffee house today.",
    "We have fresh cakes and nine kinds of good tea.",
    "Would you like to order now or hear more first?",
)
SOUND: Final = (random.Random(1).randbytes(2000) + b"\xff" * 400) * 10
"""A sentence of ten words, with a short pause behind each."""


@dataclass(frozen=True)
class Cost:
    """Of one kind of voice, per second of it."""

    name: str
    cpu: float
    """Microseconds."""
    media: float
    """Messages with audio."""
    marks: float
    """Messages with a mark; as many come back."""
    writes: float
    """Times at which messages were handed over: what is handed over at once can be written at once."""
    margin: float
    """Seconds of audio that the carrier had to play at least when more was sent."""
    floor: float
    """Microseconds that must not be exceeded."""

    @property
    def met(self) -> bool:
        """Whether it is within its floor, and a stall of 0.5 s would not be heard."""
        return self.cpu <= self.floor and self.margin > 0.55


class Line(Processor):
    """The head of the pipeline, and the carrier behind it."""

    def __init__(self) -> None:
        self.size = self.media = self.marks = 0
        self.times: set[float] = set()
        self._head = 0.0
        self._sequence = 0

    def send_media(self, payload: bytes) -> None:
        """Play audio."""
        now = self.call.now
        self.media += 1
        self.size += len(payload)
        self.times.add(now)
        self._head = max(self._head, now + ONE_WAY) + len(payload) / RATE

    def send_mark(self, name: str) -> None:
        """Echo a mark behind the audio, at the next frame."""
        now = self.call.now
        self.marks += 1
        self.times.add(now)
        at = (int(max(self._head, now + ONE_WAY) / FRAME) + 1) * FRAME
        asyncio.get_running_loop().call_at(at + ONE_WAY, self._echo, name)

    def send_clear(self) -> None:
        """Nobody interrupts here."""

    def _echo(self, name: str) -> None:
        if self._engine is not None:
            self.call.wake("in")
            self._sequence += 7
            self.push(MarkEcho(name, self._sequence, self.call.now))


class Agent(Processor):
    """Model and voice: speaks answers, one after the other."""

    async def speak(self, answers: int, *, timed: bool, piece: float) -> None:
        """Say so many answers; `piece`: seconds of audio that come at once, 10 ms apart."""
        for _ in range(answers):
            answer, begun = self.begin_answer(), 0.0
            for sentence in SENTENCES:
                self.write(answer, f"{sentence} ")
                for audio, words in _pieces(sentence, begun, piece):
                    self.push(Audio(answer, audio, words if timed else ()))
                    await asyncio.sleep(0.01)
                begun += WORD * 10
            self.finish_answer(answer)
            await asyncio.sleep(len(SENTENCES) * WORD * 10 + 1.0)
            if answer.playing or answer.outcome != "complete":
                raise RuntimeError(f"expected {answer} to be over")


def _pieces(sentence: str, begun: float, piece: float) -> Iterator[tuple[bytes, tuple[Word, ...]]]:
    words = [Word(text, n * WORD, n * WORD + 0.25) for n, text in enumerate(sentence.split())]
    step = round(piece * RATE)
    for start in range(0, len(SOUND), step):
        some = [word for word in words if start <= round(word.start * RATE) < start + step]
        moved = tuple(Word(word.text, word.start + begun, word.end + begun) for word in some)
        yield SOUND[start : start + step], moved


async def _call(answers: int, *, timed: bool, piece: float) -> tuple[float, Line, float]:
    line, agent, runtime = Line(), Agent(), Runtime()
    call, margin = Call(line, runtime=runtime), 1.0
    running = asyncio.create_task(Pipeline([line, agent, AudioStreamer()]).run(call))
    await asyncio.sleep(0.1)
    before = time.process_time()
    for _ in range(answers):
        await agent.speak(1, timed=timed, piece=piece)
        margin = min(margin, runtime.pacing.worst_margin(call.now))
    cpu = time.process_time() - before
    call.end()
    report = await running
    if report.faults or [each.text for each in report.conversation] != [" ".join(SENTENCES)] * answers:
        raise RuntimeError(f"expected every answer to be heard whole, got {report.conversation} and {report.faults}")
    return cpu, line, margin


def measure(name: str, *, timed: bool, piece: float, floor: float, smoke: bool) -> Cost:
    """One kind of voice."""
    rounds, answers = (1, 2) if smoke else (ROUNDS, 20)
    runs = [run_virtual(_call(answers, timed=timed, piece=piece)) for _ in range(rounds)]
    _, line, margin = runs[0]
    seconds = line.size / RATE
    cpu = statistics.median(each for each, _, _ in runs) / seconds * 1e6
    return Cost(name, cpu, line.media / seconds, line.marks / seconds, len(line.times) / seconds, margin, floor)


def main() -> int:
    """Measure, print, and say by the exit status whether every floor was reached."""
    parser = argparse.ArgumentParser(description="CPU time and messages of an answer's voice.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--smoke", action="store_true", help="a short run whose figures mean little")
    smoke = parser.parse_args().smoke
    costs = [
        measure("word times, a sentence at once", timed=True, piece=3.0, floor=500.0, smoke=smoke),
        measure("word times, pieces of 0.1 s", timed=True, piece=0.1, floor=800.0, smoke=smoke),
        measure("no word times, a sentence at once", timed=False, piece=3.0, floor=1000.0, smoke=smoke),
        measure("no word times, pieces of 0.1 s", timed=False, piece=0.1, floor=1000.0, smoke=smoke),
    ]
    if parser.parse_args().json:
        print(json.dumps([{**asdict(cost), "met": cost.met} for cost in costs], indent=2))
    else:
        print(f"{'per second of voice':36} {'CPU':>8} {'media':>7} {'marks':>7} {'writes':>7} {'margin':>8}")
        for cost in costs:
            verdict = "" if cost.met else "  MISSED"
            row = f"{cost.name:36} {cost.cpu:5.0f} µs {cost.media:7.1f} {cost.marks:7.1f} {cost.writes:7.1f}"
            print(f"{row} {cost.margin * 1000:5.0f} ms{verdict}")
    return 0 if smoke or all(cost.met for cost in costs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
