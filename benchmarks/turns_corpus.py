"""Calls for `turns.py`, made from a folder of recordings: what is said, where it begins, pauses and ends.

A call is one line of a phone: a second of room, then turns with silence between them in which the agent would speak.
Each turn is one recording, laid out as somebody says it who stops to think:

- A turn ends where its sentence ends. Readers' files that stop at a comma of the published text are joined to the next
  file of the sentence (`GOES_ON`), with a pause between them; one whose next file is missing is left out (`CUT_SHORT`).
- The recording's own pauses stay (three strings of five digits have 1.3 s between them).
- Further ones are put in: none, one or two a turn (`PAUSES`), at least `APART` from each other and from the turn's
  ends. Their lengths are log-normal (Campione and Véronis, "A large-scale multilingual study of silent pause
  duration", 2002: far from normal, log durations are the thing to look at; read speech has pauses of 0.2 to 1 s,
  spontaneous speech also longer ones). `MEDIAN` and `SPREAD` were chosen to fit that: a tenth is longer than 1 s.
  Silences below 0.2 s are none (Heldner and Edlund, "Pauses, gaps and overlaps in conversations", 2010: below 180 ms
  lie the closures of stop consonants).
- They stand where the sound has a dip and the recogniser, given the two sides of it from the clean recording, finds
  the words of the transcript on either side: between two words, then. Which words these are is not looked at, every
  such place is as likely as the other. People pause more often where it shows (after "a", after "um"), and what they
  say before a pause sounds like going on; here nothing of the sort was added, so what is measured errs on the strict
  side.
- A pause is filled with what the recording's own room sounds like: noise with the spectrum of its quietest tenth.

Then the line: 300 to 3400 Hz, noise at so many dB below the speech (half the calls babble, the other recordings on top
of each other, half pink noise), mu-law at 8000 Hz. Same seed, same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from turns_noise import RATE, Floats, babble, pink, power, room_noise
from turns_recordings import APART, LEVEL, Recording

from voiceloop.audio import mulaw
from voiceloop.audio.resample import to_int16

__all__ = ["Layout", "Pause", "RecordedCall", "SpokenTurn", "calls"]

MEDIAN, SPREAD = 0.45, 0.65
"""Of the pauses put in: seconds, and the standard deviation of their logarithm."""
SHORTEST, LONGEST = 0.2, 2.5
"""Of the same, seconds."""
PAUSES = ((0, 0.45), (1, 0.37), (2, 0.18))
"""How many are put into a turn, and how often. Fewer where the recording has no room for them."""
GAP = (3.2, 4.2)
"""Seconds from the end of a turn to the next one."""
TURNS = 8
"""Turns of a call."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence inside a turn, seconds from the call's first sample."""

    begins: float
    ends: float
    inserted: bool
    """Whether it was put in, not the speaker's own."""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What was really said. Seconds from the call's first sample."""

    recording: str
    kind: str
    text: str
    begins: float
    ends: float
    pauses: tuple[Pause, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCall:
    """One call and the truth about it."""

    name: str
    noise: str
    """``clean``, ``babble`` or ``pink``."""
    audio: bytes
    """Mu-law, 8000 Hz."""
    turns: tuple[SpokenTurn, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """How calls are made."""

    snr: float | None = None
    """Speech over noise, dB; None for no noise."""
    rounds: int = 6
    """How often each recording comes, each time with other pauses."""
    seed: int = 1


def calls(all_recordings: Sequence[Recording], places: dict[str, list[int]], layout: Layout) -> list[RecordedCall]:
    """Every recording `rounds` times, each time in another order and with other pauses, `TURNS` a call.

    The same turns and pauses at every noise level: only the noise differs.
    """
    choose = random.Random(f"turns {layout.seed}")
    order: list[Recording] = []
    for _ in range(layout.rounds):
        order += choose.sample(all_recordings, len(all_recordings))
    return [
        _call(f"call {number}", order[at : at + TURNS], all_recordings, places, layout, number)
        for number, at in enumerate(range(0, len(order), TURNS))
    ]


def _call(
    name: str,
    spoken: Sequence[Recording],
    voices: Sequence[Recording],
    places: dict[str, list[int]],
    layout: Layout,
    number: int,
) -> RecordedCall:
    choose = random.Random(f"turns {layout.seed} {number}")
    parts: list[Floats] = [room_noise(spoken[0].room, RATE, choose)]
    position, turns = RATE, []
    for recording in spoken:
        pieces, pauses = _with_pauses(recording, places[recording.name], choose)
        length = sum(map(len, pieces))
        turns.append(
            SpokenTurn(
                recording.name,
                recording.kind,
                recording.text,
                position / RATE,
                (position + length) / RATE,
                tuple(
                    Pause((position + begin) / RATE, (position + end) / RATE, inserted)
                    for begin, end, inserted in pauses
                ),
            )
        )
        parts += pieces
        gap = round(choose.uniform(*GAP) * RATE)
        parts.append(room_noise(recording.room, gap, choose))
        position += length + gap
    line = np.concatenate(parts)
    kind = "clean"
    if layout.snr is not None:
        kind = ("babble", "pink")[number % 2]
        noise = (
            babble(len(line), [each.speech for each in voices], choose) if kind == "babble" else pink(len(line), choose)
        )
        line = line + noise * np.float32(10 ** ((LEVEL - layout.snr - power(noise)) / 20))
    return RecordedCall(name, kind, mulaw.encode(to_int16(np.clip(line, -1, 1))), tuple(turns))


def _with_pauses(
    recording: Recording, places: Sequence[int], choose: random.Random
) -> tuple[list[Floats], list[tuple[int, int, bool]]]:
    """The recording in pieces with pauses between them, and the pauses, in samples from its begin."""
    wanted = choose.choices([count for count, _ in PAUSES], [often for _, often in PAUSES])[0]
    chosen = list(recording.joints)
    wanted = max(wanted, len(chosen))
    for at in choose.sample(list(places), len(places)):
        if len(chosen) < wanted and all(abs(at - other) >= APART * RATE for other in chosen):
            chosen.append(at)
    pieces: list[Floats] = []
    pauses = []
    shift = done = 0
    own = list(recording.own)
    for at in [*sorted(chosen), len(recording.speech)]:
        while own and own[0][0] < at:
            begin, end = own.pop(0)
            pauses.append((begin + shift, end + shift, False))
        pieces.append(_faded(recording.speech[done:at], done > 0, at < len(recording.speech)))
        done = at
        if at < len(recording.speech):
            length = round(_length(choose) * RATE)
            pieces.append(room_noise(recording.room, length, choose))
            pauses.append((at + shift, at + shift + length, True))
            shift += length
    return pieces, pauses


def _length(choose: random.Random) -> float:
    while True:
        length = choose.lognormvariate(np.log(MEDIAN), SPREAD)
        if SHORTEST <= length <= LONGEST:
            return length


def _faded(samples: Floats, begin: bool, end: bool, length: int = 40) -> Floats:
    """Without a click where it was cut."""
    faded = samples.copy()
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    if begin:
        faded[:length] *= ramp
    if end:
        faded[-length:] *= ramp[::-1]
    return faded
