"""The database of calls: SQLite or PostgreSQL, by URL.

Everything here waits for the database: it is called from a thread of its own, never on the event loop. The waits are
bounded: about 5 s to connect, 10 s for a statement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final

from voiceloop import wallclock
from voiceloop.errors import require
from voiceloop.store.call_state import CallState
from voiceloop.store.phone_number import same_number
from voiceloop.store.record import CallRecord, RecordError
from voiceloop.store.rows import CallSummary, Deleted, LiveRow, fingerprint, key_of, row_of

try:
    from sqlalchemy import Connection, Table, delete, func, select, tuple_
    from sqlalchemy.dialects import postgresql, sqlite

    from voiceloop.store.connections import Connections
    from voiceloop.store.place import place_of
    from voiceloop.store.tables import calls, deleted_numbers, live, lock, prepare, used_tokens
except ModuleNotFoundError:
    require("sqlalchemy", "serve", "A database of calls")
    raise

__all__ = ["Database"]

_AT_ONCE: Final = 500
"""Rows of one transaction that deletes, and ids of one statement: nobody waits long for another's."""
_TOKEN_GRACE: Final = 3600.0
"""Seconds that a used token is remembered after it has expired: the clocks of machines differ."""
_FORGET_EVERY: Final = 60.0
"""Seconds between two removals of such tokens."""
REMEMBERED: Final = 90 * 86_400.0
"""Seconds for which the fingerprint of a deleted number keeps records away that were waiting on a disk."""

_SUMMARY: Final = tuple(calls.c[name] for name in CallSummary.__dataclass_fields__)
_LIVE: Final = tuple(live.c[name] for name in LiveRow.__dataclass_fields__)


class Database:
    """Records of calls, states of calls that are going on, and used tokens. Usable by many processes at once.

    Nothing is opened before the first use, which makes the tables where they are missing; a database that was lost is
    opened again by the next use. A ``with`` block closes it.

    Args:
        url: ``sqlite:///calls.db``, or ``postgresql://user:password@host/database``. See ``docs/records.md``.
        create: whether tables, and the file of an SQLite database, are made when they are missing.

    Raises:
        StoreError: the URL names no database that can be used. Every method raises it when the database cannot be
            reached, takes too long, has tables of another version, or refuses.
        MissingExtra: a package is not installed.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        place = place_of(url)
        self.name = place.name
        """Which database, without its password."""
        self._connections = Connections(place, create=create)
        self._insert: Any = postgresql.insert if place.server else sqlite.insert
        self.file = place.file
        """Of an SQLite database, unless it is in memory."""
        self._create = create
        self._prepared = False
        self._forgot = float("-inf")

    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """See that it can be used. Every other method does so by itself."""
        if not self._prepared:
            with self._connections.transaction(writes=self._create) as connection:
                prepare(connection, self.name, create=self._create)
            self._prepared = True

    def close(self) -> None:
        """Close its connections."""
        self._connections.close()

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        self.open()
        with self._connections.transaction(writes=writes) as connection:
            yield connection

    # --- records --------------------------------------------------------------------------------------------

    def write(self, records: Iterable[CallRecord]) -> list[CallRecord]:
        """Keep records, all or none. Writing one again changes nothing; of two of one call the one stays that ended
        later.

        Returns: those that were not kept, because their number was deleted after the call had begun. Their recordings
        are to be deleted, too: `unlink_recordings`.

        Raises:
            RecordRefused: the database will never take one of these. Write them one by one to find it.
        """
        newest: dict[str, CallRecord] = {}
        for record in records:
            key = key_of(record.id)
            if key not in newest or record.ended > newest[key].ended:
                newest[key] = record
        if not newest:
            return []
        with self._transaction(writes=True) as connection:
            lock(connection, shared=True)  # a deletion is before all of it, or after
            refused = self._deleted(connection, newest.values())
            rows = [row_of(newest[key]) for key in sorted(newest.keys() - set(refused))]  # in order: no deadlock
            if rows:
                connection.execute(self._upsert(calls, "id", "ended"), rows)
        return [newest[key] for key in refused]

    def _deleted(self, connection: Connection, records: Iterable[CallRecord]) -> list[str]:
        """Keys of the records whose number was deleted since their call began."""
        prints = {key_of(record.id): fingerprint(same_number(record.party)) for record in records}
        started = {key_of(record.id): record.started for record in records}
        at: dict[str, float] = {}
        for some in _portions(sorted(set(prints.values()))):
            asked = select(deleted_numbers.c.fingerprint, deleted_numbers.c.at)
            for print_, when in connection.execute(asked.where(deleted_numbers.c.fingerprint.in_(some))):
                at[print_] = when
        return [key for key, print_ in prints.items() if started[key] <= at.get(print_, float("-inf"))]

    def get(self, id: str) -> CallRecord | None:
        """The record of a call, by the carrier's id; None when there is none."""
        with self._transaction() as connection:
            body = connection.scalar(select(calls.c.body).where(calls.c.id == key_of(id)))
        return None if body is None else CallRecord.of_json(body)

    def ids(self, beginning: str, limit: int) -> list[str]:
        """Ids that begin with this text, at most so many. Reads all ids: for people, not for each call."""
        begins = func.substr(calls.c.id, 1, len(beginning)) == beginning
        with self._transaction() as connection:
            return list(connection.scalars(select(calls.c.id).where(begins).order_by(calls.c.id).limit(limit)))

    def get_all(self, ids: Sequence[str]) -> list[CallRecord]:
        """The records of these calls, in this order, without those that are not there."""
        bodies: dict[str, str] = {}
        keys = [key_of(id) for id in ids]
        with self._transaction() as connection:
            for some in _portions(keys):
                for key, body in connection.execute(select(calls.c.id, calls.c.body).where(calls.c.id.in_(some))):
                    bodies[key] = body
        return [CallRecord.of_json(bodies[key]) for key in dict.fromkeys(keys) if key in bodies]

    def latest(self, limit: int = 50, before: CallSummary | float | None = None) -> list[CallSummary]:
        """Calls that began last, latest first, without their records.

        Args:
            limit: at most so many.
            before: the last one of the page before; or unix seconds.
        """
        asked = select(*_SUMMARY).order_by(calls.c.started.desc(), calls.c.id.desc()).limit(limit)
        if before is not None:
            at = (before.started, before.id) if isinstance(before, CallSummary) else (before, "")
            asked = asked.where(tuple_(calls.c.started, calls.c.id) < at)
        with self._transaction() as connection:
            return [CallSummary(*row) for row in connection.execute(asked)]

    def of_number(self, number: str, limit: int = 1000) -> list[CallSummary]:
        """Calls with an outside person, latest first, without their records.

        Args:
            number: who called us, or whom we called, in any form that `same_number` takes.
            limit: at most so many.
        """
        party = _party(number)
        asked = select(*_SUMMARY).where(calls.c.party == party)
        with self._transaction() as connection:
            found = connection.execute(asked.order_by(calls.c.started.desc(), calls.c.id.desc()).limit(limit))
            return [CallSummary(*row) for row in found]

    def count(self) -> int:
        """How many records there are. Takes a moment when there are many."""
        with self._transaction() as connection:
            return connection.scalar(select(func.count()).select_from(calls)) or 0

    # --- deletion -------------------------------------------------------------------------------------------

    def delete_number(self, number: str) -> Deleted:
        """Delete all that is kept of the calls with an outside person. Records that are still waiting elsewhere, on the
        disk of a worker or for the end of a call, are not kept when they come: `write`.

        Returns: how many, and the recordings they named, which are still there: `unlink_recordings`.
        """
        party, now = _party(number), wallclock.unix()
        print_ = {"fingerprint": fingerprint(party), "at": now}
        with self._transaction(writes=True) as connection:
            lock(connection)
            self._forget_fingerprints(connection, now)
            connection.execute(self._upsert(deleted_numbers, "fingerprint", "at"), print_)
            files = _recordings_of(connection.scalars(select(live.c.body).where(live.c.party == party)))
            states = connection.execute(delete(live).where(live.c.party == party)).rowcount
        records = 0
        while True:
            count, more = self._delete_some(calls.c.party == party, _AT_ONCE)
            records += count
            files |= dict.fromkeys(more)
            if count < _AT_ONCE:
                break
        self._shorten()
        return Deleted(records, tuple(files), states)

    def delete_before(self, unix: float, limit: int = 1000) -> Deleted:
        """Delete the oldest records, of calls that began before a time, and old states. Call it until it gives 0
        records: each takes a moment only.

        Args:
            unix: seconds.
            limit: at most so many records.
        """
        with self._transaction(writes=True) as connection:
            lost = _recordings_of(connection.scalars(select(live.c.body).where(live.c.updated < unix)))
            states = connection.execute(delete(live).where(live.c.updated < unix)).rowcount
            self._forget_fingerprints(connection, wallclock.unix())
        count, files = self._delete_some(calls.c.started < unix, limit)
        return Deleted(count, tuple(lost | dict.fromkeys(files)), states)

    def _delete_some(self, which: Any, limit: int) -> tuple[int, list[str]]:
        asked = select(calls.c.id, calls.c.recordings).where(which).order_by(calls.c.started).limit(limit)
        with self._transaction(writes=True) as connection:
            found = connection.execute(asked).all()
            for some in _portions([row.id for row in found]):
                connection.execute(delete(calls).where(calls.c.id.in_(some)))
        return len(found), list(
            dict.fromkeys(file for row in found if row.recordings for file in json.loads(row.recordings))
        )

    def _forget_fingerprints(self, connection: Connection, now: float) -> None:
        connection.execute(delete(deleted_numbers).where(deleted_numbers.c.at < now - REMEMBERED))

    def _shorten(self) -> None:
        """Empty SQLite's log of changes, which still holds what was deleted, as far as nobody is reading there."""
        if self.file is not None:
            self._connections.shorten()

    # --- calls that are going on ----------------------------------------------------------------------------

    def put_live(self, rows: Iterable[LiveRow]) -> None:
        """Keep states of calls that are going on, all or none; each replaces an older one (`LiveRow.seq`)."""
        newest: dict[str, LiveRow] = {}
        for row in rows:
            key = key_of(row.call_id)
            if key not in newest or row.seq > newest[key].seq:
                newest[key] = row
        if newest:
            with self._transaction(writes=True) as connection:
                connection.execute(
                    self._upsert(live, "call_id", "seq"), [_state_of(newest[key]) for key in sorted(newest)]
                )

    def take_live(self, call_id: str) -> LiveRow | None:
        """Take the state of a call away; None when there is none. Of several who want it one gets it."""
        mine = live.c.call_id == key_of(call_id)
        with self._transaction(writes=True) as connection:
            row = connection.execute(select(*_LIVE).where(mine).with_for_update()).one_or_none()
            if row is not None:
                connection.execute(delete(live).where(mine))
        return None if row is None else LiveRow(*row)

    def drop_live(self, ids: Iterable[str]) -> None:
        """Forget the states of calls, by their ids. Those that are not there are no error."""
        keys = sorted({key_of(id) for id in ids})
        if keys:
            with self._transaction(writes=True) as connection:
                for some in _portions(keys):
                    connection.execute(delete(live).where(live.c.call_id.in_(some)))

    def stale_live(self, before: float, limit: int = 1000) -> list[LiveRow]:
        """States that were not renewed since then (unix seconds), oldest first: nobody goes on with these calls."""
        asked = select(*_LIVE).where(live.c.updated < before).order_by(live.c.updated).limit(limit)
        with self._transaction() as connection:
            return [LiveRow(*row) for row in connection.execute(asked)]

    # --- tokens ---------------------------------------------------------------------------------------------

    def claim_token(self, code: str, until: float) -> bool:
        """Use up a token. True for one of all processes and machines, once; the token itself is not kept.

        Args:
            code: what makes it unique.
            until: when it expires, unix seconds. It is remembered for an hour longer.
        """
        mine = {"code": fingerprint(code), "until": until}
        now = wallclock.unix()
        with self._transaction(writes=True) as connection:
            if now - self._forgot >= _FORGET_EVERY:
                connection.execute(delete(used_tokens).where(used_tokens.c.until < now - _TOKEN_GRACE))
                self._forgot = now
            return bool(connection.execute(self._insert(used_tokens).on_conflict_do_nothing(), mine).rowcount == 1)

    def _upsert(self, table: Table, key: str, order: str) -> Any:
        """Insert rows; one that is there is replaced by a row with a greater value in the column ``order``."""
        statement = self._insert(table)
        new = statement.excluded
        return statement.on_conflict_do_update(
            index_elements=[table.c[key]],
            set_={column.name: new[column.name] for column in table.columns if column.name != key},
            where=new[order] > table.c[order],
        )


def _party(number: str) -> str:
    party = same_number(number)
    if not party:
        raise ValueError("expected a telephone number such as +15550001111, got an empty text")
    return party


def _recordings_of(bodies: Iterable[str]) -> dict[str, None]:
    """The recordings that states of calls name, each once; a state may be any text."""
    files: dict[str, None] = {}
    for body in bodies:
        with suppress(RecordError):
            files |= dict.fromkeys(CallState.of_json(body).record.recordings)
    return files


def _state_of(row: LiveRow) -> dict[str, Any]:
    return {
        "call_id": key_of(row.call_id),
        "worker": key_of(row.worker),
        "seq": row.seq,
        "updated": row.updated,
        "party": same_number(row.party),
        "body": row.body,
    }


def _portions(keys: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(keys)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
