"""What the embedded models cost on this machine: ``python benchmarks/models.py [--json] [--speech DIR]``.

Measured on one thread each: loading, word errors and CPU time of the recogniser over recordings sent through the phone
channel (8 kHz mu-law), first sound of the voice, first token and speed of the language model, and the longest time the
event loop was held while all three worked at once.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import resource
import statistics
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np

from voiceloop.audio import mulaw, resample
from voiceloop.conversation import Message
from voiceloop.llm.base import Usage
from voiceloop.llm.llamacpp import LlamaCpp
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tts.hibari import Hibari

SENTENCES = (
    "Thank you for calling Corner Coffee, how can I help you today?",
    "We are open from 8 am to 6 pm on weekdays, and from nine to five on weekends.",
    "A twelve ounce latte is $3.50. Would you like anything else with that?",
    "Great, your order will be ready in about ten minutes. See you soon!",
)
INSTRUCTIONS = (
    "You are the receptionist of Corner Coffee, a small cafe. Answer in one short sentence. We are open from eight to "
    "six on weekdays and from nine to five on weekends. A latte is three dollars fifty, a drip coffee two dollars. We "
    "are at 12 Harbour Street, next to the library. There is no parking; bicycles are welcome. We take no reservations."
)
QUESTIONS = ("Hello, are you open?", "How much is a latte?", "Where are you?", "Thank you, goodbye.")

SPELT = {"mr": "mister", "metres": "meters", "dont": "do not", "30": "thirty", "pm": "p m", "oh": "zero"}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def words_of(text: str) -> list[str]:
    """Words in one spelling: numerals digit by digit, so that "10001" equals "one zero zero zero one"."""
    words: list[str] = []
    for word in re.sub(r"[^a-z0-9' ]", " ", text.lower()).split():
        word = SPELT.get(word, word)
        spelt = " ".join(DIGITS[int(digit)] for digit in word) if word.isdigit() else word
        words += spelt.split()
    return words


def word_errors(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, insertions and deletions."""
    row = list(range(len(heard) + 1))
    for at, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], at
        for column, word in enumerate(heard, 1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (expected != word)),
            )
    return row[-1]


def on_the_phone(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return mulaw.encode(resample.resample_int16(samples, file.getframerate(), 8000))


async def loading(load: Callable[[], Awaitable[None]]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    await load()
    return {"load_s": time.perf_counter() - wall, "load_cpu_s": time.process_time() - cpu}


async def audio_of(data: bytes) -> AsyncIterator[bytes | Flush]:
    yield data
    yield Flush()


async def measure_stt(stt: Moonshine, folder: Path) -> dict[str, Any]:
    errors = total = files = 0
    seconds = cpu = 0.0
    waits: list[float] = []
    with (folder / "manifest.tsv").open(newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t"))
    for row in rows:
        data = on_the_phone(folder / row["file"])
        begun, begun_cpu, text = time.perf_counter(), time.process_time(), ""
        async for item in stt.transcribe(audio_of(data)):
            if isinstance(item, Transcript):
                text = item.text
            else:
                waits.append(time.perf_counter() - begun)
        cpu += time.process_time() - begun_cpu
        reference = words_of(row["transcript"])
        errors += word_errors(reference, words_of(text))
        total += len(reference)
        seconds += len(data) / 8000
        files += 1
    return {
        "files": files,
        "audio_s": seconds,
        "wer": errors / total,
        "cpu_rtf": cpu / seconds,
        "flush_to_text_median_s": statistics.median(waits),
        "flush_to_text_p90_s": statistics.quantiles(waits, n=10)[-1],
    }


async def written(text: str) -> AsyncIterator[str]:
    for word in text.split():
        yield word + " "


async def measure_tts(tts: Hibari) -> dict[str, float]:
    firsts: list[float] = []
    spoken = cpu = 0.0
    for sentence in SENTENCES * 3:
        begun, begun_cpu, first = time.perf_counter(), time.process_time(), 0.0
        async for speech in tts.generate(written(sentence)):
            first = first or time.perf_counter() - begun
            spoken += len(speech.audio) / 8000
        cpu += time.process_time() - begun_cpu
        firsts.append(first)
    return {
        "first_audio_median_s": statistics.median(firsts),
        "first_audio_max_s": max(firsts),
        "cpu_rtf": cpu / spoken,
    }


async def measure_llm(llm: LlamaCpp) -> dict[str, float]:
    firsts: list[float] = []
    tokens, writing = 0, 0.0
    messages = [Message("system", INSTRUCTIONS)]
    for question in QUESTIONS:
        messages.append(Message("user", question))
        begun, first, answer = time.perf_counter(), 0.0, ""
        async for item in llm.respond(messages):
            first = first or time.perf_counter() - begun
            if isinstance(item, Usage):
                tokens += item.output_tokens
            else:
                answer += item
        firsts.append(first)
        writing += time.perf_counter() - begun - first
        messages.append(Message("assistant", answer))
    begun = time.perf_counter()
    async with aclosing(llm.respond(messages)) as unfinished:
        await anext(unfinished)
        begun = time.perf_counter()
    closed = time.perf_counter() - begun
    return {
        "first_token_median_s": statistics.median(firsts),
        "first_token_max_s": max(firsts),
        "tokens_per_s": tokens / writing,
        "close_s": closed,
    }


async def measure_gap(stt: Moonshine, tts: Hibari, llm: LlamaCpp, data: bytes, seconds: float) -> dict[str, float]:
    """How late a task that wakes every millisecond is while all three models work without a pause."""
    end = time.perf_counter() + seconds

    async def listen() -> None:
        while time.perf_counter() < end:
            async for _ in stt.transcribe(audio_of(data)):
                pass

    async def speak() -> None:
        while time.perf_counter() < end:
            async for _ in tts.generate(written(SENTENCES[1])):
                pass

    async def answer() -> None:
        while time.perf_counter() < end:
            async with aclosing(llm.respond([Message("system", INSTRUCTIONS), Message("user", "Hello?")])) as answer:
                async for _ in answer:
                    pass

    async def gaps(work: Sequence[Callable[[], Awaitable[None]]]) -> list[float]:
        late: list[float] = []
        tasks = [asyncio.ensure_future(each()) for each in work]
        while time.perf_counter() < end:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - begun - 0.001)
        await asyncio.gather(*tasks)
        return late

    late = await gaps((listen, speak, answer))
    end = time.perf_counter() + 1.0
    idle = await gaps(())
    return {
        "max_ms": max(late) * 1000,
        "p99_ms": statistics.quantiles(late, n=100)[-1] * 1000,
        "median_ms": statistics.median(late) * 1000,
        "idle_max_ms": max(idle) * 1000,
    }


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    stt, tts, llm = Moonshine(), Hibari(), LlamaCpp()
    report: dict[str, Any] = {
        "stt": await loading(stt.warm),
        "tts": await loading(tts.warm),
        "llm": await loading(llm.warm),
    }
    report["llm"]["prepare_s"] = (await loading(lambda: llm.prepare([Message("system", INSTRUCTIONS)])))["load_s"]
    data = mulaw.encode(np.zeros(8000, np.int16))
    files = sorted(folder.glob("*.wav"), key=lambda path: path.stat().st_size)  # noqa: ASYNC240
    if files:
        report["stt"] |= await measure_stt(stt, folder)
        data = on_the_phone(files[-1])
    else:
        print(f"no recordings at {folder}: the recogniser is not scored", file=sys.stderr)
    report["tts"] |= await measure_tts(tts)
    report["llm"] |= await measure_llm(llm)
    report["loop_gap"] = await measure_gap(stt, tts, llm, data, seconds)
    report["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for provider in (stt, tts, llm):
        await provider.aclose()
    return report


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "speech"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--speech", type=Path, default=beside, help="folder with manifest.tsv and WAV files")
    parser.add_argument("--gap-seconds", type=float, default=8.0, help="how long all models work at once")
    options = parser.parse_args()
    report = asyncio.run(measure(options.speech, options.gap_seconds))
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for part, figures in report.items():
        if isinstance(figures, dict):
            print(part, *(f"{name}={value:.4g}" for name, value in figures.items()), sep="  ")
        else:
            print(part, f"{figures:.4g}", sep="  ")


if __name__ == "__main__":
    main()
