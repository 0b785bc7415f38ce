"""A database of either kind, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from pg8000.exceptions import InterfaceError
from pg8000.native import Connection

from voiceloop.store.database import Database
from voiceloop.testing.postgres import NoPostgres, Postgres, postgres_server

_USER, _PASSWORD = "voiceloop", "not-a-secret"
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE datname = 'calls' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, for as long as the tests of this process run."""
    try:
        server = postgres_server()
        running = server.__enter__()
    except NoPostgres as error:
        pytest.skip(str(error))
    try:
        yield running
    finally:
        server.__exit__(None, None, None)


class Emptied:
    """One database of a server, emptied for each test: to make another takes longer, and fills the disk."""

    def __init__(self, server: Postgres) -> None:
        self.url = server.make("calls")
        self._connect = partial(Connection, _USER, "127.0.0.1", "calls", server.port, _PASSWORD)
        self._connection = self._connect()

    def empty(self) -> None:
        try:
            self._connection.run("SELECT 1")
        except (InterfaceError, OSError):  # a test has ended all connections
            self.close()
            self._connection = self._connect()
        self._connection.run(_END_OTHERS)
        self._connection.run("DROP SCHEMA public CASCADE")
        self._connection.run("CREATE SCHEMA public")

    def close(self) -> None:
        with suppress(InterfaceError, OSError):
            self._connection.close()


@pytest.fixture(scope="session")
def emptied(postgres: Postgres) -> Iterator[Emptied]:
    database = Emptied(postgres)
    yield database
    database.close()


@pytest.fixture
def postgres_url(emptied: Emptied) -> str:
    """Of an empty database."""
    emptied.empty()
    return emptied.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a new database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/calls.db"
    made: str = request.getfixturevalue("postgres_url")
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new database, open."""
    with Database(url) as opened:
        yield opened
