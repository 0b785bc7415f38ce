"""Connections to the database of calls: their limits, their transactions, their errors. Needs SQLAlchemy."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from voiceloop.errors import quoted
from voiceloop.store.place import CONNECT_LIMIT, SOCKET_LIMIT, STATEMENT_LIMIT, Place
from voiceloop.store.store_errors import RecordRefused, StoreError, reason_of

__all__ = ["Connections"]

_WRITES: Final = "voiceloop_writes"
_IDLE_LIMIT: Final = 30
"""Seconds after which the server ends a transaction of a process that has stopped in the middle of it."""
_RECYCLE: Final = 300
"""Seconds after which a connection is not used again: firewalls forget those that are silent."""
_TRIES: Final = 20
"""To have an SQLite file keep a log of changes (WAL) while others open it, too."""
_SQLITE: Final = (
    "PRAGMA synchronous=NORMAL",  # with a WAL: a killed process loses nothing, a power cut the last moments
    "PRAGMA secure_delete=ON",  # what was deleted is overwritten, not only forgotten
)
_POSTGRESQL: Final = (
    f"SET statement_timeout = {STATEMENT_LIMIT * 1000}",
    f"SET lock_timeout = {STATEMENT_LIMIT * 1000}",
    f"SET idle_in_transaction_session_timeout = {_IDLE_LIMIT * 1000}",
)


class Connections:
    """Opens a `Place` when it is needed, and again when it was lost.

    Args:
        place: which database.
        create: whether the file of an SQLite database may be made.
    """

    def __init__(self, place: Place, *, create: bool = True) -> None:
        self.place = place
        self._create = create
        try:
            # Parameters are what people said: no error of SQLAlchemy's shall show them.
            engine = create_engine(place.url, connect_args=place.options, hide_parameters=True, **_pool(place))
        except ImportError as error:
            raise StoreError(f"the driver of {place.name} is not installed: {quoted(str(error))}") from None
        if place.server:
            event.listen(engine, "connect", _limit_server)
            if place.url.get_driver_name() == "pg8000":
                _mend_pg8000(engine)
        else:
            event.listen(engine, "connect", _set_up_file)
            event.listen(engine, "begin", _begin)
        self._reader: Engine = engine
        self._writer: Engine = engine.execution_options(**{_WRITES: True})

    @contextmanager
    def transaction(self, *, writes: bool) -> Iterator[Connection]:
        """A transaction: committed at the end of the block, taken back when it raises.

        Raises:
            RecordRefused: what was to be written cannot be.
            StoreError: the database cannot be reached, takes too long, or refuses.
        """
        connection = self._connect(writes=writes)
        try:
            with connection, connection.begin():
                try:
                    yield connection
                except SQLAlchemyError:
                    raise
                except BaseException as error:
                    if not isinstance(error, StoreError):  # perhaps in the middle of an answer: never to be used again
                        connection.invalidate()
                    raise
        except (SQLAlchemyError, OSError) as error:
            raise self._told(error) from None

    def shorten(self) -> None:
        """Empty the log of changes of an SQLite file, as far as nobody is reading from it."""
        with suppress(StoreError), self.transaction(writes=False) as connection:
            connection.commit()
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close all connections. Another transaction opens new ones."""
        self._reader.dispose()

    def _connect(self, *, writes: bool) -> Connection:
        try:
            if self.place.file is not None:
                _make(self.place.file, self.place.name, create=self._create)
            return (self._writer if writes else self._reader).connect()
        except StoreError:
            raise
        except Exception as error:  # what is at that address may be no database: anything can come of it
            raise self._told(error) from None

    def _told(self, error: Exception) -> StoreError:
        reason, data = reason_of(error)
        if data:
            return RecordRefused(f"{self.place.name} will not take this record: {reason}")
        return StoreError(f"the records of calls in {self.place.name} cannot be read or written: {reason}")


def _pool(place: Place) -> dict[str, Any]:
    if place.server:
        sizes = {"pool_size": 2, "max_overflow": 8, "pool_timeout": CONNECT_LIMIT}
        return {**sizes, "pool_pre_ping": True, "pool_recycle": _RECYCLE}
    return {"poolclass": StaticPool} if place.file is None else {"pool_timeout": CONNECT_LIMIT}


def _make(file: os.PathLike[str], name: str, *, create: bool) -> None:
    """See that the file is there; a new one is readable by its owner only. Its WAL will be as it is."""
    if os.path.exists(file):
        return
    if not create:
        raise StoreError(f"there are no records of calls in {name}: there is no such file")
    if not os.path.isdir(os.path.dirname(file) or "."):
        raise StoreError(f"{name} cannot be made: there is no folder {os.path.dirname(file)}")
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _set_up_file(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, not where the driver thinks
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={CONNECT_LIMIT * 1000}")
    for _ in range(_TRIES):
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] in ("wal", "memory"):
            break
        try:
            cursor.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError:  # another process does the same: this statement waits for nobody
            cursor.execute("BEGIN EXCLUSIVE")  # and this one does
            cursor.execute("COMMIT")
    for statement in _SQLITE:
        cursor.execute(statement)
    cursor.close()


def _begin(connection: Connection) -> None:
    """One that will write takes its turn at once: having read first, it could only fail when another has written."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _mend_pg8000(engine: Engine) -> None:
    """A connection that the server has closed shall be noticed before it is used, and be no error when it is closed."""
    dialect: Any = engine.dialect
    ping = dialect.do_ping

    def alive(connection: Any) -> bool:
        try:
            return bool(ping(connection))
        except Exception:  # of a closed socket comes what the operating system says, or half a message
            return False

    dialect.do_ping = alive
    dialect.do_terminate = dialect.do_close = _close_quietly
    event.listen(engine, "do_connect", _connect_pg8000)


def _connect_pg8000(dialect: Any, _: object, arguments: Any, options: dict[str, Any]) -> Any:
    """Connect with a socket of our own: the driver leaves its own open when the server stalls at the first word."""
    options = dict(options)
    path, limit = options.pop("unix_sock", None), options.pop("timeout", CONNECT_LIMIT)
    if path is None:
        wire = socket.create_connection((options.setdefault("host", "localhost"), options.get("port", 5432)), limit)
    else:
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.settimeout(limit)
    try:
        if path is not None:
            wire.connect(path)
        return dialect.loaded_dbapi.Connection(*arguments, sock=wire, **options)
    except BaseException:
        wire.close()
        raise


def _close_quietly(connection: Any) -> None:
    with suppress(Exception):  # the server has closed it already
        connection.close()


def _limit_server(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for statement in _POSTGRESQL:
        cursor.execute(statement)
    connection.commit()
    cursor.close()
    if (wire := getattr(connection, "_usock", None)) is not None:  # of pg8000
        wire.settimeout(SOCKET_LIMIT)
