"""A database is named by a URL; what is wrong with it is told, and never its password."""

from __future__ import annotations

import importlib
import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from voiceloop.errors import MissingExtra
from voiceloop.store import CallRecord, StoreError
from voiceloop.store.database import Database
from voiceloop.store.place import CONNECT_LIMIT, place_of

SECRET = "Tr0ub4dor"


@pytest.mark.parametrize(
    ("address", "name", "driver"),
    [
        ("sqlite:///calls.db", "sqlite:///calls.db", "sqlite"),
        ("sqlite:////var/lib/calls.db", "sqlite:////var/lib/calls.db", "sqlite"),
        ("sqlite://", "sqlite:// (in memory)", "sqlite"),
        (
            f"postgresql://ann:{SECRET}@db.example.com/calls",
            "postgresql://ann@db.example.com/calls",
            "postgresql+pg8000",
        ),
        (f"postgres://ann:{SECRET}@db:6432/calls", "postgresql://ann@db:6432/calls", "postgresql+pg8000"),
        (f"postgresql+pg8000://ann:{SECRET}@db/calls", "postgresql://ann@db/calls", "postgresql+pg8000"),
        ("postgresql://ann@/calls?host=/run/postgresql", "postgresql://ann@/run/postgresql/calls", "postgresql+pg8000"),
    ],
)
def test_a_url_names_a_database(address: str, name: str, driver: str) -> None:
    place = place_of(address)
    assert (place.name, place.url.drivername) == (name, driver)
    assert SECRET not in f"{place!r} {Database(address)!r}"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("", "got no URL"),
        ("calls.db", "got no URL"),
        (f"ann:{SECRET}@db/calls", "got no URL"),
        (f"mysql://ann:{SECRET}@db/calls", "got a URL of mysql"),
        (f"postgresql://ann:{SECRET}@db:port/calls", "got a postgresql URL that cannot be read: a port is a number"),
        (f"postgresql://ann:{SECRET}@db", "got a postgresql URL without a database"),
        ("postgresql://db/calls", "got a postgresql URL without a user"),
        ("sqlite://calls.db", "got a sqlite URL with a host"),
        ("sqlite:///calls.db?mode=ro", "got a sqlite URL with a host, a question mark"),
        (f"postgresql://ann:{SECRET}@db/calls?sslmode=always", "as sslmode, got always"),
        (f"postgresql://ann:{SECRET}@db/calls?password={SECRET}", "behind the . of a postgresql URL, got password"),
        (f"postgresql+asyncpg://ann:{SECRET}@db/calls", "expected a driver that is not asynchronous"),
        (f"postgresql+nosuch://ann:{SECRET}@db/calls", "which is not known"),
    ],
)
def test_a_wrong_url_is_told_and_its_password_is_not(address: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as raised:
        Database(address)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None or SECRET not in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("mode", "checked", "named"), [("require", None, None), ("verify-ca", True, False), ("verify-full", True, True)]
)
def test_sslmode_says_how_much_of_the_server_is_checked(mode: str, checked: bool | None, named: bool | None) -> None:
    context = place_of(f"postgresql://ann@db/calls?sslmode={mode}").options["ssl_context"]
    if checked is None:
        assert context is True  # the driver's word for TLS of which nothing is checked
    else:
        assert (context.verify_mode.name, context.check_hostname) == ("CERT_REQUIRED", named)


def test_another_driver_is_bounded_too() -> None:
    assert place_of("postgresql+psycopg://ann@db/calls").options["connect_timeout"] == CONNECT_LIMIT


def test_without_sqlalchemy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "voiceloop.store.database")
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.setattr("voiceloop.errors.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"needs the package sqlalchemy: pip install 'voiceloop\[serve\]'"):
        importlib.import_module("voiceloop.store.database")


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceloop.errors.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"needs the package pg8000: pip install 'voiceloop\[postgres\]'"):
        Database("postgresql://ann@db/calls")


def test_the_folder_of_a_file_must_be_there(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/nowhere/calls.db") as database, pytest.raises(StoreError, match="no folder"):
        database.count()


def test_a_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path}/calls.db") as database:
        database.write([CallRecord(id="CA1", started=1.0, ended=2.0)])
        modes = {path.name: stat.S_IMODE(os.stat(path).st_mode) for path in tmp_path.iterdir()}
    assert modes == {"calls.db": 0o600, "calls.db-wal": 0o600, "calls.db-shm": 0o600}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "calls.db").write_text("my notes\n" * 100)
    with (
        Database(f"sqlite:///{tmp_path}/calls.db") as database,
        pytest.raises(StoreError, match="file is not a database"),
    ):
        database.count()


def test_nothing_is_made_where_it_is_not_wanted(url: str) -> None:
    with Database(url, create=False) as database, pytest.raises(StoreError, match="there are no records of calls in"):
        database.count()
    with Database(url, create=False) as database, pytest.raises(StoreError, match="there are no records of calls in"):
        database.write([CallRecord(id="CA1", started=1.0, ended=2.0)])
    if url.startswith("sqlite"):
        assert not Path(url.removeprefix("sqlite:///")).exists()


def test_tables_of_another_version_are_not_touched(url: str) -> None:
    with Database(url) as database:
        database.open()
        with database._transaction(writes=True) as connection:
            connection.exec_driver_sql("UPDATE voiceloop_schema SET version = 7")
    with Database(url) as database, pytest.raises(StoreError, match=r"expected version 1 of the tables in .*, got 7"):
        database.write([CallRecord(id="CA1", started=1.0, ended=2.0)])


def test_tables_of_somebody_else_are_not_touched(url: str) -> None:
    with Database(url) as database:
        with database._connections.transaction(writes=True) as connection:
            connection.exec_driver_sql("CREATE TABLE calls (mine INTEGER)")
        with pytest.raises(StoreError, match=r"has tables named calls that are not voiceloop's"):
            database.count()
        with database._connections.transaction(writes=True) as connection:
            assert connection.exec_driver_sql("SELECT * FROM calls").all() == []


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    with Database("sqlite://") as database:
        database.write([CallRecord(id="CA1", started=1.0, ended=2.0)])
        assert database.count() == 1


def test_no_error_and_no_log_holds_a_password_or_what_was_said(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = "my PIN is four two"
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "sqlalchemy.engine")  # tells every statement
    with Database(postgres_url) as database:
        database.open()
        with database._transaction(writes=True) as connection:
            connection.exec_driver_sql("ALTER TABLE calls ADD CONSTRAINT none CHECK (reason <> 'x')")
        wrong = CallRecord(id="CA1", started=1.0, ended=2.0, reason="x", params={"said": said})
        with pytest.raises(StoreError, match="will not take this record") as raised:
            database.write([wrong])
    assert "INSERT INTO calls" in caplog.text
    assert "not-a-secret" not in caplog.text + str(raised.value)
    assert said not in caplog.text + str(raised.value)
