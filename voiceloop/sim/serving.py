"""An application behind a real WebSocket, for callers in the same process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

__all__ = ["serving"]

NAMES = itertools.count(1)


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[tuple[str, aiohttp.BaseConnector]]:
    """The application behind a real WebSocket: in memory on a virtual loop, else on loopback."""
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        if getattr(asyncio.get_running_loop(), "virtual_time", False):
            name = f"voiceloop-{next(NAMES)}"
            await web.UnixSite(runner, name).start()
            yield "http://bot/media", aiohttp.UnixConnector(path=name)
        else:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            yield f"http://{host}:{port}/media", aiohttp.TCPConnector()
    finally:
        await runner.cleanup()
