"""``voiceloop tune``: which silences suit one's own callers."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from voiceloop.errors import VoiceloopError, quoted, require
from voiceloop.tune.chart import save_chart
from voiceloop.tune.run import FEW, Tuned, TuneRequest, tune
from voiceloop.tune.sweeping import WAITS, Outcome, Recommended, front
from voiceloop.turns.events import TurnOptions

__all__ = ["as_values", "tune_folder"]

SHOWN: Final = 5
"""Files that were passed over and are named."""
COLUMNS: Final = {"silence": 9, "finished": 10, "unsure": 8, "unfinished": 12}
"""Options as the table shows them, and how wide."""


async def tune_folder(options: argparse.Namespace) -> int:
    """Tune; returns the exit status."""
    return await asyncio.to_thread(_tune, options)  # it reads, recognises and draws


def _tune(options: argparse.Namespace) -> int:
    picture = Path(options.out)
    _check(picture, options)
    request = TuneRequest(
        folder=Path(options.folder),
        recogniser=options.recogniser,
        vad=options.vad,
        noise=options.noise,
        join=options.join,
        seed=options.seed,
        language=options.language,
        today=_today(options.settings),
    )
    tuned = tune(request)
    heading = f"Turn-taking on {tuned.folder.path.resolve().name}"
    note = " ".join(_facts(tuned, request))
    if tuned.few:
        note = f"{_count(tuned.swept.pauses)}: too few to conclude anything. {note}"
    save_chart(tuned.swept, Recommended(None, None) if tuned.few else tuned.better, picture, heading, note)
    if options.json:
        print(json.dumps(as_values(tuned) | {"picture": str(picture)}))
        return 0
    print("\n".join(_told(tuned, request)))
    print(f"\nPicture: {picture}")
    return 0


def _check(picture: Path, options: argparse.Namespace) -> None:
    """See that what is asked for can be done, before anything is read."""
    if picture.suffix.lower() not in (".svg", ".png"):
        raise VoiceloopError(f"--out takes the name of a file that ends in .svg or .png, got {str(picture)!r}")
    if picture.suffix.lower() == ".png":
        require("PIL.Image", "picture", "A PNG")
    folder = picture.resolve().parent
    if picture.is_dir() or not folder.is_dir() or not os.access(picture if picture.exists() else folder, os.W_OK):
        raise VoiceloopError(f"{picture} cannot be written: name a file in a folder that exists with --out")
    if options.noise is not None and not -20 <= options.noise <= 80:
        raise VoiceloopError(f"--noise takes dB from the noise to the speech, -20 to 80, got {options.noise:g}")


def _today(settings: Sequence[str]) -> TurnOptions:
    """What the bot is set to."""
    given: dict[str, Any] = {}
    for each in settings:
        name, _, value = each.partition("=")
        name = name.removeprefix("turns.")
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if name not in WAITS or not 0 < seconds <= 60:
            raise VoiceloopError(
                f"--set takes {', '.join(WAITS[:-1])} or {WAITS[-1]} in seconds, such as unsure=0.8; got "
                f"{quoted(each)!r}"
            )
        given[name] = seconds
    return TurnOptions(**given)


# --- in words -----------------------------------------------------------------------------------------------


def _facts(tuned: Tuned, request: TuneRequest) -> Iterator[str]:
    """What was heard, and how."""
    yield f"{tuned.clips} recording{'s' * (tuned.clips != 1)}{', joined' if request.join else ''},"
    yield f"{_length(tuned.seconds)}, {tuned.turns} turn{'s' * (tuned.turns != 1)};"
    yield f"voice activity: {' and '.join(tuned.vads)}; words: {' and '.join(tuned.recognisers)};"
    yield "no noise added" if request.noise is None else f"noise {request.noise:g} dB below the speech"


def _told(tuned: Tuned, request: TuneRequest) -> Iterator[str]:
    swept = tuned.swept
    yield " ".join(_facts(tuned, request))
    yield _pauses(swept.pauses)
    for name, why in tuned.folder.passed_over[:SHOWN]:
        yield f"Passed over: {name}: {why}"
    if len(tuned.folder.passed_over) > SHOWN:
        yield f"Passed over: {len(tuned.folder.passed_over) - SHOWN} more"
    yield ""
    yield "Silences that end a turn, and from the end of speech to the end of the turn, in milliseconds:"
    yield ""
    yield from _table(tuned)
    yield ""
    yield from _advice(tuned, request)


def _pauses(pauses: Sequence[float]) -> str:
    if not pauses:
        return "No pause inside a turn, and only in one a caller can be cut off."
    longest = f"the longest {max(pauses) * 1000:.0f} ms"
    return f"{_count(pauses)}, {longest}: only there a caller can be cut off."


def _count(pauses: Sequence[float]) -> str:
    return f"{len(pauses) or 'No'} pause{'s' * (len(pauses) > 1)} inside turns"


def _table(tuned: Tuned) -> Iterator[str]:
    swept, better = tuned.swept, tuned.better
    heads = "".join(each.rjust(width) for each, width in COLUMNS.items())
    yield f"{'':10}{heads}{'turns cut off':>22}{'wait, median':>15}{'mean':>8}{'90 %':>8}"
    yield _row("today", swept.today)
    for name, outcome in (("safer", better.safer), ("quicker", better.quicker)):
        if outcome is not None and not tuned.few:
            yield _row(name, outcome)
    yield ""
    for each in front(swept.adaptive, swept.today):
        yield _row("adaptive", each)
    yield ""
    for each in swept.fixed:
        yield _row("fixed", each)
    score = swept.today.score
    told = [
        (score.missed, "never held to be over today: nothing was noticed or understood of them, or not of their end"),
        (score.merged, "held today to go on in the next one"),
        (score.stray, "held today to be a turn that was none"),
    ]
    if any(count for count, _ in told):
        yield ""
    yield from (f"{count} {what}." for count, what in told if count)


def _row(name: str, outcome: Outcome) -> str:
    score = outcome.score
    settings = {each: f"{getattr(outcome.options, each) * 1000:.0f}" for each in outcome.names}
    cut = f"{score.cut_offs} of {score.turns}{100 * score.rate:8.1f} %"
    times = [_ms(each) for each in (score.median, score.mean, score.p90)]
    cells = "".join(settings.get(each, "").rjust(width) for each, width in COLUMNS.items())
    return f"{name:<10}{cells}{cut:>22}{times[0]:>15}{times[1]:>8}{times[2]:>8}"


def _advice(tuned: Tuned, request: TuneRequest) -> Iterator[str]:
    if tuned.few:
        yield (
            f"Too few pauses to conclude anything: {len(tuned.swept.pauses)} inside turns. Below {FEW} the share of "
            "turns cut off is chance."
        )
        yield (
            "Recordings of whole calls have more of them."
            if request.join
            else "Recordings of whole calls have more of them; --join puts some in."
        )
        return
    better = tuned.better
    if better.safer is None and better.quicker is None:
        yield "No setting cuts fewer callers off without a longer wait, or is quicker without more cut-offs: leave it."
    if better.safer is not None:
        yield "Fewest cut-offs with a median wait no longer than today's:"
        yield f"    {better.safer.line}"
    if better.quicker is not None:
        yield "Shortest median wait with no more cut-offs than today:"
        yield f"    {better.quicker.line}"


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _ms(seconds: float) -> str:
    return "-" if math.isnan(seconds) else f"{seconds * 1000:.0f}"


# --- as JSON ------------------------------------------------------------------------------------------------


def as_values(tuned: Tuned) -> dict[str, Any]:
    """All of it as plain values."""
    swept, better = tuned.swept, tuned.better
    return {
        "folder": str(tuned.folder.path),
        "passed_over": [{"file": name, "why": why} for name, why in tuned.folder.passed_over],
        "recordings": tuned.clips,
        "seconds": round(tuned.seconds, 3),
        "recognisers": list(tuned.recognisers),
        "vads": list(tuned.vads),
        "pauses": [round(pause, 3) for pause in swept.pauses],
        "too_few_pauses": tuned.few,
        "today": _values(swept.today),
        # Of too few pauses, too: read "too_few_pauses" first.
        "safer": None if better.safer is None else _values(better.safer),
        "quicker": None if better.quicker is None else _values(better.quicker),
        "fixed": [_values(each) for each in swept.fixed],
        "adaptive": [_values(each) for each in swept.adaptive],
    }


def _values(outcome: Outcome) -> dict[str, Any]:
    score = outcome.score
    times = {"median": score.median, "mean": score.mean, "p90": score.p90}
    return {
        **{name: getattr(outcome.options, name) for name in outcome.names},
        "line": outcome.line,
        "cut_offs": score.cut_offs,
        "turns": score.turns,
        "rate": None if math.isnan(score.rate) else round(score.rate, 4),
        "wait_ms": {name: None if math.isnan(value) else round(value * 1000, 1) for name, value in times.items()},
        "merged": score.merged,
        "missed": score.missed,
        "stray": score.stray,
    }
