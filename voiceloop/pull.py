"""Items of a provider, with a limit on every wait.

The provider's generator runs in a task of its own. So whoever waits for its items can always be cancelled or give
up, even when the provider swallows cancellation or never answers: its task is then left to the call, which abandons
and reports it at the end.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.registry import Work

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call
    from voiceloop.engine import Engine
    from voiceloop.journal import Journal

__all__ = ["ProviderFailed", "ProviderStalled", "Pull"]

T = TypeVar("T")
AHEAD = 64
"""Items a provider may be ahead of whoever reads them."""
_EARLY = 0.002
"""Seconds by which a timer may fire before its time."""

LEAKED = ("it was cancelled from within: something it awaited was cancelled", "")
_LATE = 0.02
"""Seconds by which a timer fires late when the loop was held."""


class ProviderFailed(VoiceloopError):
    """A provider raised. The message begins with what it said."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class ProviderStalled(ProviderFailed):
    """A provider gave nothing for too long."""


class Pull(Generic[T]):
    """Runs a provider's generator and hands out its items."""

    def __init__(self, engine: Engine, items: AsyncGenerator[T, None], kind: str, answer: Answer | None = None) -> None:
        self._engine = engine
        self._answer = answer
        self._kind = kind
        self._items: deque[T] = deque()
        self._news: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None
        self._over = False
        self._held = False
        """True while the provider is not asked for more: enough of its answer waits to be played."""
        self._asked = -math.inf
        """When it was asked again after that."""
        self._failure: tuple[str, str] | None = None
        self._closed = False
        self._work = engine.spawn(self._pump(items), f"{kind} provider", answer=answer, on_done=self._ended)

    async def _pump(self, items: AsyncGenerator[T, None]) -> None:
        call = self._engine.call
        async with aclosing(_told(call, items, self._kind)) as told:
            async for item in told:
                call.wake(self._kind, item)
                self._items.append(item)
                self._tell()
                if self._answer is not None:
                    self._held = True
                    await self._answer.room()
                    self._held, self._asked = False, self._engine.time()
                while len(self._items) >= AHEAD:
                    self._space = self._engine.loop.create_future()
                    await self._space

    def _ended(self, work: Work) -> None:
        self._over = True
        if work.failure is not None:
            self._failure = describe(work.failure)
        elif work.cancelled and not (self._closed or work.asked or self._engine.closed):
            self._failure = LEAKED
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def next(self, limit: float) -> T:
        """The next item, at the latest after `limit` seconds of the provider's own making.

        Raises:
            StopAsyncIteration: there is none.
            ProviderStalled: none came in time; asking again is allowed.
            ProviderFailed: the provider raised.
        """
        engine = self._engine
        since = engine.time()
        while not self._items:
            if self._over:
                if self._failure is not None:
                    raise ProviderFailed(*self._failure)
                raise StopAsyncIteration
            if since + limit <= engine.time() + _EARLY:
                late = engine.time() - since - limit
                if late > _LATE and not self._held:  # the process stood still: that is not the provider's making
                    self._asked = engine.time() - limit + min(late, limit)
                since = engine.time() if self._held else self._asked
                if since + limit <= engine.time() + _EARLY:
                    raise ProviderStalled(f"{self._kind}: nothing came for {limit:g} s")
            self._news = engine.loop.create_future()
            # A timer of the call's, not one of asyncio's: what has come meanwhile counts, however late it is noticed.
            timer = engine.registry.timer(since + limit, self._tell, f"{self._kind} silent")
            try:
                await self._news
            finally:
                self._news = None
                timer.cancel()
        item = self._items.popleft()
        if self._space is not None and not self._space.done():
            self._space.set_result(None)
        return item

    def close(self) -> None:
        """Cancel the provider, without waiting for it to clean up."""
        self._closed = True
        if self._work.task is not None:
            self._work.task.cancel()


def pour(
    engine: Engine,
    items: AsyncGenerator[T, None],
    kind: str,
    take: Callable[[T], None],
    ended: Callable[[tuple[str, str] | None], None],
) -> Work:
    """Run a provider's generator and hand each item to `take` at once; `ended` gets the failure, or None.

    Raised errors of `take` count as the provider's.
    """

    async def run() -> None:
        async with aclosing(_told(engine.call, items, kind)) as told:
            async for item in told:
                engine.call.wake(kind, item)
                take(item)

    def done(work: Work) -> None:
        if not work.cancelled:
            ended(describe(work.failure) if work.failure is not None else None)
        elif not (work.asked or engine.closed):
            ended(LEAKED)

    return engine.spawn(run(), f"{kind} provider", on_done=done)


def _told(call: Call, items: AsyncGenerator[T, None], kind: str) -> AsyncGenerator[T, None]:
    """The same items; the journal of the call, if it has one, learns of their end."""
    return items if call.journal is None else _with_end(call.journal, items, kind)


async def _with_end(journal: Journal, items: AsyncGenerator[T, None], kind: str) -> AsyncGenerator[T, None]:
    async with aclosing(items):
        try:
            async for item in items:
                journal.item(kind, item)
                yield item
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, Exception) or (task is not None and not task.cancelling()):  # not our own doing
                journal.ended(kind, (type(error).__name__, str(error)))
            raise
    journal.ended(kind, None)
