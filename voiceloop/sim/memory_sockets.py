"""Servers and clients that meet at a name in memory, for the virtual loop.

`create_unix_server(factory, "carrier")` and `create_unix_connection(factory, "carrier")` keep their signatures and
their meaning, but the path is a name that only this loop knows, and a connection is a `socket.socketpair()`: bytes
written on one end are there to read on the other at once. So `aiohttp.web.UnixSite(runner, "carrier")` and
`aiohttp.UnixConnector(path="carrier")` talk to each other with no change, and leave no file behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

_READ_SIZE = 64 * 1024  # bytes taken from a connection at a time

Path = str | bytes | os.PathLike[str]
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class ListeningName:
    """Stands for a server's listening socket where a library asks for its address."""

    family = socket.AF_UNIX if hasattr(socket, "AF_UNIX") else socket.AF_INET

    def __init__(self, name: str) -> None:
        self._name = name

    def getsockname(self) -> str:
        """The name it listens on."""
        return self._name


class MemoryServer(asyncio.AbstractServer):
    """What `create_unix_server` returns: listens on a name until closed. Closing keeps open connections, as ever."""

    def __init__(self, loop: MemoryNetwork, name: str, factory: ProtocolFactory, options: dict[str, Any]) -> None:
        self.name = name
        self._loop = loop
        self._factory = factory
        self._options = options
        # Connections are served in the context the server was made in, not in that of the client that connects.
        self._context = contextvars.copy_context()
        self._accepting: dict[asyncio.Task[None], None] = {}
        self._closed = asyncio.Event()
        self._serving_forever: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def sockets(self) -> tuple[ListeningName, ...]:
        """One stand-in for the listening socket; none once closed."""
        return () if self._closed.is_set() else (ListeningName(self.name),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it serves on."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._loop._servers.get(self.name) is self

    async def start_serving(self) -> None:
        """Accept connections from now on."""
        if self._closed.is_set():
            raise RuntimeError(f"server {self!r} is closed")
        self._loop._listen(self)

    async def serve_forever(self) -> None:
        """Accept connections until cancelled, then close."""
        if self._serving_forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        await self.start_serving()
        self._serving_forever = self._loop.create_future()
        try:
            await self._serving_forever
        finally:
            self._serving_forever = None
            self.close()

    def close(self) -> None:
        """Accept no more connections and free the name."""
        if self.is_serving():
            del self._loop._servers[self.name]
        self._closed.set()
        if self._serving_forever is not None and not self._serving_forever.done():
            self._serving_forever.cancel()

    async def wait_closed(self) -> None:
        """Wait until it is closed and every connection it took is in its protocol's hands."""
        await self._closed.wait()
        if self._accepting:
            await asyncio.wait(list(self._accepting))

    def _accept(self, sock: socket.socket) -> None:
        task = self._context.run(self._loop.create_task, self._serve(sock), name=f"accept on {self.name!r}")
        self._accepting[task] = None
        task.add_done_callback(lambda task: self._accepted(task, sock))

    def _accepted(self, task: asyncio.Task[None], sock: socket.socket) -> None:
        self._accepting.pop(task, None)
        if task.cancelled():  # maybe before it began
            sock.close()

    async def _serve(self, sock: socket.socket) -> None:
        try:
            transport, _ = await self._loop.connect_accepted_socket(self._factory, sock, **self._options)
        except BaseException as error:
            if not isinstance(error, Exception):
                raise
            sock.close()
            self._loop.call_exception_handler(
                {"message": f"error while accepting a connection on {self.name!r}", "exception": error}
            )
        else:
            self._loop._note_connection(transport, f"server end of {self.name!r}")


class MemoryNetwork(asyncio.SelectorEventLoop):
    """The part of the virtual loop that holds names, servers and connections."""

    def __init__(self, selector: Any = None) -> None:
        self._servers: dict[str, MemoryServer] = {}
        self._connections: weakref.WeakKeyDictionary[asyncio.BaseTransport, str] = weakref.WeakKeyDictionary()
        super().__init__(selector)

    async def create_unix_server(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        path: Path | None = None,
        *,
        sock: socket.socket | None = None,
        backlog: int = 100,
        start_serving: bool = True,
        ssl: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **_: Any,
    ) -> MemoryServer:
        """Listen on the name `path`. A name that is taken is an `OSError`, as an address in use is."""
        if path is None or sock is not None:
            raise ValueError("the virtual loop listens on in-memory names: pass path=, not sock=")
        options = {"ssl": ssl}
        if ssl is not None:
            options["ssl_handshake_timeout"] = ssl_handshake_timeout
            options["ssl_shutdown_timeout"] = ssl_shutdown_timeout
        server = MemoryServer(self, os.fsdecode(path), protocol_factory, options)
        if start_serving:
            self._listen(server)
        return server

    async def create_unix_connection(  # type: ignore[override]
        self, protocol_factory: ProtocolFactory, path: Path | None = None, *, sock: Any = None, **options: Any
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connect to the server that listens on the name `path`; `ConnectionRefusedError` names it when none does."""
        if path is None or sock is not None:
            raise ValueError("the virtual loop connects to in-memory names: pass path=, not sock=")
        name = os.fsdecode(path)
        server = self._servers.get(name)
        if server is None:
            taken = ", ".join(repr(other) for other in self._servers) or "none"
            raise ConnectionRefusedError(
                errno.ECONNREFUSED, f"nobody listens on the in-memory name {name!r} (names listened on: {taken})"
            )
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        server._accept(far)
        try:
            transport, protocol = await self.create_connection(protocol_factory, sock=near, **options)
        except BaseException:
            near.close()
            raise
        self._note_connection(transport, f"client end of {name!r}")
        return transport, protocol

    def open_connections(self) -> list[str]:
        """One line for each open in-memory connection and listening server, oldest first."""
        ends = [f"connection, {end}" for transport, end in self._connections.items() if not transport.is_closing()]
        return ends + [f"server listening on {name!r}" for name in self._servers]

    def close_connections(self) -> None:
        """Close every server and cut every connection; their protocols hear of it in the next pass of the loop."""
        for server in list(self._servers.values()):
            server.close()
        for transport in list(self._connections):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    def _listen(self, server: MemoryServer) -> None:
        holder = self._servers.setdefault(server.name, server)
        if holder is not server:
            raise OSError(errno.EADDRINUSE, f"a server already listens on the in-memory name {server.name!r}")

    def _note_connection(self, transport: asyncio.BaseTransport, end: str) -> None:
        self._connections[transport] = end
        # asyncio reads into a fresh buffer of 256 KiB, which costs more than all else that a short message needs.
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_SIZE

    # A peer on a real network answers in real time, while this clock would jump past every time-out meanwhile.

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> NoReturn:
        """Refused: virtual time has no network."""
        raise socket.gaierror(socket.EAI_FAIL, f"no network in virtual time: looking up {host!r}, port {port!r}")

    async def sock_connect(self, sock: socket.socket, address: Any) -> NoReturn:
        """Refused: virtual time has no network."""
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"no network in virtual time: connecting to {address!r}")
