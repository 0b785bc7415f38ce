"""What a keeper has in memory besides live calls: calls that may come back, and records for the database. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voiceloop.store.call_state import CallState
from voiceloop.store.record import CallRecord

__all__ = ["Shelf", "Waiting"]


@dataclass(slots=True)
class Waiting:
    """A call that has lost its line, or its process."""

    state: CallState
    until: float
    """When it is held to be over, seconds on the loop's clock."""
    filed: bool
    """Whether the spool has it, too: then it is gone when it is gone there."""
    dirty: bool = True
    """Whether others are still to be told."""
    seq: int = 0
    """Counts how often they were."""


@dataclass(slots=True)
class _Due:
    record: CallRecord | None
    """None: it is in the spool alone."""
    filed: bool
    doubtful: bool


class Shelf:
    """Each call is on it once, at most: waiting, or due.

    Args:
        most: records that are kept in memory; further ones are left in the spool until it is their turn.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[str, Waiting] = {}
        self._due: dict[str, _Due] = {}

    @property
    def due(self) -> int:
        """How many records are to be written."""
        return len(self._due)

    def wait(self, waiting: Waiting) -> None:
        """A call may come back."""
        self._due.pop(waiting.state.sid, None)
        self._waiting[waiting.state.sid] = waiting

    def waiting(self, sid: str) -> Waiting | None:
        """The call, if it may come back."""
        return self._waiting.get(sid)

    def put(self, record: CallRecord, *, filed: bool, doubtful: bool = False) -> None:
        """A record is to be written. `doubtful`: unless the call has gone on on another machine."""
        self._waiting.pop(record.id, None)
        held = record if not filed or len(self._due) < self._most else None
        self._due[record.id] = _Due(held, filed, doubtful)

    def pop(self, sid: str) -> CallState | None:
        """Take a call off, for it goes on. None when it is not here, or in the spool alone."""
        waiting, due = self._waiting.pop(sid, None), self._due.pop(sid, None)
        if waiting is not None:
            return waiting.state
        if due is None or due.record is None:
            return None
        record = due.record
        return CallState(record, record.ended, ending=record.reason, finished=True)

    def forget(self, sid: str) -> bool:
        """Take a call off. Returns whether its record was to be written."""
        self._waiting.pop(sid, None)
        return self._due.pop(sid, None) is not None

    def filed(self) -> list[str]:
        """Calls that are in the spool, too."""
        both: Iterator[tuple[str, Waiting | _Due]] = iter([*self._waiting.items(), *self._due.items()])
        return [sid for sid, each in both if each.filed]

    def expired(self, now: float) -> list[CallState]:
        """Calls that did not come back in time. They are on the shelf no more."""
        gone = [sid for sid, waiting in self._waiting.items() if waiting.until <= now]
        return [self._waiting.pop(sid).state for sid in gone]

    def some_due(self, most: int) -> tuple[dict[str, CallRecord | None], set[str]]:
        """The first records that are to be written, None for one that is in the spool alone; and the doubtful ones."""
        some = dict(list(self._due.items())[:most])
        return {sid: due.record for sid, due in some.items()}, {sid for sid, due in some.items() if due.doubtful}

    def to_mirror(self, most: int) -> list[Waiting]:
        """Calls that others are to be told of; they count as told."""
        some = [waiting for waiting in self._waiting.values() if waiting.dirty][: max(0, most)]
        for waiting in some:
            waiting.dirty, waiting.seq = False, waiting.seq + 1
        return some

    def mirror_again(self) -> None:
        """Others are to be told of all that wait."""
        for waiting in self._waiting.values():
            waiting.dirty = True
