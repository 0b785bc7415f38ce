"""The agent's own voice coming back down the line: it must not interrupt itself, and real callers must still do so.

Every call has an echo of 180 ms, 20 dB below the voice. In half of them the caller says nothing while the agent gives a
long answer; in the other half they interrupt it. Measured at the carrier, as in `turns_barge_in.py`.

With artificial words only interruptions of several words count: a recogniser of artificial words reads them sample by
sample, and does not understand a word into which an echo is mixed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from turns_barge_in import FEWEST_REAL, SPOKEN, interrupting  # type: ignore[import-not-found, unused-ignore]
from turns_calls import (  # type: ignore[import-not-found, unused-ignore]
    Ears,
    Seen,
    Sound,
    artificial,
    call,
    moments,
    real,
)
from turns_floors import Floor, main, percentile  # type: ignore[import-not-found, unused-ignore]

from voiceloop.sim.line_faults import LineEcho

DELAY = 0.18
"""Seconds from the caller's ear back into the line."""
LEVEL = -20.0
"""dB, against the voice."""
WITHIN = 0.3
"""So soon the agent must be silent, seconds."""
SILENT = Sound("nothing", b"\xff" * 800)
FLOORS = tuple(
    floor
    for kind in ("real", "artificial")
    for floor in (
        Floor(f"{kind}.itself.interrupted_of_40", most=1),
        Floor(f"{kind}.by_the_caller.in_time_of_40", least=36),
    )
)


def measure(n: int = 40, seed: int = 0) -> dict[str, Any]:
    """So many calls of each kind, with artificial words and with the embedded models."""
    kinds = [artificial(), *([real()] if n >= FEWEST_REAL else [])]
    return {ears.name: _measure(ears, n, seed) for ears in kinds if ears is not None}


def _measure(ears: Ears, n: int, seed: int) -> dict[str, Any]:
    draw = random.Random(f"echo {ears.name} {seed}")
    alone = _call(ears, [SILENT] * n, seed)
    cut = _call(ears, _interrupting(ears, n, draw), seed + 1)
    silent = [seen.stopped for seen in cut if seen.interrupted and seen.stopped is not None]
    in_time = sum(seconds <= WITHIN for seconds in silent)
    return {
        "itself": {
            "calls": n,
            "interrupted": sum(seen.interrupted for seen in alone),
            "interrupted_of_40": round(40 * sum(seen.interrupted for seen in alone) / n, 1),
            "paused": sum(bool(seen.paused) and not seen.interrupted for seen in alone),
            "words_missing": sum(seen.missing for seen in alone if not seen.interrupted),
            "understood": sorted({seen.understood for seen in alone if seen.understood}),
        },
        "by_the_caller": {
            "calls": len(cut),
            "interrupted": sum(seen.interrupted for seen in cut),
            "in_time": in_time,
            "in_time_of_40": round(40 * in_time / max(1, len(cut)), 1),
            "silent_ms_p50": _ms(percentile(silent, 50)),
            "silent_ms_p95": _ms(percentile(silent, 95)),
            "late": [
                f"{seen.sound}: {'never' if seen.stopped is None or not seen.interrupted else _ms(seen.stopped)}"
                for seen in cut
                if not seen.interrupted or seen.stopped is None or seen.stopped > WITHIN
            ],
        },
        "faults": sorted({kind for seen in (*alone, *cut) for kind in seen.faults}),
    }


def _call(ears: Ears, sounds: Sequence[Sound], seed: int) -> list[Seen]:
    return [
        call(ears, moment, seed=number, faults=(LineEcho(delay=DELAY, level=LEVEL),))
        for number, moment in enumerate(moments(sounds, seed))
    ]


def _interrupting(ears: Ears, n: int, draw: random.Random) -> list[Sound]:
    if not ears.artificial:
        return list(interrupting(ears, n, draw))
    texts = [text for text in SPOKEN if len(text.split()) > 2]
    return [Sound(text, ears.say(text)) for text in (texts[index % len(texts)] for index in range(n))]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def lines(result: dict[str, Any]) -> list[str]:
    """A table for people."""
    found = []
    for kind, parts in result.items():
        alone, cut = parts["itself"], parts["by_the_caller"]
        found += [
            f"Echo of {DELAY * 1000:.0f} ms at {LEVEL:.0f} dB, {kind} words:",
            f"  answers that interrupt themselves          {alone['interrupted']} of {alone['calls']}; paused by "
            f"themselves: {alone['paused']}; words missing then: {alone['words_missing']}",
            f"  real interruptions within {WITHIN * 1000:.0f} ms           {cut['in_time']} of {cut['calls']}; at all: "
            f"{cut['interrupted']}; {cut['silent_ms_p50']} ms p50, {cut['silent_ms_p95']} p95",
        ]
        for label, names in (
            ("heard of itself", alone["understood"]),
            ("late", cut["late"]),
            ("faults", parts["faults"]),
        ):
            found += [f"  {label}: {'; '.join(names)}"] if names else []
    return found


if __name__ == "__main__":
    main(__doc__, measure, lines, FLOORS, full=40, smoke=3)
