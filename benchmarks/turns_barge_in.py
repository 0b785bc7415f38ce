"""Being spoken over: who interrupts the agent, and how soon it is silent.

In each call the agent gives a long answer, and the caller does one thing at some moment of it: shows that they listen
("mm-hmm", "okay"), makes a noise (a cough, a door, a dog: `voiceloop.sim.line_sounds`), or interrupts. An answer that
dies was interrupted; one that is held and goes on was not, but then every word of it must have been heard. One may be
heard twice: no carrier tells of a word that ends in the very block that was being played.

Measured at the carrier: silence counts from the first 30 ms of the caller's sound that are within 20 dB of its loudest,
and 10 dB above its own room (a breath before a word is no speech), to the last sample of the agent's that was played.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import median
from typing import Any

from turns_calls import Ears, Seen, Sound, artificial, call, moments, real, recorded  # type: ignore[import-not-found, unused-ignore]
from turns_floors import Floor, main, percentile  # type: ignore[import-not-found, unused-ignore]

from voiceloop.sim.line_sounds import NOISES

BACKCHANNELS = (
    "mm-hmm",
    "yeah",
    "okay",
    "uh-huh",
    "right",
    "I see",
    "sure",
    "oh okay",
    "got it",
    "yes",
    "all right",
    "hm",
)
SPOKEN = (
    "Stop.",
    "Wait.",
    "No, sorry, I meant tomorrow.",
    "Hold on a second.",
    "Actually, can I have tea instead?",
    "Excuse me, one question.",
    "No no, that is the wrong one.",
    "Can you repeat the first one?",
    "And how much is that?",
    "Please stop.",
    "Do you have anything without nuts?",
    "I would rather come at eight.",
)
SHARE = 0.6
"""Of backchannels among backchannels and noises."""
PITCHES = (0.85, 0.92, 1.0, 1.08)
LEVELS = (-30.0, -20.0)
"""dBFS of what is spoken."""
NOISE_LEVELS = (-34.0, -16.0)
FEWEST_REAL = 10
"""With fewer calls of a kind than this the models are not loaded."""
FLOORS = tuple(
    floor
    for kind in ("real", "artificial")
    for floor in (
        Floor(f"{kind}.no_interruption.interrupted_of_40", most=2),
        Floor(f"{kind}.interruption.interrupted_of_40", least=39),
        Floor(f"{kind}.interruption.silent_ms_p50", most=150),
        Floor(f"{kind}.interruption.silent_ms_p95", most=250),
        Floor(f"{kind}.no_interruption.words_missing", most=0),
    )
)


def listening(ears: Ears, n: int, draw: random.Random) -> list[Sound]:
    """Backchannels and noises, so many together."""
    texts = [BACKCHANNELS[index % len(BACKCHANNELS)] for index in range(round(n * SHARE))]
    found = [Sound(text, ears.say(text, draw.choice(PITCHES), draw.uniform(*LEVELS))) for text in texts]
    for index in range(n - len(found)):
        name = list(NOISES)[index % len(NOISES)]
        found.append(Sound(name, NOISES[name](draw.randrange(1000), round(draw.uniform(*NOISE_LEVELS), 1))))
    return found


def interrupting(ears: Ears, n: int, draw: random.Random) -> list[Sound]:
    """Real interruptions: recordings of people, as far as there are, and what the voice says."""
    found = [] if ears.artificial else recorded()
    found = draw.sample(found, min(len(found), max(0, n - n // 7)))
    texts = [SPOKEN[index % len(SPOKEN)] for index in range(n - len(found))]
    return found + [Sound(text, ears.say(text, draw.choice(PITCHES), draw.uniform(*LEVELS))) for text in texts]


def measure(n: int = 40, seed: int = 0) -> dict[str, Any]:
    """So many calls of each kind, with artificial words and with the embedded models."""
    kinds = [artificial(), *([real()] if n >= FEWEST_REAL else [])]
    return {ears.name: _measure(ears, n, seed) for ears in kinds if ears is not None}


def _measure(ears: Ears, n: int, seed: int) -> dict[str, Any]:
    draw = random.Random(f"barge-in {ears.name} {seed}")
    over, against = moments(listening(ears, n, draw), seed), moments(interrupting(ears, n, draw), seed + 1)
    kept = [call(ears, moment, seed=number) for number, moment in enumerate(over)]
    cut = [call(ears, moment, seed=number) for number, moment in enumerate(against)]
    interrupted = [seen for seen in cut if seen.interrupted]
    silent = [seen.stopped * 1000 for seen in interrupted if seen.stopped is not None]
    paused = [seconds * 1000 for seen in kept if not seen.interrupted for seconds in seen.paused]
    return {
        "no_interruption": {
            **_counts(kept),
            "paused": sum(bool(seen.paused) and not seen.interrupted for seen in kept),
            "paused_ms_p50": _ms(median(paused) if paused else None),
            "paused_ms_max": _ms(max(paused, default=None)),
            "words_missing": sum(seen.missing for seen in kept if not seen.interrupted),
            "words_said_twice": sum(seen.repeated for seen in kept if not seen.interrupted),
            "words_broken_off": sum(seen.broken for seen in kept if not seen.interrupted),
            "interrupted_by": _who([seen for seen in kept if seen.interrupted]),
            "missing_after": _who([seen for seen in kept if not seen.interrupted and seen.missing]),
        },
        "interruption": {
            **_counts(cut),
            "silent_ms_p50": _ms(percentile(silent, 50)),
            "silent_ms_p95": _ms(percentile(silent, 95)),
            "silent_ms_max": _ms(max(silent, default=None)),
            "heard_again": sum(len(seen.paused) > 1 for seen in interrupted),
            "overheard": _who([seen for seen in cut if not seen.interrupted]),
            "slow": [
                f"{seen.sound}: {seen.stopped * 1000:.0f} ms"
                for seen in interrupted
                if seen.stopped is not None and seen.stopped > 0.25
            ],
        },
        "faults": sorted({kind for seen in (*kept, *cut) for kind in seen.faults}),
    }


def _counts(seen: Sequence[Seen]) -> dict[str, Any]:
    interrupted = sum(each.interrupted for each in seen)
    return {
        "calls": len(seen),
        "interrupted": interrupted,
        "interrupted_of_40": round(40 * interrupted / max(1, len(seen)), 1),
    }


def _who(seen: Sequence[Seen]) -> list[str]:
    """What they did, and what was understood."""
    return [f"{each.sound}: {each.understood}" if each.understood else each.sound for each in seen]


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)


def lines(result: dict[str, Any]) -> list[str]:
    """A table for people."""
    found = []
    for kind, parts in result.items():
        kept, cut = parts["no_interruption"], parts["interruption"]
        found += [
            f"Spoken over, {kind} words:",
            f"  backchannels and noises that interrupt     {kept['interrupted']} of {kept['calls']}",
            f"  held and taken up again                    {kept['paused']}, silent for {kept['paused_ms_p50']} ms at "
            f"the median, {kept['paused_ms_max']} at most",
            f"  of those answers, words never heard        {kept['words_missing']}; heard twice: "
            f"{kept['words_said_twice']}; broken off and said again: {kept['words_broken_off']}",
            f"  real interruptions that interrupt          {cut['interrupted']} of {cut['calls']}",
            f"  silence at the carrier after               {cut['silent_ms_p50']} ms p50, {cut['silent_ms_p95']} p95, "
            f"{cut['silent_ms_max']} at most",
        ]
        for label, names in (
            ("interrupted by", kept["interrupted_by"]),
            ("words missing after", kept["missing_after"]),
            ("overheard", cut["overheard"]),
            ("slow", cut["slow"]),
            ("faults", parts["faults"]),
        ):
            found += [f"  {label}: {'; '.join(names)}"] if names else []
    return found


if __name__ == "__main__":
    main(__doc__, measure, lines, FLOORS, full=40, smoke=3)
