"""Applications that really listen, for callers in the same process and, outside virtual time, on this machine."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

__all__ = ["Listener", "listen", "serving"]

_HOST = "127.0.0.1"
_NAMES = itertools.count(1)


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[tuple[str, aiohttp.BaseConnector]]:
    """The application behind a real WebSocket: in memory on a virtual loop, else on loopback."""
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        if getattr(asyncio.get_running_loop(), "virtual_time", False):
            name = f"voiceloop-{next(_NAMES)}"
            await web.UnixSite(runner, name).start()
            yield "http://bot/media", aiohttp.UnixConnector(path=name)
        else:
            site = web.TCPSite(runner, _HOST, 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}/media", aiohttp.TCPConnector()
    finally:
        await runner.cleanup()


async def listen(app: web.Application, port: int = 0) -> web.AppRunner:
    """Serve an application on a port of 127.0.0.1, or on a free one; in virtual time it is in memory.

    A handler is cancelled when its client goes. The runner's `cleanup` cuts all connections.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


class Listener(ABC):
    """A simulated service: it listens, can go away, and comes back at the same address."""

    _runner: web.AppRunner | None = None
    _port = 0

    @property
    @abstractmethod
    def app(self) -> web.Application:
        """A new application with the routes, to serve in another way than `listening`."""

    @property
    def base_url(self) -> str:
        """Where it listens, or did."""
        return f"http://{_HOST}:{self._port}"

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Serve until the block is left, on a free port unless one is given. Gives the base URL."""
        self._port = port
        await self.up()
        try:
            yield self.base_url
        finally:
            await self.down()

    async def up(self) -> None:
        """Listen, at the same address as before."""
        self._runner = await listen(self.app, self._port)
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Cut every connection and refuse new ones."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
