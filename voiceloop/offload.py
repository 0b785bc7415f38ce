"""Work that must not run on the event loop: one bounded pool of threads for the process.

A loop whose attribute ``virtual_time`` is true has no time of its own to overlap with a thread: there the work
runs inline, after the virtual time it is said to cost, so that a test gives the same result on every run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["MAX_WORKERS", "Limit", "in_virtual_time", "offload"]

R = TypeVar("R")

MAX_WORKERS = 4
"""Threads in the pool. Each piece of work uses one thread; more of them than cores would only add waiting."""

_pool: ThreadPoolExecutor | None = None


def in_virtual_time() -> bool:
    """Whether the running event loop keeps virtual time. Threads must not be used on such a loop."""
    return bool(getattr(asyncio.get_running_loop(), "virtual_time", False))


async def offload(fn: Callable[..., R], *args: Any, virtual_cost: float = 0.0) -> R:
    """Run ``fn(*args)`` off the loop and return what it returns.

    Cancelling the caller gives up waiting at once: work that has not begun never begins; work that runs cannot be
    stopped, runs to its end in its thread, and its result or error is dropped. It must therefore not hold
    anything the caller gives back when cancelled.

    Args:
        virtual_cost: seconds the work takes in virtual time; not used in real time.
    """
    if in_virtual_time():
        await asyncio.sleep(virtual_cost)
        return fn(*args)
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(MAX_WORKERS, thread_name_prefix="voiceloop")
    return await asyncio.get_running_loop().run_in_executor(_pool, fn, *args)


class Limit:
    """At most so many inside at once, the others wait in order. One object may serve one event loop after another."""

    __slots__ = ("_loop", "_semaphore", "limit")

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"a limit is at least 1, not {limit}")
        self.limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._semaphore = asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        # A semaphore belongs to the loop it was first waited on, but a provider may outlive its loop.
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._semaphore = loop, asyncio.Semaphore(self.limit)
        await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._semaphore.release()
