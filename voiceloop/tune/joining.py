"""Single utterances joined into calls whose callers stop to think, for want of recordings in which they do.

A pause is put in where the sound of an utterance dips, so mostly between two words. How many there are and how long is
drawn: the lengths log-normal (Campione and Véronis, "A large-scale multilingual study of silent pause duration", 2002).
People pause more often where their words show it; here every dip is as likely as the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

import numpy as np

from voiceloop.audio import mulaw
from voiceloop.tune.clips import Clip, TrueTurn

__all__ = ["join"]

RATE: Final = mulaw.RATE
FRAME: Final = 80
TURNS: Final = 8
"""Of a call."""
ROUNDS: Final = 4
"""How often each utterance comes, each time with other pauses."""
MOST: Final = 2400
"""Turns of all calls together."""
GAP: Final = (3.2, 4.2)
"""Seconds between turns, in which an agent would speak."""
MEDIAN, SPREAD = 0.45, 0.65
"""Of a pause: seconds, and the standard deviation of their logarithm."""
SHORTEST, LONGEST = 0.2, 2.5
PAUSES: Final = ((0, 0.4), (1, 0.4), (2, 0.2))
"""How many there are in a turn, and how often; fewer where there is no room."""
APART: Final = 0.35
"""Seconds of sound before, between and after pauses, at least."""
QUIET: Final = b"\xff"


def join(clips: Sequence[Clip], seed: int = 1) -> list[Clip]:
    """Calls of several turns each.

    Args:
        clips: of one turn each; others, and recorded calls, stay as they are and come last.
        seed: the same seed draws the same pauses.
    """
    single = [clip for clip in clips if len(clip.turns) == 1 and clip.ears is None]
    draw = random.Random(f"join {seed}")
    order: list[Clip] = []
    while single and len(order) < min(ROUNDS * len(single), MOST):
        order += draw.sample(single, len(single))
    calls = [
        _call(f"call {number}", order[at : at + TURNS], seed)
        for number, at in enumerate(range(0, len(order), TURNS), 1)
    ]
    return [*calls, *(clip for clip in clips if clip not in single)]


def _call(name: str, clips: Sequence[Clip], seed: int) -> Clip:
    draw = random.Random(f"{name} {seed}")
    audio = bytearray(QUIET * (RATE // 2))
    turns = []
    for clip in clips:
        turn = clip.turns[0]
        speech = clip.audio[round(turn.started * RATE) : round(turn.ended * RATE)]
        start = len(audio)
        audio += _with_pauses(speech, draw)
        turns.append(TrueTurn(turn.text, start / RATE, len(audio) / RATE))
        audio += QUIET * round(draw.uniform(*GAP) * RATE)
    return Clip(name, bytes(audio), tuple(turns))


def _with_pauses(speech: bytes, draw: random.Random) -> bytes:
    """The same with silences put in."""
    wanted = draw.choices([count for count, _ in PAUSES], [weight for _, weight in PAUSES])[0]
    chosen: list[int] = []
    dips = _dips(speech)
    for at in draw.sample(dips, len(dips)):
        if len(chosen) < wanted and all(abs(at - other) >= APART * RATE for other in chosen):
            chosen.append(at)
    parts, done = [], 0
    for at in sorted(chosen):
        parts += [speech[done:at], QUIET * round(_length(draw) * RATE)]
        done = at
    return b"".join([*parts, speech[done:]])


def _dips(speech: bytes) -> list[int]:
    """Where it is softest within 0.2 s, and by 12 dB softer than the loudest there: samples."""
    frames = len(speech) // FRAME
    samples = mulaw.decode(speech[: frames * FRAME]).astype(np.float64).reshape(frames, FRAME)
    levels = 10 * np.log10((samples * samples).mean(axis=1) + 1.0)
    edge, near = round(APART * RATE / FRAME), 10
    return [
        at * FRAME + FRAME // 2
        for at in range(edge, frames - edge)
        if at == at - near + int(np.argmin(levels[at - near : at + near + 1]))
        and levels[at] <= min(levels[at - near : at].max(), levels[at + 1 : at + near + 1].max()) - 12
    ]


def _length(draw: random.Random) -> float:
    while True:
        length = draw.lognormvariate(math.log(MEDIAN), SPREAD)
        if SHORTEST <= length <= LONGEST:
            return length
