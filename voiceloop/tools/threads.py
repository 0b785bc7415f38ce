"""Threads for tools that block: each has one of its own, so that a slow one delays neither speech nor another call.

The pool of `voiceloop.offload` is for models: a few threads, always busy. A tool mostly waits for a network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar
from weakref import WeakKeyDictionary

from voiceloop.offload import in_virtual_time

__all__ = ["MAX_THREADS", "in_thread"]

R = TypeVar("R")

MAX_THREADS = 64
"""Tools that block at the same time, on one event loop; further ones wait for their turn."""

_places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def in_thread(function: Callable[[], R]) -> R:
    """Run a function in a thread, and return what it returns. In virtual time it runs inline.

    It should not raise: what it raises ends the thread, and comes out here as a cancellation.

    Cancelling the caller ends the waiting. A function that has begun runs to its end, keeps its place until then,
    and what it returns is dropped. It does not keep the process from ending.
    """
    if in_virtual_time():
        return function()
    loop = asyncio.get_running_loop()
    place = _places.setdefault(loop, asyncio.Semaphore(MAX_THREADS))
    await place.acquire()
    result: asyncio.Future[R] = loop.create_future()
    context = copy_context()

    def settle(*values: R) -> None:
        place.release()
        if not values:
            result.cancel()
        elif not result.done():
            result.set_result(values[0])

    def run() -> None:
        values: list[R] = []
        try:
            values.append(context.run(function))
        finally:
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(settle, *values)

    threading.Thread(target=run, name="voiceloop tool", daemon=True).start()
    return await result
