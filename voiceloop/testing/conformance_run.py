"""What the conformance suite runs requests with: an input it can watch, a consumer like the library's, a loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from typing import Any, Generic, TypeVar

from voiceloop.served import Served
from voiceloop.sim.loop import LeftBehind, describe_task, run_virtual, settle

__all__ = ["Consumer", "ContractBroken", "Feed", "require", "run", "until"]

T = TypeVar("T")

_STEP = 0.01
"""Seconds between two looks at something that is waited for."""


class ContractBroken(AssertionError):
    """A provider does not keep the contract. The message says what is wanted, what came and how to mend it."""


def require(kept: object, wants: str, came: str, mend: str) -> None:
    """Raise `ContractBroken` unless `kept`.

    Args:
        wants: what the contract wants.
        came: what came instead.
        mend: how to mend it.
    """
    __tracebackhide__ = True
    if not kept:
        raise ContractBroken(f"{wants}\n  what came: {came}\n  how to mend it: {mend}")


async def until(condition: Callable[[], object], limit: float) -> bool:
    """Wait until `condition` holds, at most `limit` seconds. Returns whether it does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    await settle()
    while not condition():
        if loop.time() >= end:
            return False
        await asyncio.sleep(_STEP)
    return True


class Feed(Generic[T]):
    """The input of a request, handed out item by item, with a record of what was taken.

    Like the library's own it is an iterator and no generator: it cannot be closed, and survives a cancelled `anext`.

    Args:
        items: what is handed out.
        last: they are all; otherwise whoever reads on waits for `end`, for ever.
        pause: seconds before an item is handed out.
    """

    def __init__(
        self, items: Iterable[T], *, last: bool = True, pause: Callable[[T], float] = lambda item: 0.0
    ) -> None:
        self._items = deque(items)
        self._last = last
        self._pause = pause
        self._news: asyncio.Future[None] | None = None
        self.taken = 0
        """Items that were handed out."""

    def end(self) -> None:
        """Nothing more comes."""
        self._last = True
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def __aiter__(self) -> Feed[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._last:
                raise StopAsyncIteration
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if pause := self._pause(self._items[0]):
            await asyncio.sleep(pause)
        self.taken += 1
        return self._items.popleft()


class Consumer(Generic[T]):
    """Reads a provider's items as the library does: in one task, which closes the generator when it leaves.

    Args:
        items: what the provider returned.
        rest: seconds to rest after each item.
        leave_after: items after which it leaves; None for all.
    """

    def __init__(self, items: AsyncGenerator[T, None], *, rest: float = 0.0, leave_after: int | None = None) -> None:
        self._rest = rest
        self._leave_after = leave_after
        self.got: list[T] = []
        """What came so far."""
        self.left = False
        """True when it has what it wants and closes the generator."""
        self.task = asyncio.get_running_loop().create_task(self._read(items), name="conformance consumer")
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # somebody has seen it

    async def _read(self, items: AsyncGenerator[T, None]) -> None:
        if self._leave_after == 0:
            self.left = True
            await items.aclose()
            return
        async with aclosing(items):
            async for item in items:
                if isinstance(item, Served):  # who did it is no part of what was done
                    continue
                self.got.append(item)
                if len(self.got) == self._leave_after:
                    self.left = True
                    return
                if self._rest:
                    await asyncio.sleep(self._rest)

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.task.done()

    @property
    def failure(self) -> BaseException | None:
        """What the provider raised, if it is done."""
        if not self.task.done():
            return None
        if self.task.cancelled():
            return asyncio.CancelledError("it raised CancelledError, which nobody had asked for")
        return self.task.exception()


def run(test: Coroutine[Any, Any, object], *, realtime: bool) -> None:
    """Run a coroutine test on a loop of its own.

    Raises: what it raises; `LeftBehind` when tasks are left.
    """
    if realtime:
        _run_real(test)
    else:
        run_virtual(test, strict=True)


def _run_real(test: Coroutine[Any, Any, object]) -> None:
    """As `asyncio.run`, but it never waits for tasks that swallow cancellation."""
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(test)
        finally:
            left = sorted(describe_task(task) for task in asyncio.all_tasks(loop))
            loop.run_until_complete(_clean_up())
        if left:
            raise LeftBehind([f"task {name}" for name in left])
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _clean_up() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)
    with suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            await asyncio.get_running_loop().shutdown_asyncgens()
