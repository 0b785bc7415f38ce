"""A server that is not there, stalls or goes away holds nobody for ever, and is found again when it is back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pg8000
import pytest
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

from voiceloop.store import CallRecord, RecordRefused, StoreError, connections
from voiceloop.store.database import Database
from voiceloop.testing.postgres import Postgres, postgres_server

ONE = CallRecord(id="CA1", started=1.0, ended=2.0)


@contextmanager
def door(reply: bytes | None) -> Iterator[str]:
    """Something listens that is no PostgreSQL: it says this and hangs up; None: it says nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                held.append(line)
                if reply is not None:
                    line.recv(1000)
                    line.sendall(reply)
                    line.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"postgresql://ann:pw@127.0.0.1:{server.getsockname()[1]}/calls"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for line in held:
                line.close()


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of parts of a second."""
    monkeypatch.setattr("voiceloop.store.place.CONNECT_LIMIT", 0.3)
    monkeypatch.setattr(connections, "SOCKET_LIMIT", 0.5)
    monkeypatch.setattr(connections, "_POSTGRESQL", ("SET statement_timeout = 300",))


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    "reply", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"N\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_what_is_no_postgresql_is_told(reply: bytes | None) -> None:
    with door(reply) as url, Database(url) as database, pytest.raises(StoreError, match="cannot be read or written"):
        database.write([ONE])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:pw@127.0.0.1:1/calls", "Connection refused"),
        ("postgresql://ann:pw@/calls?host=/nowhere", "No such file"),
    ],
)
def test_a_server_that_is_not_there_is_told(url: str, said: str) -> None:
    with Database(url) as database, pytest.raises(StoreError, match=said):
        database.write([ONE])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("not-a-secret", "wrong", "password authentication failed"),
        ("/calls", "/nowhere", 'database "nowhere.*" does not exist'),
        ("?", "?sslmode=require", "Server refuses SSL"),
    ],
)
def test_what_the_server_refuses_is_told(postgres_url: str, old: str, new: str, said: str) -> None:
    url = f"{postgres_url}?".replace(old, new).rstrip("?")
    with Database(url) as database, pytest.raises(StoreError, match=said):
        database.count()


@pytest.mark.usefixtures("hurry")
def test_a_server_that_stalls_holds_nobody_and_is_used_again_when_it_goes_on() -> None:
    with postgres_server() as server, Database(server.make("calls")) as database:
        database.write([ONE])
        processes = [server.process.pid, *_children(server.process.pid)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            for _ in range(2):  # the first finds its connection silent, the second gets none
                with pytest.raises(StoreError, match="timed out"):
                    database.count()
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
        assert database.count() == 1


@pytest.mark.usefixtures("hurry")
def test_a_statement_that_takes_too_long_is_given_up(postgres_url: str) -> None:
    with Database(postgres_url) as database, Database(postgres_url) as other:
        database.write([ONE])
        with database._transaction(writes=True) as connection:
            connection.exec_driver_sql("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreError, match="canceling statement due to statement timeout"):
                other.count()
        assert other.count() == 1


def test_a_connection_that_was_lost_is_opened_again(postgres: Postgres, postgres_url: str) -> None:
    with Database(postgres_url) as database, Database(postgres.url()) as admin:
        database.write([ONE])
        for _ in range(3):
            with admin._connections.transaction(writes=False) as connection:
                others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
                connection.exec_driver_sql(f"{others}'{postgres_url.rpartition('/')[2]}'")
            assert database.count() == 1


def test_a_connection_that_was_reset_is_opened_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(*_: object) -> bool:
        raise ConnectionResetError  # the driver lets it through, now and then

    monkeypatch.setattr(PGDialect_pg8000, "do_ping", reset)
    with Database(postgres_url) as database:
        database.write([ONE])
        assert database.count() == 1


@pytest.mark.parametrize("step", range(1, 12))
def test_an_interrupt_in_the_middle_of_an_answer_spoils_no_later_one(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    read, rest = pg8000.core._read, step

    def interrupted(sock: object, size: int) -> bytes:
        nonlocal rest
        rest -= 1
        if rest == 0:
            raise KeyboardInterrupt
        answer: bytes = read(sock, size)
        return answer

    with Database(postgres_url) as database:
        database.write([ONE])
        monkeypatch.setattr(pg8000.core, "_read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            database.count()
        assert database.count() == 1


def test_a_transaction_that_broke_off_leaves_nothing_and_harms_no_later_one(database: Database) -> None:
    def break_off() -> None:
        with database._transaction(writes=True) as connection:
            connection.exec_driver_sql("DELETE FROM voiceloop_schema")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert database.write([ONE]) == []
    with database._transaction() as connection:
        assert connection.exec_driver_sql("SELECT version FROM voiceloop_schema").scalar() == 1


def test_a_record_that_is_refused_takes_none_of_its_write_along(database: Database) -> None:
    database.open()
    with database._transaction(writes=True) as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX only_one ON calls (reason)")
    with pytest.raises(RecordRefused, match="will not take this record"):
        database.write([ONE, CallRecord(id="CA2", started=1.0, ended=2.0)])
    assert database.count() == 0
    database.write([ONE])
    assert database.count() == 1


def test_a_file_that_another_process_holds_is_waited_for_and_then_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(connections, "CONNECT_LIMIT", 0.2)
    url = f"sqlite:///{tmp_path}/calls.db"
    with Database(url) as database, Database(url) as other:
        other.write([ONE])
        with database._transaction(writes=True), pytest.raises(StoreError, match="database is locked"):
            other.write([CallRecord(id="CA2", started=1.0, ended=2.0)])
        assert other.count() == 1


def _children(pid: int) -> list[int]:
    said = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=True).stdout
    return [int(each) for each in said.split()]
