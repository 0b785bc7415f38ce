"""What a what-if came to, for people and as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voiceloop.flight.reader import Flight
from voiceloop.replay.what_if.desk import Desk
from voiceloop.replay.what_if.ground import Departure, Standing
from voiceloop.replay.what_if.line import LineFacts
from voiceloop.replay.what_if.recorded import Recorded
from voiceloop.replay.what_if.settings import Changed
from voiceloop.replay.what_if.shown import text_of
from voiceloop.replay.what_if.turns import Row, Totals, by_clock, rows_of, said_of, totals_of

__all__ = ["WhatIf", "outcome_of"]


@dataclass(slots=True)
class WhatIf:
    """A recorded call as it was, and as it would have been."""

    path: str
    settings: list[Changed]
    rows: list[Row]
    """Turn by turn."""
    recorded: Totals
    today: Totals
    departures: list[Departure]
    """Where today's call asked for what the recording does not hold, in order. Empty: all of it is known."""
    known: float
    """Seconds since the call began, up to which it is known."""
    length: float
    """Of the recorded call, seconds."""
    whole: bool
    """Whether the what-if went to the end of the call."""
    zero: float
    """When the call began, seconds on the loop's clock."""
    round_trip: float
    """Of the line, as it was taken, seconds."""
    measured: bool
    """Whether the recording told it."""
    reason: str
    """Why today's call ended; empty when that is not known."""
    faults: list[str]
    """What went wrong in it that had not gone wrong before."""
    spoken_into: int
    """Of today's interruptions: those of an answer that began in the midst of what the caller was saying."""
    by_clock: int
    """Of today's interruptions: those where the recorded caller had let the agent finish. They speak at the recorded
    time, and the agent is later today; a caller who hears it would be, too."""

    @property
    def split(self) -> int:
        """Turns that would have been taken for more than one, because the caller went on."""
        return sum(row.what == "split" or _more(row) for row in self.rows)

    @property
    def merged(self) -> int:
        """Turns that would have been one of several."""
        return sum(row.what == "merged" for row in self.rows)

    def __str__(self) -> str:
        return text_of(self)

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "settings": {each.name: {"recorded": each.before, "today": each.after} for each in self.settings},
            "turns": [
                {
                    "what": row.what,
                    "ground": row.standing.value,
                    "recorded": [each.as_dict(self.zero) for each in row.recorded],
                    "today": [each.as_dict(self.zero) for each in row.today],
                }
                for row in self.rows
            ],
            "totals": {"recorded": self.recorded.as_dict(), "today": self.today.as_dict()},
            "split": self.split,
            "merged": self.merged,
            "departures": [each.as_dict() for each in self.departures],
            "known_seconds": round(self.known, 3),
            "whole": self.whole,
            "round_trip": {"seconds": round(self.round_trip, 4), "measured": self.measured},
            "reason": self.reason,
            "faults": self.faults,
            "spoken_into": self.spoken_into,
            "interruptions_by_clock": self.by_clock,
        }


def _more(row: Row) -> bool:
    return sum(each.begins - 1 for each in row.today) > sum(each.begins - 1 for each in row.recorded)


def outcome_of(flight: Flight, recorded: Recorded, line: LineFacts, desk: Desk, changed: list[Changed]) -> WhatIf:
    """Compare the two."""
    zero = flight.header["at"]
    end = float("inf") if desk.known_until is None else desk.known_until
    notes = [note for note in desk.notes if note["noted"] < end or note["k"] == "turn"]
    then, now = said_of(recorded.notes), said_of(notes)
    rows = rows_of(then, now, end)
    for row in rows:
        row.standing = _worst(desk.ground.of_turn(each.ended) for each in row.today)
    report = desk.report
    faults = [fault.kind for fault in report.faults] if report is not None else []
    for fault in (flight.report or {}).get("faults", []):
        if fault["kind"] in faults:
            faults.remove(fault["kind"])
    known = line.ends - zero if desk.known_until is None else desk.known_until - zero
    return WhatIf(
        str(flight.path),
        changed,
        rows,
        totals_of(then, recorded.notes),
        totals_of(now, notes),
        desk.ground.departures,
        known,
        line.ends - zero,
        desk.known_until is None,
        zero,
        line.round_trip,
        line.measured,
        report.reason if report is not None and desk.known_until is None else "",
        faults,
        *by_clock(recorded.notes, notes),
    )


def _worst(standings: Any) -> Standing:
    order = list(Standing)
    return max(standings, key=order.index, default=Standing.RECORDED)
