"""How often callers are cut off, and how long they wait: `AdaptiveEndpointing` against fixed silences. Of `turns.py`.

The calls of `turns_corpus.py` are heard by the library's own voice activity and recogniser (`turns_heard.py`), and
turn-taking decides about them in virtual time with each setting (`voiceloop.tune`). Both kinds of endpointing get the
same words at the same times.

A false cut-off is a turn that was held to be over at least once before the caller had finished. The wait is counted
from the true last sample of speech to the decision, so the recogniser's time is in it. "At equal median wait" means:
the fixed silence's curve is read off where its median wait is that of the adaptive setting. The adaptive waits are
uneven: most are short, some are long, so their mean lies above their median. "At equal mean wait" reads the same curve
where its mean wait is that of the adaptive setting; there the adaptive one gains less, and both are shown.

**A call has two sides.** Nobody says "two people" to a phone that has said nothing, and what was asked tells how an
answer looks. So the recordings are answers here: each kind of them has one question (`QUESTIONS`), written from the
kind alone and not from what is said, the same for all of a kind; in the room booking, whose recordings are single steps
of a dialogue, one for each step. What is read aloud or asked out of the blue has none. These calls are the headline;
the line "no question" beside it has the same turns with nothing asked. No question says how much is to come ("What is
your number?", not "a number of 15 digits"), and no bot sets `call.expect`.

**What was chosen on what.** `finished`, `unsure` and `unfinished` of `TurnOptions` were chosen on seeds 10 to 12; the
figures published are of seeds 0 to 4. The recordings are the same in both, only what is drawn differs: this keeps
the draws honest, not the recordings.

**How sure this is.** Some 30 recordings of some 15 people, nearly all of them read or acted, so the recordings weigh
more than anything else: the interval is the 5th and 95th percentile of a bootstrap over them. Where pauses fall and how
long they are is drawn; several seeds are pooled, so that little of that is left.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from math import ceil
from pathlib import Path
from statistics import fmean, median
from typing import Any

from models import word_errors, words_of
from turns_artificial import sentences
from turns_corpus import Layout, RecordedCall, calls
from turns_floors import Floor, main
from turns_heard import Memory, clip_of, hear, stretches
from turns_recordings import places, recordings

from voiceloop.languages import LANGUAGES
from voiceloop.tune.driving import drive
from voiceloop.tune.listening import Track, listen
from voiceloop.tune.scoring import score
from voiceloop.tune.words import Known
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.energy import EnergyModel

__all__ = ["CONDITIONS", "FLOORS", "Heard", "Outcome", "corpus", "lines", "measure"]

CONDITIONS: dict[str, float | None] = {"clean": None, "20 dB": 20.0, "10 dB": 10.0}
"""Speech over noise."""
FLOORS = tuple(Floor(f"{noise}.with_question.ratio", most=0.5) for noise in ("20 dB", "10 dB"))
"""Cut-offs over those of a fixed silence with the same median wait: the default options, told what was asked, and no
`call.expect`."""
SPEECH = Path(__file__).resolve().parents[2] / "shared" / "speech"
ROUNDS = 2
"""How often each recording comes with each seed."""
SEEDS = 5
"""Draws of orders, pauses and noise that are pooled."""
SILENCES = (0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0)
SCALES = (0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
"""By which all three waits of the default options are multiplied, for the curve."""
QUESTIONS = {
    "order": "What can I get for you?",
    "digits": "What is your number?",
    "ps_cards": "Which cards?",
    "gc_df_book_a_room": "How can I help you?",
    "gc_df_mountain_view": "Where would you like the room?",
    "gc_df_today": "For what day?",
    "gc_df_230pm": "For what time?",
    "gc_df_half_an_hour": "For how long?",
    "gc_df_two_people": "How many people?",
}
"""What the agent has asked, by the kind of a recording or by how its name begins. Read speech, questions and the one
command to a machine answer nothing."""
RESAMPLES = 300


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One turn of a call as the library hears it."""

    call: str
    recording: str
    kind: str
    noise: str
    track: Track
    """Of this turn alone, until the next begins."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one turn."""

    cut: bool
    wait: float | None
    """Seconds; None when it was never held to be over."""


@dataclass(frozen=True, slots=True)
class Point:
    """A setting's figures over all turns of a condition. Seconds."""

    finished: float
    unsure: float
    unfinished: float
    cut_offs: float
    """Share of the turns, 0 to 1."""
    median: float
    mean: float
    p90: float
    missed: int
    """Turns that were never held to be over."""


# --- the corpus ---------------------------------------------------------------------------------------------------


def corpus(folder: Path, rounds: int = ROUNDS, seeds: Sequence[int] = range(SEEDS)) -> dict[str, list[Heard]]:
    """The turns of every condition, in order, of all seeds."""
    memory = Memory()
    found = recordings(folder, stretches)
    put = {each.name: places(each, memory.text, _differs) for each in found}
    return {
        name: [
            replace(turn, call=f"{seed} {turn.call}")
            for seed in seeds
            for turn in _turns(calls(found, put, Layout(snr, rounds, seed)), lambda call: hear(call, memory))
        ]
        for name, snr in CONDITIONS.items()
    }


def _turns(made: Iterable[RecordedCall], listening: Callable[[RecordedCall], Track]) -> list[Heard]:
    return [turn for call in made for turn in by_turn(call, listening(call))]


def artificial(seed: int) -> dict[str, list[Heard]]:
    """A few turns of artificial words, understood as they were said."""
    found, put = sentences()
    made = calls(found, put, Layout(None, 2, seed))
    return {"clean": _turns(made, lambda call: listen(clip_of(call), Known, EnergyModel()))}


def _differs(reference: str, text: str) -> int:
    return word_errors(words_of(reference), words_of(text))


class _Later:
    """A recogniser of a call whose first stretches belong to other turns."""

    def __init__(self, track: Track, first: int) -> None:
        self._of, self._first = track.recogniser, first

    def answers(self, first: int, last: int) -> Any:
        """See `voiceloop.tune.words.Recogniser`."""
        return self._of.answers(first + self._first, last + self._first)


def by_turn(call: RecordedCall, track: Track) -> Iterable[Heard]:
    """A call turn by turn: what is noticed until the next one begins belongs to a turn."""
    edges = [turn.started for turn in track.turns[1:]] + [float("inf")]
    first = 0
    for spoken, true, until in zip(call.turns, track.turns, edges, strict=True):
        end = first
        while end < len(track.stretches) and track.stretches[end].ended <= until:
            end += 1
        own = replace(track, stretches=track.stretches[first:end], turns=(true,), recogniser=_Later(track, first))
        yield Heard(call.name, spoken.recording, spoken.kind, call.noise, own)
        first = end


# --- one setting ----------------------------------------------------------------------------------------------------


class _Adaptive(AdaptiveEndpointing):
    """The library's own. What it makes of a sound is kept: every setting asks for it again."""

    def judge(self, audio: bytes) -> float:
        return _judged(audio)


@cache
def _judged(audio: bytes) -> float:
    return AdaptiveEndpointing().judge(audio)


def question_of(turn: Heard) -> str:
    """What the agent has asked before a turn; empty for nothing."""
    by_name = (asked for begin, asked in QUESTIONS.items() if turn.recording.startswith(begin))
    return QUESTIONS.get(turn.kind) or next(by_name, "")


def outcomes(
    turns: Sequence[Heard], options: TurnOptions, make: Callable[[], Endpointing], *, told: bool = False
) -> list[Outcome]:
    """What becomes of every turn. `make` is called once for each call. `told`: it knows what was asked."""
    cues = LANGUAGES["en"].cues
    endpointing, call = make(), ""
    found = []
    for turn in turns:
        if turn.call != call:
            endpointing, call = make(), turn.call
        track = replace(turn.track, asked=((0.0, question_of(turn)),)) if told else turn.track
        scored = score(drive(track, options, lambda used=endpointing: used, cues), track.turns)  # type: ignore[misc]
        found.append(Outcome(scored.cut_offs > 0, scored.waits[0] if scored.waits else None))
    return found


def fixed(turns: Sequence[Heard], silence: float) -> list[Outcome]:
    """With a fixed silence."""
    return outcomes(turns, options_of(silence, silence, silence), FixedSilence)


def options_of(finished: float, unsure: float, unfinished: float) -> TurnOptions:
    """The three waits, kept in their order. Where they are equal, that is the fixed silence as well."""
    waits = TurnOptions(finished=finished, unsure=max(unsure, finished), unfinished=max(unfinished, unsure))
    return replace(waits, silence=unsure)


def point(options: TurnOptions, found: Sequence[Outcome]) -> Point:
    """The figures of a setting."""
    waits = sorted(each.wait for each in found if each.wait is not None)
    return Point(
        round(options.finished, 3),
        round(options.unsure, 3),
        round(options.unfinished, 3),
        fmean(each.cut for each in found),
        median(waits),
        fmean(waits),
        waits[ceil(0.9 * len(waits)) - 1],
        len(found) - len(waits),
    )


def cut_offs_at(curve: Iterable[tuple[float, float]], wait: float) -> float:
    """Cut-offs of a curve of (wait, cut-offs) where its wait is this; those at its end where it does not reach."""
    curve = sorted(curve)
    at = bisect_left(curve, (wait, -1.0))
    if at in (0, len(curve)):
        return curve[min(at, len(curve) - 1)][1]
    (left, above), (right, below) = curve[at - 1], curve[at]
    return above + (below - above) * (wait - left) / (right - left)


# --- all of them ----------------------------------------------------------------------------------------------------


def measure(n: int = SEEDS, seed: int = 0, speech: Path = SPEECH) -> dict[str, Any]:
    """Every condition: the curves, what the question and the sound tell, and each kind of turn.

    Args:
        n: how many seeds are pooled; 0 for a few turns of artificial words, which need no recordings and no models and
            whose figures mean nothing.
        seed: the first of them.
        speech: folder with the recordings. Empty result when it is not there.
    """
    if n and not (speech / "manifest.tsv").is_file():
        return {}
    heard = corpus(speech, ROUNDS, range(seed, seed + n)) if n else artificial(seed)
    return {name: _condition(turns) for name, turns in heard.items()}


def _condition(turns: Sequence[Heard]) -> dict[str, Any]:
    default = TurnOptions()
    by_silence = {silence: fixed(turns, silence) for silence in SILENCES}
    line = [point(options_of(silence, silence, silence), found) for silence, found in by_silence.items()]
    scaled = [options_of(default.finished * k, default.unsure * k, default.unfinished * k) for k in SCALES]
    ours = outcomes(turns, default, _Adaptive)
    told = outcomes(turns, default, _Adaptive, told=True)
    return {
        "turns": len(turns),
        "recordings": len({turn.recording for turn in turns}),
        "pauses": sum(len(turn.track.pauses) for turn in turns),
        "turns_with_pauses": sum(1 for turn in turns if turn.track.pauses),
        "turns_with_a_question": sum(1 for turn in turns if question_of(turn)),
        "fixed": [asdict(each) for each in line],
        "adaptive": [asdict(point(options, outcomes(turns, options, _Adaptive))) for options in scaled],
        "told": [asdict(point(options, outcomes(turns, options, _Adaptive, told=True))) for options in scaled],
        "with_question": _beside(point(default, told), line),
        "with_question_interval": _interval(turns, told, by_silence),
        "default": _beside(point(default, ours), line),
        "default_interval": _interval(turns, ours, by_silence),
        "kinds": _apart([turn.kind for turn in turns], told, by_silence),
        "noises": _apart([turn.noise for turn in turns], told, by_silence),
    }


def _beside(own: Point, line: Sequence[Point]) -> dict[str, Any]:
    """A setting's figures, and what a fixed silence does with the same median wait and with the same mean wait."""
    median_alike = cut_offs_at(((each.median, each.cut_offs) for each in line), own.median)
    mean_alike = cut_offs_at(((each.mean, each.cut_offs) for each in line), own.mean)
    return asdict(own) | {
        "fixed_cut_offs": median_alike,
        "ratio": own.cut_offs / median_alike if median_alike else None,
        "fixed_cut_offs_at_mean": mean_alike,
        "ratio_at_mean": own.cut_offs / mean_alike if mean_alike else None,
    }


def _apart(
    names: Sequence[str], found: Sequence[Outcome], by_silence: dict[float, list[Outcome]]
) -> dict[str, dict[str, Any]]:
    """The turns of each name by themselves, beside the fixed silences over them."""
    result = {}
    for name in sorted(set(names)):
        own = [index for index, each in enumerate(names) if each == name]
        line = [
            point(options_of(silence, silence, silence), [beside[index] for index in own])
            for silence, beside in by_silence.items()
        ]
        result[name] = _beside(point(TurnOptions(), [found[index] for index in own]), line) | {"turns": len(own)}
    return result


def _median(found: Sequence[Outcome], chosen: Sequence[int]) -> float:
    return median(wait for index in chosen if (wait := found[index].wait) is not None)


def _rate(found: Sequence[Outcome], chosen: Sequence[int]) -> float:
    return fmean(found[index].cut for index in chosen)


def _interval(
    turns: Sequence[Heard], ours: Sequence[Outcome], by_silence: dict[float, list[Outcome]]
) -> list[float | None]:
    """The 5th and 95th percentile of the ratio at equal median wait when other recordings had been drawn: a bootstrap
    over the recordings."""
    by_text: dict[str, list[int]] = {}
    for index, turn in enumerate(turns):
        by_text.setdefault(turn.track.turns[0].text, []).append(index)
    choose, texts, ratios = random.Random("bootstrap"), sorted(by_text), []
    for _ in range(RESAMPLES):
        drawn = [index for text in choose.choices(texts, k=len(texts)) for index in by_text[text]]
        curve = [(_median(found, drawn), _rate(found, drawn)) for found in by_silence.values()]
        beside = cut_offs_at(curve, _median(ours, drawn))
        if beside:
            ratios.append(_rate(ours, drawn) / beside)
    ratios.sort()
    return [round(ratios[round(at * (len(ratios) - 1))], 3) for at in (0.05, 0.95)] if ratios else [None, None]


def lines(result: dict[str, Any]) -> list[str]:
    """A table for people."""
    if not result:
        return ["False cut-offs: not measured, there are no recordings (see benchmarks/README.md)"]
    some = next(iter(result.values()))
    rows = [
        "False cut-offs (share of turns), and those of a fixed silence with the same median or the same mean wait",
        f"{some['recordings']} recordings in {some['turns']} turns; {some['pauses']} pauses noticed in "
        f"{some['turns_with_pauses']} of them; {some['turns_with_a_question']} answer a question. "
        "In brackets: 5th to 95th percentile, over other recordings, of the ratio at equal median",
        f"{'':39}{'wait, s':>24}{'':9}{'equal median':>15}{'equal mean':>15}",
        f"{'':39}{'median':>8}{'mean':>8}{'p90':>8}{'cut off':>9}{'fixed':>8}{'ratio':>7}{'fixed':>8}{'ratio':>7}",
    ]
    for name, found in result.items():
        for key, first, label in (("with_question", name, "default options"), ("default", "", "no question")):
            low, high = found[f"{key}_interval"]
            spread = f"  ({low:.2f} to {high:.2f})" if low is not None else ""
            missing = f"  {found[key]['missed']} never held to be over" if found[key]["missed"] else ""
            rows.append(f"{first:7}{label:32}{_row(found[key])}{spread}{missing}")
        rows += [f"{'':9}{kind:30}{_row(each)}" for kind, each in found["kinds"].items()]
        if len(found["noises"]) > 1:
            rows += [f"{'':9}{noise:30}{_row(each)}" for noise, each in found["noises"].items()]
    return rows


def _row(each: dict[str, Any]) -> str:
    waits = "".join(f"{each[key]:8.2f}" for key in ("median", "mean", "p90"))
    beside = (f"{each[f'fixed_cut_offs{at}']:8.1%}{_ratio(each[f'ratio{at}'])}" for at in ("", "_at_mean"))
    return f"{waits}{each['cut_offs']:9.1%}{''.join(beside)}"


def _ratio(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.2f}"


if __name__ == "__main__":
    main(__doc__, measure, lines, FLOORS, full=SEEDS, smoke=0)
