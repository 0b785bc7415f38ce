"""A flight recording of a call as a clip: what the caller said, and what was noticed and understood of it, when.

What was truly a turn is judged by what happened: where the caller went on before they can have heard an answer, the
turn was not over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from voiceloop.flight.items import FlushNumber
from voiceloop.flight.reader import BadFlight, read_flight
from voiceloop.frames import Transcript
from voiceloop.replay.what_if.line import line_of
from voiceloop.replay.what_if.recorded import Recorded, read_recorded
from voiceloop.tune.clips import Clip, Noticed, Recognised, RecordedEars, TrueTurn

__all__ = ["REACTION", "read_call"]

REACTION: Final = 0.2
"""Seconds after the first sound of an answer within which nobody speaks because of it: who goes on then had not
finished. It is how long people take to answer a sound they wait for."""


def read_call(path: Path) -> Clip:
    """One recorded call.

    Raises:
        BadFlight: it is no flight recording, its audio or its words were left out, or the caller said nothing.
        OSError: it cannot be read.
    """
    flight = read_flight(path)
    if flight.redacted:
        raise BadFlight(f"{' and '.join(flight.redacted)} were left out when it was recorded")
    line, recorded = line_of(flight), read_recorded(flight)
    zero = line.begins + line.one_way
    turns = tuple(_turns(recorded.notes, zero, len(line.audio) / 8000))
    if not turns:
        raise BadFlight("the caller took no turn in it")
    asked = tuple((note["noted"] - zero, note["heard"]) for note in recorded.notes if note["k"] == "heard")
    ears = RecordedEars(tuple(_noticed(recorded.notes, zero)), tuple(_recognised(recorded, zero)), asked)
    return Clip(path.stem, line.audio, turns, ears)


@dataclass(slots=True)
class _Turn:
    text: str
    started: float
    ended: float
    decided: float
    heard: float = math.inf
    """When the first sound of its answer was."""


def _turns(notes: Sequence[dict[str, Any]], zero: float, seconds: float) -> Iterator[TrueTurn]:
    turns: list[_Turn] = []
    answers: dict[int, _Turn] = {}
    for note in notes:
        if note["k"] == "said":
            _take(turns, note)
        elif note["k"] == "answer" and turns and note["decided"] == turns[-1].decided:
            answers[note["answer"]] = turns[-1]
        elif note["k"] == "playing" and (turn := answers.get(note["answer"])) is not None:
            turn.heard = min(turn.heard, note["noted"])
    end = 0.0
    for turn in turns:
        started, ended = max(turn.started - zero, end), min(turn.ended - zero, seconds)
        if ended > started:  # else its audio did not come
            yield TrueTurn(turn.text, started, ended)
            end = ended


def _take(turns: list[_Turn], note: dict[str, Any]) -> None:
    """A turn was held to be over; it may be all of the one before and more, or only the rest of that."""
    started, ended, _, decided = note["times"]
    text = note["text"]
    before = turns[-1] if turns else None
    if before is not None and (note["continued"] or (started <= before.heard + REACTION and before.heard < math.inf)):
        turns.pop()
        started = min(started, before.started)
        text = text if note["continued"] else f"{before.text} {text}"
    turns.append(_Turn(text, started, ended, decided))


def _noticed(notes: Sequence[dict[str, Any]], zero: float) -> Iterator[Noticed]:
    for note in notes:
        if note["k"] in ("speech", "pause"):
            yield Noticed(note["noted"] - zero, note["at"] - zero, note["k"] == "speech")


def _recognised(recorded: Recorded, zero: float) -> Iterator[Recognised]:
    given = [
        Recognised(at - zero, item if isinstance(item, Transcript) else None, number)
        for number, made in enumerate(recorded.listened)
        for at, item in made.items
        if isinstance(item, Transcript | FlushNumber)
    ]
    return iter(sorted(given, key=lambda each: each.now))
