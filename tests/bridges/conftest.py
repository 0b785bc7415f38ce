"""Pipecat's own services against the simulators; skipped where pipecat-ai is not installed: see `.ci/bridges`."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its imports: the module audioop, and what Pipecat deprecates of its own
    try:
        import pipecat.services.cartesia.tts
        import pipecat.services.openai.llm  # noqa: F401
        from loguru import logger
    except ImportError:
        pass
    else:
        logger.disable("pipecat")  # it writes every step to standard error

Serving = Callable[[web.Application], AbstractAsyncContextManager[str]]


@pytest.fixture
def serving() -> Serving:
    """Serves an application on a port of this machine; in virtual time, in memory. Gives the host and the port."""

    @asynccontextmanager
    async def serve(app: web.Application) -> AsyncIterator[str]:
        options = {"handle_signals": False, "access_log": None, "shutdown_timeout": 0.0, "handler_cancellation": True}
        runner = web.AppRunner(app, **options)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return serve
