"""Servers and clients that meet at a name in memory, for the virtual loop.

`create_unix_server(factory, "carrier")` and `create_unix_connection(factory, "carrier")` keep their signatures and
their meaning, but the path is a name that only this loop knows, and a connection is a `socket.socketpair()`: bytes
written on one end are there to read on the other at once. So `aiohttp.web.UnixSite(runner, "carrier")` and
`aiohttp.UnixConnector(path="carrier")` talk to each other with no change, and leave no file behind.

TCP ports of this machine (127.0.0.1, ::1, localhost) are such names too: clients that can only be given an address,
such as the SDKs of services, reach a simulator in virtual time without knowing. Nothing else can be reached.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
import weakref
from collections.abc import Callable
from typing import Any

_READ_SIZE = 64 * 1024  # bytes taken from a connection at a time
_HOST = "127.0.0.1"
_PORT = f"{_HOST}:"  # how the name of a port begins
_HERE = frozenset({_HOST, "::1", "localhost", "0.0.0.0", "::"})
_FIRST_PORT = 49152  # of those given out for port 0

Path = str | bytes | os.PathLike[str]
ProtocolFactory = Callable[[], asyncio.BaseProtocol]


class _End(socket.socket):
    """One end of a connection. Options of TCP mean nothing to it."""

    def setsockopt(self, level: int, *rest: Any) -> None:
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *rest)


class ListeningName:
    """Stands for a server's listening socket where a library asks for its address."""

    family = socket.AF_UNIX if hasattr(socket, "AF_UNIX") else socket.AF_INET

    def __init__(self, name: str) -> None:
        self._name = name

    def getsockname(self) -> str | tuple[str, int]:
        """The name it listens on, or the host and port."""
        port = self._name.removeprefix(_PORT)
        return (_HOST, int(port)) if port != self._name else self._name


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
        self._connected: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()
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
        near, far = (_End(fileno=end.detach()) for end in socket.socketpair())
        near.setblocking(False)
        far.setblocking(False)
        server._accept(far)
        try:
            transport, protocol = await super().create_connection(protocol_factory, sock=near, **options)
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

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        host: Any = None,
        port: int | None = None,
        *,
        sock: socket.socket | None = None,
        reuse_address: bool | None = None,
        reuse_port: bool | None = None,
        **options: Any,
    ) -> MemoryServer:
        """Listen on a port of this machine, in memory."""
        if sock is not None or host not in _HERE:
            raise ValueError(f"the virtual loop listens on ports of this machine only: pass host={_HOST!r}, not sock=")
        port = port or next(p for p in range(_FIRST_PORT, 65536) if f"{_PORT}{p}" not in self._servers)
        return await self.create_unix_server(protocol_factory, f"{_PORT}{port}", **options)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: ProtocolFactory,
        host: Any = None,
        port: int | None = None,
        *,
        sock: socket.socket | None = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to a port of this machine, in memory."""
        if sock is not None and (name := self._connected.pop(sock, None)) is None:
            return await super().create_connection(protocol_factory, sock=sock, **options)
        if sock is not None:
            sock.close()
        else:
            name = _name((host, port))
        kept = {key: value for key, value in options.items() if key.startswith(("ssl", "server_hostname"))}
        return await self.create_unix_connection(protocol_factory, name, **kept)  # type: ignore[return-value]

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Knows this machine; anything else is refused: virtual time has no network."""
        if host in _HERE:
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (_HOST, int(port or 0)))]
        raise socket.gaierror(socket.EAI_FAIL, f"no network in virtual time: looking up {host!r}, port {port!r}")

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Note where it goes, for the `create_connection` that follows; refused for other machines."""
        name = _name(address)
        if name not in self._servers:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nobody listens on {name} in virtual time")
        self._connected[sock] = name


def _name(address: Any) -> str:
    """The name of a port of this machine."""
    host, port = address[:2]
    if host not in _HERE:
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"no network in virtual time: connecting to {address!r}")
    return f"{_PORT}{port}"
