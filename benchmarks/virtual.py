"""A five-minute, 30-turn call at wire level in virtual time: how many times faster than real time it runs.

Scripted providers with latencies, energy VAD, real WebSocket messages through aiohttp on both ends, 60 ms of network
each way, a barge-in every fifth turn; everything on: event log, frame log, flight recording, invariants. Prints the
fingerprint of the call's event log, which must be the same on every run, under every hash seed and on every core; and
how fast the same call is when Silero's model of voice activity runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from silero_by_level import SileroByLevel

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, dial
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel

GREETING = "Hello, how can I help?"
PATIENT = TurnOptions(reprompt_after=60.0)
ANSWERS = [
    "Sure, I can help you with that today. What would you like to have with it, and when will you come for it?",
    "That makes two of them then. We keep them warm for you until five, and you can pay when you come.",
    "Yes, we are open until six in the evening. The kitchen closes half an hour before that.",
]
LEXICON = Lexicon()
LLM = ScriptedLLM(lambda messages: ANSWERS[len(messages) % len(ANSWERS)], first=0.2, rate=50)
TTS = ScriptedTTS(LEXICON, first=0.09)
STT = ScriptedSTT(LEXICON, delay=0.1)


def bot(call: Call) -> Pipeline:
    """A plain bot."""
    return Pipeline(
        [call.transport, EnergyVAD(), STT, TurnTaking(GREETING, PATIENT), LLMAggregator(LLM), TTS, AudioStreamer()]
    )


async def conversation(turns: int, length: float, vad: VADModel, record: Path) -> dict[str, Any]:
    """Hold the call; returns its fingerprint and figures."""
    options = CarrierOptions(seed=1, delay_to_server=0.06, delay_from_server=0.06, jitter=0.01)
    providers: dict[str, Any] = {"stt": STT, "llm": LLM, "tts": TTS, "vad": vad, "lexicon": LEXICON}
    async with dial(bot, **providers, carrier=options, record=record) as caller:
        await caller.hears()
        for turn in range(turns):
            if turn % 5 == 4:
                await caller.interrupts(f"wait no make that number {turn}", after=1.5)
            else:
                await caller.says(f"I would like number {turn} please and something to drink")
            if turn % 5 != 3:
                await caller.hears()
        await caller.waits(max(0.0, length - caller.call.now))
        report = await caller.hangs_up()
        log = caller.call.log
        assert log is not None
        latencies = [turn.latency.total for turn in report.turns if turn.latency is not None]
        return {
            "virtual_seconds": round(report.duration, 3),
            "turns": len(report.turns),
            "interrupted": sum(turn.interrupted for turn in report.turns),
            "faults": len(report.faults),
            "holes": len(caller.carrier.truth.holes()),
            "latency_ms_p50": round(statistics.median(latencies) * 1000, 1),
            "events": len(log.events),
            "log_sha256": log.sha256(),
        }


def once(turns: int, length: float, vad: VADModel | None = None) -> dict[str, Any]:
    """One call, with the CPU time it took."""
    with tempfile.TemporaryDirectory() as folder:
        before = _cpu()
        held = conversation(turns, length, vad or EnergyModel(), Path(folder) / "call.vlog")
        result = run_virtual(held, strict=True)
        seconds = _cpu() - before
    return {
        **result,
        "cpu_seconds": round(seconds, 3),
        "times_real_time": round(result["virtual_seconds"] / seconds, 1),
    }


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def fingerprints(runs: int, arguments: list[str]) -> list[str]:
    """The log's fingerprint from fresh processes, under different hash seeds, on each core in turn."""
    import os

    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    found = []
    for run in range(runs):
        core = cores[run % len(cores)]

        def pin(core: int = core) -> None:
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, {core})

        output = subprocess.run(
            [sys.executable, __file__, "--json", "--repeat", "1", "--runs", "0", *arguments],
            env={**os.environ, "PYTHONHASHSEED": str(run)},
            preexec_fn=pin,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found.append(json.loads(output)["log_sha256"])
    return found


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true")
    options.add_argument("--smoke", action="store_true", help="a short call, once")
    options.add_argument("--repeat", type=int, default=3, help="calls in this process; the median counts")
    options.add_argument("--smoke-call", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--runs", type=int, default=10, help="fresh processes that must give the same log")
    chosen = options.parse_args()
    turns, length = (6, 60.0) if chosen.smoke or chosen.smoke_call else (30, 300.0)
    repeat, runs = (1, 2) if chosen.smoke else (chosen.repeat, chosen.runs)
    calls = [once(turns, length) for _ in range(repeat)]
    calls.sort(key=lambda call: call["times_real_time"])
    result = calls[len(calls) // 2]
    result["same_log"] = f"{len(calls)} calls: {len({call['log_sha256'] for call in calls}) == 1}"
    silero = SileroByLevel()
    silero.warm()
    with_silero = sorted(once(turns, length, silero)["times_real_time"] for _ in range(repeat))
    result["times_real_time_with_silero"] = with_silero[len(with_silero) // 2]
    if runs:
        seen = {result["log_sha256"], *fingerprints(runs, ["--smoke-call"] if chosen.smoke else [])}
        result["runs_with_equal_log"] = runs if len(seen) == 1 else 0
    if chosen.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:>20}: {value}")


if __name__ == "__main__":
    main()
