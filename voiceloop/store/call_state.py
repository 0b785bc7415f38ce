"""The state of one call as lines of JSON: what a process writes while the call goes on, and what others read of it.

The first line begins with the record so far (of a call that was on another line before, with all that was said there).
Each further line is one change. A last line that was cut short is left out: what stands before it is the state. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from voiceloop.carried import Carried
from voiceloop.cut_off import settled
from voiceloop.store.record import CallRecord, RecordError, fault_of, message_of, turn_of

__all__ = ["COMES_BACK", "LOST", "CallState", "encode", "lines_of", "read_state"]

LOST: Final = "lost"
"""The reason of a call whose process died, and which did not come back."""
COMES_BACK: Final = frozenset({"disconnected", "replaced", "server stopped", "cancelled", LOST})
"""Reasons that are the end of a line, not of the call: it may come back by its ``<Redirect>``."""

encode: Final = json.JSONEncoder(separators=(",", ":"), default=float).encode
"""A line without its end. In ASCII, so that any text can be written."""


@dataclass(slots=True)
class CallState:
    """A call so far."""

    record: CallRecord
    """Its record. The end of it counts when `finished`."""
    began: float
    """When this line began, unix seconds."""
    before: float = 0.0
    """Seconds that the call lasted on the lines before."""
    at: float = 0.0
    """Seconds on this line, at the last change."""
    ending: str = ""
    """Why this line is over; empty while it goes on, or when its process died."""
    finished: bool = False
    """Whether the report is in it."""

    @property
    def sid(self) -> str:
        """The call's id."""
        return self.record.id

    @property
    def over(self) -> bool:
        """Whether the call itself is over: nothing goes on any more."""
        return bool(self.ending) and self.ending not in COMES_BACK

    @property
    def age(self) -> tuple[int, float]:
        """Of two states of one call, the one with the greater is the newer."""
        return self.record.streams, self.began + self.at

    def apply(self, line: Mapping[str, Any]) -> None:
        """Take one change.

        Raises:
            RecordError: it does not fit what is known so far.
        """
        kind, record = line.get("k"), self.record
        try:
            self.at = float(line.get("at", self.at))
            if kind == "m":
                _put(record.conversation, line["n"], line["v"])
            elif kind == "t":
                _put(record.turns, line["n"], line["v"])
            elif kind == "f":
                _put(record.faults, line["n"], line["v"])
            elif kind == "u":
                record.usage = dict(line["v"])
            elif kind == "r":
                record.recordings = [str(file) for file in line["v"]]
            elif kind == "ending":
                self.ending = str(line["v"])
            elif kind == "end":
                lists = {name: getattr(record, name) for name in ("id", "conversation", "turns", "faults")}
                self.record = CallRecord.of_dict({**record.as_dict(), **line["v"], **lists})
                self.ending, self.finished = self.record.reason, True
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise RecordError(f"expected a change of a call's state, got a line of kind {str(kind)[:20]!r}") from error

    def settle(self, reason: str = "") -> CallRecord:
        """The record as it stands, closed.

        Args:
            reason: how the call ended, when nothing in it says so.
        """
        if self.finished:
            return self.record
        return replace(
            self.record,
            reason=self.ending or reason or LOST,
            ended=self.began + self.at,
            duration=self.before + self.at,
        )

    def carried(self) -> Carried:
        """What the call takes along to its next line.

        Raises:
            RecordError: something in it cannot be read.
        """
        record = self.record
        usage = dict(record.usage)
        for kind, count in record.watchdogs.items():  # a report has split them off
            usage[f"watchdog.{kind}"] = usage.get(f"watchdog.{kind}", 0) + count
        return Carried(
            messages=[settled(message_of(values)) for values in record.conversation],
            turns=[turn_of(values) for values in record.turns],
            usage=usage,
            faults=[fault_of(values) for values in record.faults],
            duration=record.duration if self.finished else self.before + self.at,
            streams=record.streams,
            served={kind: dict(counts) for kind, counts in record.served.items()},
        )

    def as_json(self) -> str:
        """The state in one text, which `of_json` reads."""
        values = {name: getattr(self, name) for name in ("began", "before", "at", "ending", "finished")}
        return encode({**values, "record": self.record.as_dict()})

    @classmethod
    def of_json(cls, text: str | bytes) -> CallState:
        """The state that `as_json` has written.

        Raises:
            RecordError: it is none.
        """
        try:
            return cls._of(json.loads(text))
        except (ValueError, RecursionError):
            raise RecordError("expected the JSON of a call's state") from None

    @classmethod
    def _of(cls, values: Any) -> CallState:
        try:
            return cls(
                record=CallRecord.of_dict(values["record"]),
                began=float(values["began"]),
                before=float(values["before"]),
                at=float(values["at"]),
                ending=str(values["ending"]),
                finished=bool(values["finished"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise error if isinstance(error, RecordError) else RecordError("expected a call's state") from error


def lines_of(state: CallState) -> bytes:
    """A state as the first line of a file."""
    return f'{{"k":"begin","v":{state.as_json()}}}\n'.encode("ascii")


def read_state(lines: Iterable[bytes]) -> CallState:
    """The state that the lines of a file come to, as far as they are whole.

    Raises:
        RecordError: the first line is not one that begins a call.
    """
    state: CallState | None = None
    for line in lines:
        if not line.endswith(b"\n"):
            break
        try:
            values = json.loads(line)
            if state is None:
                state = CallState._of(values["v"])
            else:
                state.apply(values)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            break  # a disk that was full, or a machine that lost its power, in the middle of it
    if state is None:
        raise RecordError("expected a file that begins with a call's state")
    return state


def _put(values: list[dict[str, Any]], place: int, value: dict[str, Any]) -> None:
    if not isinstance(value, dict) or not 0 <= place <= len(values):
        raise ValueError("it has no place")
    values[place : place + 1] = [value]
