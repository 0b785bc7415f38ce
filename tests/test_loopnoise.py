"""One harmless error of gRPC's is kept out of the log; others are told."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable

import pytest

from voiceloop.loopnoise import without_noise


def raising(file: str, error: str) -> Callable[[], None]:
    namespace: dict[str, Callable[[], None]] = {}
    exec(compile(f"def run():\n    raise {error}", file, "exec"), namespace)
    return namespace["run"]


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("file", "error", "told"),
    [
        ("src/python/grpcio/grpc/_cython/_cygrpc/aio/completion_queue.pyx.pxi", f"OSError({errno.EBADF}, 'x')", False),
        ("src/python/grpcio/grpc/_cython/_cygrpc/aio/completion_queue.pyx.pxi", f"OSError({errno.EIO}, 'x')", True),
        ("bot.py", f"OSError({errno.EBADF}, 'x')", True),
        ("bot.py", "KeyError('x')", True),
    ],
)
async def test_what_is_told(caplog: pytest.LogCaptureFixture, file: str, error: str, told: bool) -> None:
    loop = asyncio.get_running_loop()
    without_noise(loop)
    with caplog.at_level(logging.ERROR):
        loop.call_soon(raising(file, error))
        await asyncio.sleep(0.01)
    assert ("Exception in callback" in caplog.text) is told
