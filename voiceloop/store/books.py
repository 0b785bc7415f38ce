"""What a keeper of calls does with the database. All of it waits: it is called in a thread of its own."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from voiceloop.store.call_state import LOST, CallState
from voiceloop.store.joining import to_be_kept
from voiceloop.store.record import CallRecord, RecordError
from voiceloop.store.rows import Deleted, LiveRow
from voiceloop.store.store_errors import RecordRefused

__all__ = ["Books", "Found", "Kept", "Store"]


class Store(Protocol):
    """The part of `voiceloop.store.database.Database` that a keeper needs."""

    def write(self, records: Iterable[CallRecord]) -> list[CallRecord]: ...
    def get(self, id: str) -> CallRecord | None: ...
    def get_all(self, ids: Sequence[str]) -> list[CallRecord]: ...
    def put_live(self, rows: Iterable[LiveRow]) -> None: ...
    def take_live(self, call_id: str) -> LiveRow | None: ...
    def drop_live(self, ids: Iterable[str]) -> None: ...
    def stale_live(self, before: float, limit: int = 1000) -> list[LiveRow]: ...
    def delete_number(self, number: str) -> Deleted: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Kept:
    """What became of records."""

    done: list[str] = field(default_factory=list)
    """Ids of those that need be kept no longer: they are in the database, or it has newer ones."""
    refused: dict[str, str] = field(default_factory=dict)
    """Those that the database will never take, and why."""
    deleted: list[CallRecord] = field(default_factory=list)
    """Those whose number was deleted: they are not kept."""


@dataclass(slots=True)
class Found:
    """What the database knows of a call."""

    state: CallState | None = None
    """Of one that was going on elsewhere; it is no longer there."""
    record: CallRecord | None = None


class Books:
    """The database, for one worker.

    Args:
        store: the database.
        worker: a name that no other worker of any machine has.
        live: whether states of live calls are kept there, for other machines.
    """

    def __init__(self, store: Store, worker: str, *, live: bool) -> None:
        self._store = store
        self._worker = worker
        self._live = live

    def keep(self, records: Sequence[CallRecord], doubtful: Collection[str]) -> Kept:
        """Write records, each once.

        Args:
            records: one for each call.
            doubtful: ids of calls that have lost their lines here, and may have gone on on another machine.
        """
        kept, store = Kept(), self._store
        mine = [record for record in records if record.id not in doubtful or not self._elsewhere(record.id)]
        known = {record.id: record for record in store.get_all([record.id for record in mine])}
        new = [found for record in mine if (found := to_be_kept(known.get(record.id), record)) is not None]
        try:
            kept.deleted += store.write(new)
        except RecordRefused:
            for record in new:
                try:
                    kept.deleted += store.write([record])
                except RecordRefused as error:
                    kept.refused[record.id] = str(error)
        if self._live and (over := [record.id for record in mine if record.id not in doubtful]):
            store.drop_live(over)
        kept.done = [record.id for record in records if record.id not in kept.refused]
        return kept

    def _elsewhere(self, sid: str) -> bool:
        """Whether another worker goes on with a call. If not, its state is taken away."""
        if not self._live or (row := self._store.take_live(sid)) is None or row.worker == self._worker:
            return False
        self._store.put_live([row])
        return True

    def mirror(self, states: Sequence[tuple[CallState, int]], now: float) -> None:
        """Keep states of calls that are going on: each with a number that grows."""
        self._store.put_live(
            LiveRow(
                call_id=state.sid,
                worker=self._worker,
                seq=state.record.streams * 10**9 + number,
                updated=now,
                body=state.as_json(),
                party=state.record.party,
            )
            for state, number in states
        )

    def record(self, sid: str) -> CallRecord | None:
        """The record of a call that is over."""
        return self._store.get(sid)

    def take(self, sid: str) -> Found:
        """The state of a call, from wherever it was going on; it is the taker's now."""
        row = self._store.take_live(sid) if self._live else None
        state = None if row is None else _state_of(row)
        return Found(state, self._store.get(sid) if state is None else None)

    def lost(self, before: float) -> list[CallState]:
        """Take the states that nobody has renewed since a time (unix seconds): their machines are gone."""
        if not self._live:
            return []
        taken: list[CallState] = []
        for row in self._store.stale_live(before):
            now = self._store.take_live(row.call_id)
            if now is None:
                continue
            if now.seq != row.seq:
                self._store.put_live([now])
            elif (state := _state_of(now)) is not None:
                state.ending = state.ending or LOST
                taken.append(state)
        return taken

    def delete_number(self, number: str) -> Deleted:
        """Delete all that is kept of an outside person."""
        return self._store.delete_number(number)

    def close(self) -> None:
        """Close the database."""
        self._store.close()


def _state_of(row: LiveRow) -> CallState | None:
    try:
        state = CallState.of_json(row.body)
    except RecordError:
        return None
    return state if math.isfinite(state.at) else None
