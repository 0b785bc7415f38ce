"""The turns of a call, as it was recorded and as it would be, beside each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from voiceloop.replay.what_if.ground import Standing

__all__ = ["Row", "Said", "Totals", "by_clock", "rows_of", "said_of", "totals_of"]

SAME: Final = 0.15
"""Seconds within which two turns begin or end at the same words."""


@dataclass(slots=True)
class Said:
    """A turn of the caller, and what came of it. Times are seconds on the loop's clock."""

    text: str
    started: float
    ended: float
    """When the caller's last word ended."""
    decided: float
    begins: int = 1
    """How often it was held to be over: more than once when the caller went on."""
    answer: int = 0
    heard: str = ""
    unheard: str = ""
    interrupted: bool = False
    wait: dict[str, float] | None = None
    """Milliseconds to the first sound, ``total`` and its parts; None when nothing was heard."""

    def as_dict(self, zero: float) -> dict[str, Any]:
        """As plain values, times in seconds since the call began."""
        times = {name: round(getattr(self, name) - zero, 3) for name in ("started", "ended", "decided")}
        told = {name: getattr(self, name) for name in ("text", "heard", "unheard", "interrupted")}
        return {**told, **times, "held_to_be_over": self.begins, "wait_ms": self.wait}


@dataclass(slots=True)
class Row:
    """What was one turn, or is one now."""

    what: str
    """``same``, ``changed``, ``merged``, ``split``, ``divided otherwise``, ``new``, ``gone`` or ``not known``."""
    recorded: list[Said] = field(default_factory=list)
    today: list[Said] = field(default_factory=list)
    standing: Standing = Standing.RECORDED

    @property
    def began(self) -> float:
        return min(each.started for each in (*self.recorded, *self.today))


@dataclass(slots=True)
class Totals:
    """Of one side."""

    turns: int
    answered: int
    """Turns of which an answer was heard."""
    wait: float | None
    """Median of their waits, milliseconds."""
    interruptions: int
    """Answers that were cut while they were heard."""
    cut_in: int
    """How often a turn was held to be over, and the caller went on."""

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "turns": self.turns,
            "answered": self.answered,
            "median_wait_ms": None if self.wait is None else round(self.wait, 1),
            "interruptions": self.interruptions,
            "caller_went_on": self.cut_in,
        }


def said_of(notes: Iterable[dict[str, Any]]) -> list[Said]:
    """The turns in the notes of a call. One that goes on from the turn before takes its place."""
    turns: list[Said] = []
    by_answer: dict[int, Said] = {}
    for note in notes:
        if note["k"] == "said":
            started, ended, _, decided = note["times"]
            turn = Said(note["text"], started, ended, decided)
            if note["continued"] and turns:
                before = turns.pop()
                turn.begins = before.begins + 1
                turn.started = min(turn.started, before.started)
            turns.append(turn)
        elif note["k"] in ("answer", "commit") and turns and note["decided"] == turns[-1].decided:
            turns[-1].answer = note["answer"]
            by_answer[note["answer"]] = turns[-1]
        elif note["k"] == "turn" and (done := by_answer.get(note["answer"])) is not None:
            done.heard, done.unheard = note["heard"], note["unheard"]
            done.interrupted, done.wait = note["interrupted"], note["latency_ms"]
    return turns


def _cuts(notes: Iterable[dict[str, Any]]) -> dict[int, float]:
    """Answers that were cut while they were heard, and when."""
    playing: set[int] = set()
    cut: dict[int, float] = {}
    for note in notes:
        if note["k"] == "playing":
            playing.add(note["answer"])
        elif note["k"] == "interruption" and note["answer"] in playing:
            cut.setdefault(note["answer"], note["at"])
    return cut


def by_clock(recorded: Iterable[dict[str, Any]], today: Iterable[dict[str, Any]]) -> tuple[int, int]:
    """Of today's interruptions those that were none: how many fall into the midst of what the recorded caller was
    saying, and how many where they had let the agent finish before they spoke."""
    recorded, today = list(recorded), list(today)
    heard: dict[int, list[float]] = {}
    for note in recorded:
        if note["k"] == "playing":
            heard[note["answer"]] = [note["noted"], float("inf")]
        elif note["k"] in ("heard", "interruption") and note["answer"] in heard:
            heard[note["answer"]][1] = min(heard[note["answer"]][1], note["noted"] + SAME)
    began = {note["answer"]: note["noted"] for note in reversed(today) if note["k"] == "playing"}
    then = said_of(recorded)
    amid = finished = 0
    for answer, at in _cuts(today).items():
        if any(each.started < began[answer] < each.ended for each in then):
            amid += 1
        elif not any(begin <= at <= end for begin, end in heard.values()):
            finished += 1
    return amid, finished


def totals_of(turns: Sequence[Said], notes: Iterable[dict[str, Any]]) -> Totals:
    """What stands at the end of one side."""
    waits = [each.wait["total"] for each in turns if each.wait]
    cut_in = sum(each.begins - 1 for each in turns)
    return Totals(len(turns), len(waits), median(waits) if waits else None, len(_cuts(notes)), cut_in)


def rows_of(recorded: Sequence[Said], today: Sequence[Said], known_until: float) -> list[Row]:
    """Both sides in rows: turns of the two that are about the same words stand together."""
    sides = [(each, True) for each in recorded] + [(each, False) for each in today]
    rows: list[Row] = []
    end = float("-inf")
    for each, then in sorted(sides, key=lambda side: (side[0].started, side[0].ended)):
        if not rows or each.started >= end - 1e-6:
            rows.append(Row(""))
            end = each.ended
        end = max(end, each.ended)
        (rows[-1].recorded if then else rows[-1].today).append(each)
    for row in rows:
        row.what = _what(row, known_until)
    return rows


def _what(row: Row, known_until: float) -> str:
    then, now = len(row.recorded), len(row.today)
    if not now:
        return "not known" if row.recorded[-1].decided >= known_until - SAME else "gone"
    if not then:
        return "new"
    if then == now == 1:
        return "same" if _alike(row.recorded[0], row.today[0]) else "changed"
    if now == 1:
        return "merged"
    return "split" if then == 1 else "divided otherwise"


def _alike(one: Said, other: Said) -> bool:
    told = ("text", "heard", "interrupted", "begins")
    if any(getattr(one, name) != getattr(other, name) for name in told):
        return False
    waits = [each.wait["total"] if each.wait else None for each in (one, other)]
    return waits[0] == waits[1] or (None not in waits and abs(waits[0] - waits[1]) < 20.0)  # type: ignore[operator]
