"""Sockets that several processes take connections from: bound at once, shared fairly, left without a loss."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.serving import until
from voiceloop.server.listening import Entrance, bind, where
from voiceloop.server.phone_options import PhoneError
from voiceloop.server.shares import Shares, make_table

HOST = "127.0.0.1"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    (bound,) = bind(HOST, 0)
    with bound:
        yield bound


class Server:
    """Counts the connections that one of several processes has."""

    def __init__(self, listening: socket.socket) -> None:
        self.open: list[asyncio.BaseTransport] = []
        self.entrance = Entrance([listening.dup()], lambda: _Connection(self.open), lambda: len(self.open))
        self.entrance.open()

    def share(self, table: Path, place: int, *, full: bool = False) -> None:
        self.entrance.share(Shares(table, place, lambda: len(self.open), lambda: full))

    def close(self) -> None:
        self.entrance.close()
        for transport in self.open:
            transport.close()


class _Connection(asyncio.Protocol):
    def __init__(self, open: list[asyncio.BaseTransport]) -> None:
        self._open = open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.append(transport)


async def connect(to: socket.socket, count: int) -> list[asyncio.StreamWriter]:
    port = to.getsockname()[1]
    return [writer for _, writer in [await asyncio.open_connection(HOST, port) for _ in range(count)]]


async def taken(*servers: Server, count: int) -> None:
    await until(lambda: sum(len(server.open) for server in servers) == count)


def test_a_port_that_is_taken_is_told(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with pytest.raises(PhoneError, match=f"^port {port} is in use: end what uses it, or choose another"):
        bind(HOST, port)


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(PhoneError, match=r"^cannot listen on 192\.0\.2\.1 port 8080: "):
        bind("192.0.2.1", 8080)


def test_a_free_port_is_the_same_on_all_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(*args: object, **options: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, 0)) for host in (HOST, "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    first, second = bind("both", 0)
    with first, second:
        assert (first.getsockname()[0], second.getsockname()[0]) == (HOST, "127.0.0.2")
        assert first.getsockname()[1] == second.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("", "http://127.0.0.1:80"),
        ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("box", "http://box:80"),
    ],
)
def test_where_a_server_is(host: str, url: str) -> None:
    assert where(host, 80) == url


@pytest.mark.realtime
async def test_connections_are_shared_out(listening: socket.socket, tmp_path: Path) -> None:
    table, servers = make_table(tmp_path), [Server(listening) for _ in range(4)]
    for place, server in enumerate(servers):
        server.share(table, place)
    writers = await connect(listening, 40)
    await taken(*servers, count=40)
    shares = [len(server.open) for server in servers]
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()
    assert max(shares) - min(shares) <= 3


@pytest.mark.realtime
async def test_who_is_full_leaves_connections_to_the_others(listening: socket.socket, tmp_path: Path) -> None:
    table, full, free = make_table(tmp_path), Server(listening), Server(listening)
    full.share(table, 0, full=True)
    free.share(table, 1)
    writers = await connect(listening, 20)
    await taken(full, free, count=20)
    assert len(full.open) <= 2  # of what came while the other one was late
    free.close()  # nobody else is there: it has to say that it is full
    writers += await connect(listening, 3)
    await taken(full, free, count=23)
    full.close()
    for writer in writers:
        writer.close()


@pytest.mark.realtime
async def test_connections_are_taken_though_the_worker_with_fewest_hangs(
    listening: socket.socket, tmp_path: Path
) -> None:
    table, works = make_table(tmp_path), Server(listening)
    works.share(table, 0)
    hangs = Shares(table, 1, lambda: 0)
    hangs.write(asyncio.get_running_loop().time(), 0)  # it never takes one, nor writes again
    writers = await connect(listening, 10)
    await taken(works, count=10)
    hangs.close()
    works.close()
    for writer in writers:
        writer.close()


@pytest.mark.realtime
async def test_who_is_alone_takes_all_that_wait_without_waiting(listening: socket.socket) -> None:
    writers = await connect(listening, 30)
    server = Server(listening)
    for _ in range(10):  # passes of the loop, in which no time goes by
        await asyncio.sleep(0)
    assert len(server.open) == 30
    server.close()
    for writer in writers:
        writer.close()


@pytest.mark.realtime
async def test_what_waits_when_one_leaves_is_taken_by_the_other(listening: socket.socket) -> None:
    first = Server(listening)
    first.entrance.close()
    writers = await connect(listening, 5)  # nobody takes them yet
    await asyncio.sleep(0.05)
    assert first.open == []
    second = Server(listening)
    await taken(second, count=5)
    second.close()
    for writer in writers:
        writer.close()


@pytest.mark.realtime
async def test_no_room_for_files_is_told_and_tried_again(
    listening: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    full = [True]

    class Full(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            if full:
                full.clear()
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    made: list[asyncio.BaseTransport] = []
    entrance = Entrance([Full(fileno=listening.dup().detach())], lambda: _Connection(made), lambda: 0)
    entrance.open()
    (writer,) = await connect(listening, 1)
    await until(lambda: bool(made))
    entrance.close()
    for transport in made:
        transport.close()
    writer.close()
    assert [record.getMessage() for record in caplog.records if record.name == "voiceloop.phone"] == [
        "a connection cannot be taken: Too many open files; more files must be allowed (ulimit -n)"
    ]
