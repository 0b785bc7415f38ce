"""Calls in real time, with stalls of the process, recorded and replayed; and what recording costs.

The calls run side by side on one event loop, over sockets on loopback, with jitter, barge-ins, a tool and callers who
hang up anywhere. Meanwhile the whole process is held for 50 to 500 ms at random moments. Each call is recorded and then
replayed: the same messages to the carrier, in order, at the same places?

The cost: the same call in virtual time with and without a recording, alternating; CPU time, medians. Virtual time has
the simulated carrier and caller in the same process, so they are part of it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from silero_by_level import SileroByLevel

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.errors import VoiceloopError
from voiceloop.flight import read_flight
from voiceloop.replay import replay
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, dial
from voiceloop.vad.base import VADModel

LEXICON = Lexicon()
STT, TTS = ScriptedSTT(LEXICON, delay=0.1), ScriptedTTS(LEXICON, first=0.1)
NAMED = ScriptedLLM(["Yes."])
MENU = "We have coffee and latte and cappuccino and mocha and tea today. Every drink is four dollars."
REPLIES = [
    MENU,
    ("Let me look.", calls("price", drink="latte")),
    "It is four dollars. Anything else?",
    "Sure, thank you.",
]


async def price(drink: str) -> str:
    """Look up what a drink costs."""
    await asyncio.sleep(0.4)
    return "four dollars"


def bot(call: Call) -> Pipeline:
    """A bot with a tool."""
    model = LLMAggregator(NAMED, tools=[price, call.hang_up])
    return Pipeline(
        [call.transport, EnergyVAD(), STT, TurnTaking("Hello, how can I help?"), model, TTS, AudioStreamer()]
    )


def model() -> ScriptedLLM:
    """One for each call: it counts its requests."""
    return ScriptedLLM(REPLIES, first=0.2, rate=30)


# --- real time, with stalls -----------------------------------------------------------------------------------


async def one(number: int, seed: int, folder: Path) -> None:
    """A call."""
    draw = random.Random(f"{seed} {number}")
    line = CarrierOptions(
        seed=number, delay_to_server=0.05, delay_from_server=0.04, jitter=0.02, drop_stop=bool(number % 2)
    )
    providers: dict[str, Any] = {"stt": STT, "llm": model(), "tts": TTS, "lexicon": LEXICON, "carrier": line}
    runtime = Runtime(record=folder / f"{number}.vlog")
    async with runtime, dial(bot, runtime=runtime, invariants=None, **providers) as caller:
        try:
            await caller.hears(timeout=20)
            await caller.says("What do you have")
            await caller.interrupts("how much is a latte", after=draw.uniform(0.3, 2.5), timeout=20)
            await caller.hears(timeout=20)
            await caller.waits(draw.uniform(0, 2))
            await caller.says("I take that one please")
            await caller.waits(draw.uniform(0.2, 4))
        except (VoiceloopError, TimeoutError):  # stalls may end what the caller waits for: the call is recorded anyway
            pass
        await caller.hangs_up()


async def stalls(seed: int, held: list[float]) -> None:
    """Hold the process again and again."""
    draw = random.Random(f"stalls {seed}")
    while True:
        await asyncio.sleep(draw.uniform(0.1, 1.0))
        held.append(draw.uniform(0.05, 0.5))
        time.sleep(held[-1])  # noqa: ASYNC251  # that is the point


async def live(count: int, seed: int, folder: Path) -> list[float]:
    """The calls, side by side; gives the stalls."""
    held: list[float] = []
    stalling = asyncio.ensure_future(stalls(seed, held))
    await asyncio.gather(*(one(number, seed, folder) for number in range(count)))
    stalling.cancel()
    return held


def replays(count: int, seed: int) -> dict[str, Any]:
    """How many come out equal."""
    with tempfile.TemporaryDirectory() as folder:
        held = asyncio.run(live(count, seed, Path(folder)))
        files = [Path(folder) / f"{number}.vlog" for number in range(count)]
        before = _cpu()
        outcomes = [replay(file, bot) for file in files]
        spent = _cpu() - before
        seconds = sum(outcome.seconds for outcome in outcomes)
        for file, outcome in zip(files, outcomes, strict=True):
            if not outcome.equal:
                print(f"{file.name}: {outcome}", file=sys.stderr)
        return {
            "calls": count,
            "equal": sum(outcome.equal for outcome in outcomes),
            "messages": sum(outcome.messages for outcome in outcomes),
            "stalls": len(held),
            "longest_stall_ms": round(max(held) * 1000),
            "kilobytes_a_second": round(sum(file.stat().st_size for file in files) / seconds / 1000, 1),
            "replay_times_real_time": round(seconds / spent, 1),
        }


# --- cost -----------------------------------------------------------------------------------------------------


async def conversation(turns: int, record: Path | None, vad: VADModel | None) -> None:
    """A call of some turns, a barge-in in every fifth."""
    line = CarrierOptions(seed=1, delay_to_server=0.06, delay_from_server=0.06, jitter=0.01)
    providers: dict[str, Any] = {"stt": STT, "llm": model(), "tts": TTS, "lexicon": LEXICON, "carrier": line}
    runtime = Runtime(record=record)
    async with runtime, dial(bot, runtime=runtime, vad=vad, invariants=None, **providers) as caller:
        await caller.hears()
        for turn in range(turns):
            await caller.says(f"I would like number {turn} please and something to drink")
            await caller.hears()
            await caller.waits(2.0)
        await caller.hangs_up()


def cost(turns: int, repeat: int, vad: VADModel | None) -> dict[str, Any]:
    """CPU of a call with a recording against without."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.vlog"

        def spent(record: Path | None) -> float:
            gc.collect()
            before = _cpu()
            run_virtual(conversation(turns, record, vad))
            return _cpu() - before

        spent(None), spent(path)
        pairs = [(spent(None), spent(path)) for _ in range(repeat)]
        seconds = read_flight(path).entries[-1].at
        plain = statistics.median(one for one, _ in pairs)
        more = statistics.median(other - one for one, other in pairs)
        return {
            "cpu_ms_a_second": round(plain / seconds * 1000, 3),
            "recording_ms_a_second": round(more / seconds * 1000, 3),
            "recording_percent": round(100 * more / plain, 1),
        }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="few and short")
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args(arguments)
    turns, repeat, count = (2, 1, 4) if chosen.smoke else (20, 9, chosen.calls)
    result = {
        **replays(count, chosen.seed),
        "energy": cost(turns, repeat, None),
        "silero": cost(turns, repeat, SileroByLevel()),
    }
    if chosen.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>22}: {value}")
    return 0 if result["equal"] == result["calls"] else 1


if __name__ == "__main__":
    sys.exit(main())
