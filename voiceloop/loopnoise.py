"""What an event loop of a command need not tell."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

__all__ = ["without_noise"]


def without_noise(loop: asyncio.AbstractEventLoop) -> None:
    """Keep one harmless error out of the log of a loop that is about to end.

    When the last channel of `grpc.aio` is gone its poller closes a socket, and the loop may find it readable after
    that (grpcio 1.85, ``PollerCompletionQueue._handle_events``): "Bad file descriptor", with a traceback.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno == errno.EBADF and _is_grpc(error)):
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)


def _is_grpc(error: OSError) -> bool:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "grpc" in code.co_filename or "grpc" in code.co_name:
            return True
        trace = trace.tb_next
    return False
