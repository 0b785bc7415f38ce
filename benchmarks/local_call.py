"""Whole calls on embedded models over a real socket, with recordings of real people as the caller.

Needs ``voiceloop[local]`` and a folder of recordings (``--speech``, or ``../shared/speech`` beside the checkout) with
``manifest.tsv``: file, transcript, …. Three parts:

* orders: one call for each ``pv_order_*``: how long the caller waits (measured at the caller's ear), whether the
  answer names the drink, whether the agent's speech has holes;
* barge-in: the caller speaks over the agent: how long until the carrier has the ``clear``, and until silence;
* words: word error rate through the whole pipeline, beside the recogniser alone on the same phone audio.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import on_the_phone, word_errors, words_of  # type: ignore[import-not-found, unused-ignore]

from voiceloop.call import Call
from voiceloop.cli.load import example, load_bot
from voiceloop.rehearsal import rehearse
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.serving import serving
from voiceloop.stt.base import Flush
from voiceloop.twilio.media import media_app

DRINKS = ("coffee", "latte", "cappuccino", "mocha")
BARGE_IN = "Wait, please stop for a moment."


class Line:
    """A bot behind a socket, and calls to it one after the other."""

    def __init__(self, url: str, reports: asyncio.Queue[CallReport]) -> None:
        self.url = url
        self.reports = reports

    async def call(self, recordings: Sequence[bytes], seed: int) -> tuple[Carrier, Caller, CallReport]:
        """Play recordings, each when the agent has finished."""
        carrier = Carrier(self.url, options=CarrierOptions(seed=seed))
        async with carrier:
            caller = Caller(carrier)
            await caller.hears(timeout=20)
            for recording in recordings:
                await caller.says(recording)
                await caller.hears(timeout=20)
        return carrier, caller, await self.reports.get()


async def orders(line: Line, files: Sequence[tuple[Path, str]]) -> dict[str, Any]:
    """One call for each order."""
    waits, reported, holes, rows, named = [], [], 0, [], 0
    for seed, (file, transcript) in enumerate(files):
        carrier, caller, report = await line.call([on_the_phone(file)], seed)
        end = caller.utterances[0].speech_ended
        first = carrier.truth.first_sound_after(end)
        turn = report.turns[-1]
        drink = next(drink for drink in reversed(words_of(transcript)) if drink in DRINKS)
        heard = " ".join(turn.heard for turn in report.turns)
        named += drink in heard.lower()
        holes += len(carrier.truth.holes(20.0))
        wait = round((first - end) * 1000, 1) if first is not None else None
        if wait is not None:
            waits.append(wait)
        if turn.latency is not None:
            reported.append(turn.latency.as_ms())
        parts = turn.latency.as_ms() if turn.latency is not None else None
        rows.append({"said": transcript, "recognised": turn.caller, "heard": heard, "wait_ms": wait, "parts_ms": parts})
    medians = {name: round(statistics.median(r[name] for r in reported), 1) for name in reported[0]} if reported else {}
    return {
        "calls": len(files),
        "wait_ms_p50": round(statistics.median(waits), 1) if waits else None,
        "wait_ms_max": max(waits, default=None),
        "reported_ms_p50": medians,
        "drink_named": named,
        "holes": holes,
        "rows": rows,
    }


async def barge_in(line: Line, speech: bytes, times: int, question: bytes) -> dict[str, Any]:
    """Speak over a long answer."""
    cleared, silent = [], []
    for seed in range(times):
        carrier = Carrier(line.url, options=CarrierOptions(seed=1000 + seed))
        async with carrier:
            caller = Caller(carrier)
            await caller.hears(timeout=20)
            await caller.says(question)
            interrupted = await caller.interrupts(speech, after=0.7 + 0.1 * (seed % 5), timeout=20)
        await line.reports.get()
        begun = interrupted.speech.speech_started
        clears = [clear.at for clear in carrier.truth.clears if clear.at >= begun]
        if clears:
            cleared.append((clears[0] - begun) * 1000)
        silent.append((interrupted.agent_stopped - begun) * 1000)
    return {
        "times": times,
        "cleared": len(cleared),
        "to_clear_ms_p50": round(statistics.median(cleared), 1) if cleared else None,
        "to_clear_ms_max": round(max(cleared), 1) if cleared else None,
        "to_silence_ms_p50": round(statistics.median(silent), 1),
    }


async def words(line: Line, stt: Any, files: Sequence[tuple[Path, str]]) -> dict[str, Any]:
    """Word errors through the pipeline and of the recogniser alone."""
    through = alone = count = 0
    for seed, (file, transcript) in enumerate(files):
        audio = on_the_phone(file)
        reference = words_of(transcript)
        _, _, report = await line.call([audio], 2000 + seed)
        through += word_errors(reference, words_of(" ".join(turn.caller for turn in report.turns)))
        alone += word_errors(reference, words_of(await _alone(stt, audio)))
        count += len(reference)
    return {
        "files": len(files),
        "words": count,
        "wer_pipeline_percent": round(100 * through / count, 1),
        "wer_alone_percent": round(100 * alone / count, 1),
    }


async def _alone(stt: Any, audio: bytes) -> str:
    async def whole() -> Any:
        yield audio
        yield Flush()

    texts: dict[int, str] = {}
    async for item in stt.transcribe(whole()):
        if not isinstance(item, Flush):
            texts[item.segment] = item.text
    return " ".join(texts[segment] for segment in sorted(texts))


async def measure(folder: Path, smoke: bool, parts: Sequence[str]) -> dict[str, Any]:
    """Everything."""
    with (folder / "manifest.tsv").open(encoding="utf-8") as file:
        rows = [(folder / row["file"], row["transcript"], row["kind"]) for row in csv.DictReader(file, delimiter="\t")]
    spoken_orders = [(file, text) for file, text, kind in rows if kind == "order"][: 2 if smoke else None]
    read = [(file, text) for file, text, kind in rows if kind == "read"][: 2 if smoke else None]
    module = load_bot(example("coffee_bot.py"))
    reports: asyncio.Queue[CallReport] = asyncio.Queue()

    def taken(call: Call) -> None:
        call.on_end(reports.put_nowait)

    result: dict[str, Any] = {}
    async with Runtime() as runtime:
        for provider in (module.stt, module.llm, module.tts):
            await runtime.warm(provider)
        async with serving(media_app(module.bot, runtime, on_call=taken)) as (url, _):
            line = Line(url, reports)
            await rehearse(module.bot, runtime)
            if "orders" in parts:
                result["orders"] = await orders(line, spoken_orders)
            if "barge_in" in parts:
                speech = await _spoken(module.tts, BARGE_IN)
                question = await _spoken(module.tts, "Hello. Which drinks do you have?")
                result["barge_in"] = await barge_in(line, speech, 2 if smoke else 10, question)
            if "words" in parts:
                result["words"] = await words(line, module.stt, read)
    return result


async def _spoken(tts: Any, text: str) -> bytes:
    async def script() -> Any:
        yield text

    return b"".join([piece.audio async for piece in tts.generate(script())])


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="two recordings of each kind")
    options.add_argument("--speech", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "speech")
    options.add_argument("--parts", nargs="+", default=["orders", "barge_in", "words"])
    chosen = options.parse_args()
    if not (chosen.speech / "manifest.tsv").is_file():
        sys.exit(f"no recordings: expected {chosen.speech}/manifest.tsv; name their folder with --speech")
    result = asyncio.run(measure(chosen.speech, chosen.smoke, chosen.parts))
    if chosen.json:
        print(json.dumps(result))
        return
    for part, figures in result.items():
        print(part)
        for name, value in figures.items():
            if name == "rows":
                for row in value:
                    print(f"    {row['wait_ms']} ms  {row['recognised']!r} -> {row['heard']!r}  {row['parts_ms']}")
            else:
                print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
