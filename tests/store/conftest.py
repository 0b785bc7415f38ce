"""A database of either kind, empty for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from voiceloop.store.database import Database
from voiceloop.testing.postgres import NoPostgres, Postgres, postgres_server

_numbers = count(1)


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


@pytest.fixture(scope="session")
def maker(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Makes databases on one connection: to prove a password takes longer than to make one."""
    from pg8000.native import Connection  # type: ignore[import-untyped]

    with Connection("voiceloop", "127.0.0.1", "postgres", postgres.port, "not-a-secret") as connection:

        def make() -> str:
            name = f"calls{next(_numbers)}"
            connection.run(f"CREATE DATABASE {name}")
            return postgres.url(name)

        yield make


@pytest.fixture
def postgres_url(maker: Callable[[], str]) -> str:
    """Of a new database."""
    return maker()


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
