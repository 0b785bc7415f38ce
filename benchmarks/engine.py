"""What the engine costs: CPU time per frame and hop, per call set up, and tasks of an idle call.

    python benchmarks/engine.py            a table
    python benchmarks/engine.py --json     the same as JSON
    python benchmarks/engine.py --smoke    a short run that only shows that it works

Each figure is the median of several rounds, each the CPU time of this process (not the time on the wall) divided by
how often the thing was done. Exit status 1 when a figure misses its floor (never with ``--smoke``).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from media import stages  # type: ignore[import-not-found, unused-ignore]

from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Text
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.stream import Stream

HOPS = 8
ROUNDS = 9


class Head(Processor):
    """Pushes, handles nothing."""


class Ear(Processor):
    """A trivial plain handler of a signal."""

    def on_caller_audio(self, audio: CallerAudio) -> None:
        pass


class Relay(Processor):
    """A trivial plain handler of content: it pushes what it got."""

    def on_text(self, text: Text) -> None:
        self.push(text)


class Task(Processor):
    """A trivial async handler of content: a task for each frame."""

    async def on_text(self, text: Text) -> None:
        pass


class Voice(Processor):
    """A stream handler: one task for all frames of an answer."""

    async def on_text(self, text: Stream[Text]) -> None:
        async for _ in text:
            pass


@dataclass(frozen=True)
class Figure:
    """One measurement."""

    name: str
    value: float
    unit: str
    floor: float
    """What it must not exceed."""

    @property
    def met(self) -> bool:
        """Whether it is within its floor."""
        return self.value <= self.floor


def median(rounds: int, measure: Callable[[], float]) -> float:
    """The median of several rounds, the garbage collector being off."""
    values = []
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        try:
            values.append(measure())
        finally:
            gc.enable()
    return statistics.median(values)


async def in_call(stages: list[Processor], measure: Callable[[Call], Awaitable[float]]) -> float:
    """Run a measurement inside a call through these stages."""
    call = Call(stages[0])
    task = asyncio.create_task(Pipeline(stages).run(call))
    await turn(5)
    try:
        return await measure(call)
    finally:
        call.end()
        await task


async def turn(passes: int) -> None:
    """Let the event loop turn."""
    for _ in range(passes):
        await asyncio.sleep(0)


async def signal_hop(stage: type[Processor], count: int, rounds: int) -> float:
    """Seconds per hop of a signal, of which each processor has, or has not, a plain handler."""
    head = Head()

    async def measure(call: Call) -> float:
        frame = CallerAudio(bytes(160), 0.0)

        def once() -> float:
            began = time.process_time()
            for _ in range(count):
                head.push(frame)
            return (time.process_time() - began) / count / HOPS

        return median(rounds, once)

    return await in_call([head, *(stage() for _ in range(HOPS))], measure)


async def content_hop(stage: type[Processor], count: int, rounds: int) -> float:
    """Seconds per hop of content that each processor takes and pushes on, or has no handler for."""
    head = Head()

    async def measure(call: Call) -> float:
        frame = Text(call.open_answer(), "word ")

        def once() -> float:
            began = time.process_time()
            for _ in range(count):
                head.push(frame)
            return (time.process_time() - began) / count / HOPS

        return median(rounds, once)

    return await in_call([head, *(stage() for _ in range(HOPS))], measure)


async def async_hop(stage: type[Processor], count: int, rounds: int) -> float:
    """Seconds per frame of content through a processor with an async handler, without what turning the loop costs."""
    head = Head()

    async def idle() -> float:
        began = time.process_time()
        for _ in range(count):
            await turn(2)
        return (time.process_time() - began) / count

    async def busy(answer: Answer) -> float:
        frame = Text(answer, "word ")
        began = time.process_time()
        for _ in range(count):
            head.push(frame)
            await turn(2)
        return (time.process_time() - began) / count

    async def measure(call: Call) -> float:
        answer = call.open_answer()
        return statistics.median([await busy(answer) - await idle() for _ in range(rounds)])

    return await in_call([head, stage()], measure)


async def set_up(count: int, rounds: int) -> float:
    """Seconds of CPU from nothing to a running call of eight processors, and its end; the first calls not counted."""

    async def call() -> None:
        stages: list[Processor] = [Head(), Ear(), Ear(), Relay(), Task(), Voice(), Relay(), Ear()]
        await in_call(stages, _nothing)

    for _ in range(3):
        await call()
    values = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(count):
            await call()
        values.append((time.process_time() - began) / count)
    return statistics.median(values)


async def _nothing(call: Call) -> float:
    return 0.0


async def idle_tasks() -> float:
    """Tasks on the loop for one idle call, its own run included."""
    counted = 0.0

    async def count(call: Call) -> float:
        return float(len(asyncio.all_tasks()) - 1)

    counted = await in_call([Head(), Ear(), Relay(), Task(), Voice(), Relay(), Ear(), Ear()], count)
    return counted


async def media_message(rounds: int) -> float:
    """Seconds from the JSON text of a media message to the detector and the recogniser's buffer, models aside."""
    pipeline, once = stages()

    async def measure(call: Call) -> float:
        await asyncio.sleep(0.05)  # the detector's model is loaded off the loop
        return median(rounds, once)

    return await in_call(pipeline, measure)


async def measure_all(*, smoke: bool) -> list[Figure]:
    """Every figure."""
    rounds = 3 if smoke else ROUNDS
    many, few = (500, 200) if smoke else (20_000, 5_000)
    micro = 1e6
    return [
        Figure("handled hop, signal", await signal_hop(Ear, many, rounds) * micro, "µs", 0.5),
        Figure("handled hop, content", await content_hop(Relay, few, rounds) * micro, "µs", 0.5),
        Figure("uninterested hop, signal", await signal_hop(Head, many, rounds) * micro, "µs", 0.1),
        Figure("uninterested hop, content", await content_hop(Head, many, rounds) * micro, "µs", 0.1),
        Figure("async hop, task per frame", await async_hop(Task, few, rounds) * micro, "µs", 10.0),
        Figure("async hop, stream", await async_hop(Voice, few, rounds) * micro, "µs", 10.0),
        Figure("call of 8 processors, begin and end", await set_up(20 if smoke else 200, rounds) * micro, "µs", 500.0),
        Figure("media message to detector and buffer", await media_message(rounds) * micro, "µs", 10.0),
        Figure("tasks per idle call", await idle_tasks(), "", 1.0),
    ]


def main() -> int:
    """Measure, print, and say by the exit status whether every floor was reached."""
    parser = argparse.ArgumentParser(description="CPU time of the engine.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--smoke", action="store_true", help="a short run whose figures mean little")
    options = parser.parse_args()
    figures = asyncio.run(measure_all(smoke=options.smoke))
    if options.json:
        print(json.dumps([{**asdict(figure), "met": figure.met} for figure in figures], indent=2, ensure_ascii=False))
    else:
        for figure in figures:
            verdict = "" if figure.met else "  MISSED"
            print(f"{figure.name:38} {figure.value:8.3f} {figure.unit:2}  (at most {figure.floor:g}){verdict}")
    return 0 if options.smoke or all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
