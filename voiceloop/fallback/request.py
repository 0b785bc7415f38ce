"""Requests to several providers at once, each in a task of its own.

So a provider can be given up whatever it does, also when it swallows cancellation or never answers. A provider is asked
for its next item only when somebody wants it, as if its generator were read directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from voiceloop.faults import describe, drop_frames, failure_of

__all__ = ["EARLY", "News", "Request"]

T = TypeVar("T")
EARLY = 0.002
"""Seconds by which a timer may fire before its time."""


class News:
    """Wakes the one who waits for any of several requests."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def tell(self) -> None:
        """Something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @staticmethod
    def now() -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    async def wait(self, until: float | None) -> None:
        """Wait for the next change, at most until a time on the loop's clock."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if until is None else loop.call_at(until, self.tell)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


class Request(Generic[T]):
    """One request to one provider.

    Args:
        items: what the provider returned.
        ready: awaited first, in the request's own task.
        news: told of each item and of the end.
        tasks: where its task is kept until it ends, even if the request is closed before.
        name: of the task.
    """

    __slots__ = ("_closed", "_news", "_task", "_wanted", "failure", "item", "over")

    def __init__(
        self,
        items: AsyncGenerator[T, None],
        ready: Callable[[], Awaitable[None]],
        news: News,
        tasks: set[asyncio.Task[None]],
        name: str,
    ) -> None:
        self.item: T | None = None
        """What came and was not taken yet."""
        self.over = False
        """No further item will come."""
        self.failure = ""
        """What it raised, in a line."""
        self._closed = False
        self._news = news
        self._wanted: asyncio.Future[None] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(items, ready), name=name)
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)
        self._task.add_done_callback(self._done)

    async def _run(self, items: AsyncGenerator[T, None], ready: Callable[[], Awaitable[None]]) -> None:
        async with aclosing(items):
            await ready()
            async for item in items:
                if self._closed:  # it has swallowed the cancellation
                    return
                self.item = item
                self._wanted = asyncio.get_running_loop().create_future()
                self._news.tell()
                await self._wanted

    def _done(self, task: asyncio.Task[None]) -> None:
        self.over = True
        failure = failure_of(task)
        if failure is not None:
            self.failure = describe(failure)[0]
            drop_frames(failure)
        elif task.cancelled() and not self._closed:
            self.failure = "it cancelled itself"
        self._news.tell()

    def take(self) -> T | None:
        """The item that came, if one did. The provider goes on with `ask`."""
        item, self.item = self.item, None
        return item

    def ask(self) -> None:
        """Have it make its next item, unless it does already."""
        if self.item is None and self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    def close(self) -> None:
        """Give it up, without waiting for it to clean up."""
        self._closed = True
        self._task.cancel()
