"""What whoever runs a server sees of it: metrics, and a log for people or for machines."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, cast

from voiceloop.observe.call_log import log_call
from voiceloop.observe.logs import Level, configure_logging, is_json
from voiceloop.server.console import Console
from voiceloop.server.phone import Phone
from voiceloop.server.serve_settings import ServeSettings

__all__ = ["MetricsServed", "logged", "metrics_served", "observed", "with_own_log"]

_USUAL: Final[dict[str, Level]] = {"text": "WARNING", "json": "INFO"}


@contextmanager
def logged(settings: ServeSettings, worker: str = "") -> Iterator[None]:
    """Have this process log as the settings say, for a block; then as before.

    Args:
        worker: which process this is; lines for people have it as a prefix.
    """
    root, library = logging.getLogger(), logging.getLogger("voiceloop")
    handlers, levels = list(root.handlers), (root.level, library.level)
    for plain in handlers:
        if type(plain) is logging.StreamHandler and plain.stream is sys.stderr:  # of logging.basicConfig
            root.removeHandler(plain)
    level = cast("Level", settings.log_level or _USUAL[settings.log])
    own = configure_logging(settings.log, level, worker=worker if settings.log == "json" else "")
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(own)
        for each in handlers:
            root.addHandler(each)
        root.setLevel(levels[0])
        library.setLevel(levels[1])


def with_own_log(settings: ServeSettings) -> ServeSettings:
    """The same settings, logging as this process does: a script may have said how by `configure_logging`."""
    if not is_json():
        return settings
    return replace(settings, log="json", log_level=logging.getLevelName(logging.getLogger("voiceloop").level))


@asynccontextmanager
async def observed(phone: Phone, settings: ServeSettings) -> AsyncIterator[None]:
    """Tell how a phone's calls go, and count them if the settings want metrics. To be entered before it takes any."""
    phone.on_call.insert(0, log_call if is_json() else Console().began)
    phone.load.on_level.append(lambda busy, why: Console().level(phone, busy, why))
    async with AsyncExitStack() as stack:
        if settings.metrics_port is not None:
            from voiceloop.observe.metrics import shared_metrics

            metrics = shared_metrics()
            phone.on_call.append(metrics.began)

            def waiting() -> int:
                return getattr(phone.keeper, "waiting", 0)

            await stack.enter_async_context(metrics.sampling(phone.counts, waiting, phone.load))
        yield


@dataclass(frozen=True, slots=True)
class MetricsServed:
    """``GET /metrics``, for as long as the process lives."""

    url: str
    folder: str | None = None
    """Where workers leave their values."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What workers need for that."""

    def forget(self, pid: int) -> None:
        """A worker has ended: it has no live calls any more."""
        if self.folder is not None:
            from voiceloop.observe.exposition import forget_worker

            forget_worker(self.folder, pid)


@asynccontextmanager
async def metrics_served(
    settings: ServeSettings, *, folder: str | os.PathLike[str] | None = None
) -> AsyncIterator[MetricsServed | None]:
    """Serve ``GET /metrics`` for a block, if the settings want it.

    Args:
        folder: a new one, where workers leave their values; None: those of this process.

    Raises:
        VoiceloopError: the port is taken; prometheus_client is not installed.
    """
    if settings.metrics_port is None:
        yield None
        return
    from voiceloop.observe.exposition import serving_metrics, worker_environment

    environment = {} if folder is None else worker_environment(folder)
    async with serving_metrics(settings.metrics_port, settings.metrics_host, folder=folder) as url:
        yield MetricsServed(url, None if folder is None else os.fspath(folder), environment)
