"""What the audio functions cost, in CPU time of this process.

    python benchmarks/audio.py [--json]

Microseconds per 20 ms of one line's audio (160 samples), unless the name says otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from time import process_time

import numpy as np

from voiceloop import Call, Pipeline, Processor, Runtime, SileroVAD
from voiceloop.audio import levels, mulaw
from voiceloop.audio.resample import Resampler, resample, to_int16
from voiceloop.errors import MissingExtra
from voiceloop.frames import CallerAudio
from voiceloop.sim.loop import run_virtual
from voiceloop.vad.detector import SpeechDetector
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.silero import SileroModel


def microseconds(run: Callable[[], object], rounds: int = 5, least: float = 0.05) -> float:
    """CPU time of one run: the best of some rounds, each long enough to be measured."""
    count = 1
    while True:
        begun = process_time()
        for _ in range(count):
            run()
        spent = process_time() - begun
        if spent >= least:
            break
        count *= 2
    best = spent
    for _ in range(rounds - 1):
        begun = process_time()
        for _ in range(count):
            run()
        best = min(best, process_time() - begun)
    return best / count * 1e6


class Mouth(Processor):
    """The head of a pipeline."""


async def in_calls(count: int, level: float, seconds: float = 2.0) -> float:
    """What a window costs in so many calls that hear noise of a level, dBFS: all that their stage of voice activity
    does with 1.6 messages of 20 ms, the tick, and the model. The best of some rounds."""
    random = np.random.default_rng(1)
    audio = mulaw.encode(to_int16(random.normal(0, 10 ** (level / 20), 8000).astype(np.float32)))
    pieces = [audio[at : at + 160] for at in range(0, len(audio), 160)]
    mouths = [Mouth() for _ in range(count)]
    tasks = []
    for mouth in mouths:
        call = Call(mouth, id="CA1", runtime=Runtime())
        tasks.append((call, asyncio.ensure_future(Pipeline([mouth, SileroVAD()]).run(call))))
    await asyncio.sleep(0.05)
    at = [0.0] * count
    for number, mouth in enumerate(mouths):  # their windows end at different times
        begin = audio[: number * 97 % 256]
        mouth.push(CallerAudio(begin, 0.0))
        at[number] = len(begin) / 8000
    best = float("inf")
    for _ in range(5):
        begun = process_time()
        for step in range(round(seconds / 0.01)):
            for number in range(step % 2, count, 2) if count > 1 else range(1 - step % 2):
                mouths[number].push(CallerAudio(pieces[(step // 2 + number) % 50], at[number]))
                at[number] += 0.02
            await asyncio.sleep(0.01)
        best = min(best, process_time() - begun)
    for call, _ in tasks:
        call.end("completed")
    await asyncio.gather(*(task for _, task in tasks))
    return best / (count * seconds * 8000 / 256) * 1e6


def measure() -> dict[str, float]:
    random = np.random.default_rng(1)
    samples = to_int16(random.normal(0, 0.05, 256).astype(np.float32))
    frame, window = mulaw.encode(samples[:160]), mulaw.encode(samples)
    decoded = mulaw.decode(frame)
    energy, detector, position = EnergyModel().new_line(), SpeechDetector(), iter(range(0, 1 << 60, 160))
    result = {
        "decode": microseconds(lambda: mulaw.decode(frame)),
        "encode": microseconds(lambda: mulaw.encode(decoded)),
        "level": microseconds(lambda: levels.level(frame)),
        "energy": microseconds(lambda: energy.probability(frame)),
        "detector": microseconds(lambda: detector.feed(0.1, next(position), 160)),
    }
    try:
        model = SileroModel()
        line = model.new_line()
        result["silero per window of 32 ms"] = microseconds(lambda: line.probability(window))
        quiet = model.new_line()
        result["silero per window of a silent line"] = microseconds(lambda: quiet.probability(b"\xff" * 256))
        for count in (8, 32, 64, 128):
            lines, windows = [model.new_line() for _ in range(count)], [window] * count
            cost = microseconds(lambda ls=lines, ws=windows: model.probabilities(ls, ws))  # type: ignore[misc]
            result[f"silero per window, {count} lines at once"] = cost / count
        for count in (1, 10, 64, 128, 200):
            for name, level in (("", -60.0), (", silent", -200.0)):
                cost = run_virtual(in_calls(count, level))
                result[f"silero per window, all of it in {count} calls{name}"] = cost
    except MissingExtra as error:
        print(error)
    for src, dst in [(8000, 16000), (16000, 8000), (22050, 8000), (24000, 8000), (44100, 8000), (48000, 8000)]:
        x = random.normal(0, 0.1, src * 4).astype(np.float32)
        cost = microseconds(lambda a=x, s=src, d=dst: resample(a, s, d))  # type: ignore[misc]
        result[f"resample {src} to {dst} per second of audio"] = cost / 4
        stream, piece = Resampler(src, dst), x[: src // 50]
        result[f"resample {src} to {dst} streaming"] = microseconds(lambda s=stream, p=piece: s.push(p))  # type: ignore[misc]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--smoke", action="store_true", help="accepted like everywhere; it takes a few seconds anyway")
    arguments = parser.parse_args()
    result = measure()
    if arguments.json:
        print(json.dumps({"unit": "microseconds of CPU", **{name: round(cost, 3) for name, cost in result.items()}}))
        return
    for name, cost in result.items():
        print(f"{cost:10.2f} us  {name}")


if __name__ == "__main__":
    main()
