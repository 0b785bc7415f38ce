"""Sockets that listen: bound before anything else is done, shared by processes, and fair between them.

The workers of one server share one listening socket and thereby one queue of connections. A worker that is killed,
hangs or leaves takes no connection with it, as it would with a queue of its own (``SO_REUSEPORT``): the next one takes
what waits. Who has more calls than the others waits a little before it takes one, so that they come first
(`voiceloop.server.shares`).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

from voiceloop.server.phone_options import PhoneError
from voiceloop.server.shares import BEAT, Shares

__all__ = ["Entrance", "bind", "where"]

log = logging.getLogger("voiceloop.phone")

_BACKLOG: Final = 512
"""Connections that wait to be taken."""
_AT_ONCE: Final = 64
"""Connections that are taken before anything else is done."""
_STEP: Final = 0.001
"""Seconds: the clock of some loops has steps of so much, and a timer may fire as much early."""
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE: Final = 0.5
"""Seconds until the next try when the system has no room for a connection."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses of a host.

    Args:
        host: a name or an address; empty for all of the machine's.
        port: 0 takes a free one, the same on all addresses.

    Raises:
        PhoneError: the port is taken, or there is no such address.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            where = (address[0], port, *address[2:])
            sockets.append(_listen(family, where))
            port = port or sockets[0].getsockname()[1]
    except OSError as error:
        for each in sockets:
            each.close()
        raise PhoneError(cannot_listen(host, port, error)) from error
    return sockets


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def cannot_listen(host: str, port: int, error: OSError) -> str:
    """Why nobody can listen there, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: end what uses it, or choose another (port 0 takes a free one)"
    return f"cannot listen on {host or 'any address'} port {port}: {error.strerror or error}"


def where(host: str, port: int) -> str:
    """The URL of a server on this machine."""
    here = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://{f'[{here}]' if ':' in here else here}:{port}"


class _Taken(Enum):
    ONE = auto()
    NOTHING = auto()
    """Others were faster."""
    NO_ROOM = auto()
    """Not before a while."""


class Entrance:
    """Takes connections from listening sockets that other processes may take from, too.

    Args:
        sockets: they listen and do not block.
        protocol: makes the protocol of a connection, such as `aiohttp.web.Server`.
        connections: how many this process has.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        protocol: Callable[[], asyncio.BaseProtocol],
        connections: Callable[[], int],
    ) -> None:
        self._sockets = list(sockets)
        self._protocol = protocol
        self._connections = connections
        self._shares: Shares | None = None
        self._loop = asyncio.get_running_loop()
        self._beating: asyncio.TimerHandle | None = None
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._admitting: set[asyncio.Task[object]] = set()

    def open(self) -> None:
        """Take connections from now on."""
        for each in self._sockets:
            self._loop.add_reader(each, self._knocked, each)

    def share(self, shares: Shares) -> None:
        """From now on leave connections to other processes that have less. The shares are closed with this."""
        self._shares = shares
        self._beat()

    def close(self) -> None:
        """Take no more: what waits is the others'. Harmless when said twice."""
        sockets, self._sockets = self._sockets, []
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
        for each in sockets:
            self._loop.remove_reader(each)
            each.close()
        if self._beating is not None:
            self._beating.cancel()
        if self._shares is not None:
            self._shares.close()
            self._shares = None

    # --- how long to wait ----------------------------------------------------------------------------------

    @property
    def _open(self) -> int:
        return self._connections() + len(self._admitting)

    def _beat(self) -> None:
        if self._shares is not None:
            self._shares.write(self._loop.time(), self._open)
            self._beating = self._loop.call_later(BEAT, self._beat)

    def _wait(self) -> float:
        return 0.0 if self._shares is None else self._shares.wait(self._loop.time(), self._open)

    def _wait_for_others(self, listening: socket.socket, seconds: float, since: float) -> None:
        self._waiting[listening] = self._loop.call_later(seconds, self._waited, listening, since)

    # --- taking --------------------------------------------------------------------------------------------

    def _knocked(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if wait := self._wait():
                self._loop.remove_reader(listening)
                self._wait_for_others(listening, wait, self._loop.time())
                return
            if self._take(listening) is not _Taken.ONE:
                return

    def _waited(self, listening: socket.socket, since: float) -> None:
        """The others have had their time. They may have taken some: then it is perhaps our turn at once, or not yet."""
        del self._waiting[listening]
        left = self._wait() - (self._loop.time() - since)
        if left > _STEP:
            self._wait_for_others(listening, left, since)
        elif self._take(listening) is not _Taken.NO_ROOM:
            self._loop.add_reader(listening, self._knocked, listening)

    def _take(self, listening: socket.socket) -> _Taken:
        """Take one connection, if nobody else has."""
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return _Taken.NOTHING
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            log.error("a connection cannot be taken: %s; more files must be allowed (ulimit -n)", error.strerror)
            self._loop.remove_reader(listening)
            self._waiting[listening] = self._loop.call_later(_PAUSE, self._tried_later, listening)
            return _Taken.NO_ROOM
        connection.setblocking(False)
        task = self._loop.create_task(self._admit(connection))
        self._admitting.add(task)
        task.add_done_callback(self._admitting.discard)
        if self._shares is not None:
            now = self._loop.time()
            self._shares.taken(now)
            self._shares.write(now, self._open)
        return _Taken.ONE

    def _tried_later(self, listening: socket.socket) -> None:
        del self._waiting[listening]
        if self._take(listening) is not _Taken.NO_ROOM:
            self._loop.add_reader(listening, self._knocked, listening)

    async def _admit(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:  # it was gone before it was there
            connection.close()
            log.debug("a connection was lost at once: %s", error)
