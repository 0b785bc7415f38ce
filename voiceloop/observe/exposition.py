"""``GET /metrics`` on a port of its own, which the outside world does not reach."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voiceloop.errors import VoiceloopError, require
from voiceloop.observe.metrics import FOLDER_VARIABLE
from voiceloop.offload import Limit, offload

if TYPE_CHECKING:
    from aiohttp import web
    from prometheus_client import CollectorRegistry

__all__ = ["LOOPBACK", "forget_worker", "metrics_app", "serving_metrics", "worker_environment"]

LOOPBACK: Final = "127.0.0.1"
AT_ONCE: Final = 2
"""Requests that are answered at a time; more wait."""
PATIENCE: Final = 10.0
"""Seconds that a request waits and is worked on."""


def metrics_app(
    registry: CollectorRegistry | None = None, *, folder: str | os.PathLike[str] | None = None
) -> web.Application:
    """An aiohttp application with the one route ``GET /metrics``. It asks nobody who they are: keep it inside.

    Args:
        registry: of prometheus_client; its default one when not given.
        folder: where several workers leave their values (`worker_environment`): these are added up instead.

    Raises:
        MissingExtra: prometheus_client is not installed.
    """
    require("prometheus_client", "serve", "GET /metrics")
    from aiohttp import web
    from prometheus_client import REGISTRY
    from prometheus_client.exposition import choose_encoder

    limit = Limit(AT_ONCE)

    def collect(accept: str) -> tuple[bytes, str]:
        encode, kind = choose_encoder(accept)
        if folder is None:
            return encode(REGISTRY if registry is None else registry), kind
        return encode(_of_workers(folder)), kind

    async def metrics(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(PATIENCE), limit:
                body, kind = await offload(collect, request.headers.get("Accept", "")[:1000])
        except TimeoutError:
            return web.Response(status=503, text=f"the metrics were not there within {PATIENCE:g} s\n")
        return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": "no-store"})

    app = web.Application(client_max_size=1024)
    app.router.add_get("/metrics", metrics)
    return app


def _of_workers(folder: str | os.PathLike[str]) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, os.fspath(folder))  # type: ignore[no-untyped-call]
    return registry


@asynccontextmanager
async def serving_metrics(
    port: int,
    host: str = LOOPBACK,
    *,
    registry: CollectorRegistry | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> AsyncIterator[str]:
    """Serve ``GET /metrics`` for a block; gives the URL.

    Args:
        port: 0 takes a free one.
        host: address to listen on. Whoever reaches it can read the metrics.
        registry: see `metrics_app`.
        folder: see `metrics_app`.

    Raises:
        VoiceloopError: the port is taken; prometheus_client is not installed.
    """
    app = metrics_app(registry, folder=folder)
    from aiohttp import web

    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            number = error.errno or 0  # a negative one is of the look-up of a name
            why = os.strerror(number) if number > 0 else error.strerror or error
            raise VoiceloopError(f"the metrics cannot be served at {host}, port {port}: {why}") from error
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}/metrics"
    finally:
        await runner.cleanup()


# --- several workers ----------------------------------------------------------------------------------------


def worker_environment(folder: str | os.PathLike[str]) -> dict[str, str]:
    """What to add to the environment of workers so that their values meet in a folder. It is made, and must be empty:
    values of an earlier server would be counted in.

    Raises:
        VoiceloopError: it is not empty.
    """
    path = Path(folder)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise VoiceloopError(f"the folder of the metrics, {path}, must be empty: remove what is in it")
    return {FOLDER_VARIABLE: str(path)}


def forget_worker(folder: str | os.PathLike[str], pid: int) -> None:
    """A worker has ended: what it had at the moment (live calls, memory) counts no more; what it had counted does.

    Call it in the supervisor, with the process id of the worker, when it is dead.
    """
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, os.fspath(folder))  # type: ignore[no-untyped-call]
