"""Many settings on the same tracks, and which of them to take. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Final

from voiceloop.language import Cues
from voiceloop.tune.driving import drive
from voiceloop.tune.listening import Track
from voiceloop.tune.scoring import Score, score, total
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import TurnOptions

__all__ = ["WAITS", "Outcome", "Recommended", "Sweep", "front", "recommend", "sweep", "tried"]

FIXED: Final = tuple(round(0.2 + 0.1 * step, 1) for step in range(19))
"""Silences of the fixed ones, seconds: 0.2 to 2."""
FINISHED: Final = (0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
UNSURE: Final = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5)
UNFINISHED: Final = (0.8, 1.0, 1.2, 1.4, 1.6, 2.0, 2.5)
"""Of the adaptive ones, each with each where they are in order."""
MANY: Final = 1500
"""Turns from which only every second of each is tried: more would take minutes."""
WAITS: Final = ("finished", "unsure", "unfinished")
"""Options that are tuned: those of `AdaptiveEndpointing`, in the order in which they must not fall."""
LONGER: Final = 0.5
"""Seconds by which the wait that nine of ten do not exceed may grow."""
_ALIKE: Final = 0.001
"""Seconds within which two waits are the same."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a setting would have led to."""

    options: TurnOptions
    score: Score
    fixed: bool = False
    """Whether a turn ends after `TurnOptions.silence`, whatever was said."""

    @property
    def names(self) -> tuple[str, ...]:
        """The options that count in it."""
        return ("silence",) if self.fixed else WAITS

    @property
    def line(self) -> str:
        """Its options as Python, to be pasted: those that count in it, and whatever else is not the default."""
        default = TurnOptions()
        shown = [
            f"{each.name}={getattr(self.options, each.name):g}"
            for each in fields(TurnOptions)
            if each.name in self.names or getattr(self.options, each.name) != getattr(default, each.name)
        ]
        return f"TurnOptions({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Sweep:
    """All of them."""

    today: Outcome
    """What the bot is set to."""
    fixed: tuple[Outcome, ...]
    """By their silence."""
    adaptive: tuple[Outcome, ...]
    pauses: tuple[float, ...]
    """Seconds of all pauses inside turns: only there a caller can be cut off."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """Which to take instead of today's; None when there is none that is better."""

    safer: Outcome | None
    """The fewest cut-offs with a median wait that is no longer."""
    quicker: Outcome | None
    """The shortest median wait with no more cut-offs."""


def tried(
    tracks: Sequence[Track],
    options: TurnOptions,
    cues: Cues,
    endpointing: Callable[[], Endpointing] = AdaptiveEndpointing,
) -> Outcome:
    """One setting."""
    scores = [score(drive(track, options, endpointing, cues, interims=False), track.turns) for track in tracks]
    return Outcome(options, total(scores), endpointing is FixedSilence)


def sweep(tracks: Sequence[Track], cues: Cues, today: TurnOptions | None = None) -> Sweep:
    """Try every setting of the grid, fixed silences beside them, and today's.

    Args:
        tracks: what is heard of the callers.
        cues: words of their language.
        today: what the bot is set to; only its waits are changed.
    """
    today = today or TurnOptions()
    fixed = [replace(today, silence=each) for each in FIXED]
    every = 1 if sum(len(track.turns) for track in tracks) < MANY else 2
    grid = [
        replace(today, finished=finished, unsure=unsure, unfinished=unfinished)
        for finished, unsure, unfinished in product(FINISHED[::every], UNSURE[::every], UNFINISHED[::every])
        if finished <= unsure <= unfinished
    ]
    return Sweep(
        tried(tracks, today, cues),
        tuple(tried(tracks, each, cues, FixedSilence) for each in fixed),
        tuple(tried(tracks, each, cues) for each in grid),
        tuple(pause for track in tracks for pause in track.pauses),
    )


def front(outcomes: Iterable[Outcome], today: Outcome) -> list[Outcome]:
    """Those that no other one betters in one of the two without being worse in the other, the quickest first.

    Args:
        outcomes: those that end fewer turns than today's before the next one begins are left out.
        today: of equal ones the one whose waits are closest to this is taken.
    """
    best: list[Outcome] = []
    for each in sorted(_able(outcomes, today), key=lambda each: _quick(each, today.options)):
        if not best or each.score.cut_offs < best[-1].score.cut_offs:
            best.append(each)
    return best


def recommend(swept: Sweep) -> Recommended:
    """What to take instead of today's: nothing that makes one caller in ten wait longer by more than `LONGER`.

    Among equals the one that makes callers wait less on the whole, then the one that is closest to today's.
    """
    now, today = swept.today.score, swept.today.options
    able = [each for each in _able(swept.adaptive, swept.today) if each.score.p90 <= now.p90 + LONGER]
    safer = [each for each in able if each.score.median <= now.median + _ALIKE and each.score.cut_offs < now.cut_offs]
    quicker = [each for each in able if each.score.cut_offs <= now.cut_offs and each.score.median < now.median - _ALIKE]
    return Recommended(
        min(safer, key=lambda each: (each.score.cut_offs, *_quick(each, today)), default=None),
        min(quicker, key=lambda each: _quick(each, today), default=None),
    )


def _able(outcomes: Iterable[Outcome], today: Outcome) -> list[Outcome]:
    """Those that end as many turns in time as today's: who ends none cuts nobody off."""
    now = today.score
    scores = ((each, each.score) for each in outcomes)
    return [each for each, its in scores if its.waits and its.missed <= now.missed and its.merged <= now.merged]


def _quick(each: Outcome, near: TurnOptions) -> tuple[float, ...]:
    """To sort by: the median wait, cut-offs, the mean wait, how far the waits are from others."""
    away = sum(abs(getattr(each.options, name) - getattr(near, name)) for name in WAITS)
    return round(each.score.median / _ALIKE), each.score.cut_offs, round(each.score.mean / _ALIKE), away
