"""Sockets that listen: bound before anything else is done, shared by processes, and fair between them.

The workers of one server share one listening socket and thereby one queue of connections. A worker that is killed,
hangs or leaves takes no connection with it, as it would with a queue of its own (``SO_REUSEPORT``): the next one takes
what waits. Who has more connections waits a little before it takes one, so that the others come first.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from voiceloop.server.phone_options import PhoneError

__all__ = ["Entrance", "bind", "where"]

log = logging.getLogger("voiceloop.phone")

_BACKLOG: Final = 512
"""Connections that wait to be taken."""
_STEP: Final = 0.0002
"""Seconds that a process waits for each connection it has before it takes another: the others come first."""
_LONGEST: Final = 0.02
"""Seconds that it waits, at most."""
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


class Entrance:
    """Takes connections from listening sockets that other processes take from, too.

    Args:
        sockets: they listen and do not block.
        protocol: makes the protocol of a connection, such as `aiohttp.web.Server`.
        load: how many connections this process has.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], protocol: Callable[[], asyncio.BaseProtocol], load: Callable[[], int]
    ) -> None:
        self._sockets = list(sockets)
        self._protocol = protocol
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._taken: set[asyncio.Task[object]] = set()

    def open(self) -> None:
        """Take connections from now on."""
        for each in self._sockets:
            self._loop.add_reader(each, self._knocked, each)

    def close(self) -> None:
        """Take no more: what waits is the others'. Harmless when said twice."""
        sockets, self._sockets = self._sockets, []
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
        for each in sockets:
            self._loop.remove_reader(each)
            each.close()

    def _knocked(self, listening: socket.socket) -> None:
        wait = min(self._load() * _STEP, _LONGEST)
        if not wait:
            self._take(listening)
            return
        self._loop.remove_reader(listening)
        self._waiting[listening] = self._loop.call_later(wait, self._waited, listening)

    def _waited(self, listening: socket.socket) -> None:
        del self._waiting[listening]
        if self._take(listening):
            self._loop.add_reader(listening, self._knocked, listening)

    def _take(self, listening: socket.socket) -> bool:
        """Take one connection, if nobody else has. False: not before a while."""
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return True
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            log.error("a connection cannot be taken: %s; more files must be allowed (ulimit -n)", error.strerror)
            self._loop.remove_reader(listening)
            self._waiting[listening] = self._loop.call_later(_PAUSE, self._waited, listening)
            return False
        connection.setblocking(False)
        task = self._loop.create_task(self._admit(connection))
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)
        return True

    async def _admit(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:  # it was gone before it was there
            connection.close()
            log.debug("a connection was lost at once: %s", error)
