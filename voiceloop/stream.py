"""What a stream handler reads: the consecutive frames of one answer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from voiceloop.frames import Content

if TYPE_CHECKING:
    from voiceloop.answer import Answer

__all__ = ["Stream"]

T = TypeVar("T", bound=Content)


class Stream(Generic[T]):
    """Frames of one answer, read with ``async for`` as they arrive.

    It ends when other content follows, when the answer ends, and at once when the answer is dead: what was waiting
    here is dropped then.
    """

    __slots__ = ("_closed", "_frames", "_waiter", "answer")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self._frames: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False

    def feed(self, frame: T) -> None:
        """Append a frame (the engine does)."""
        self._frames.append(frame)
        self._wake()

    @property
    def closed(self) -> bool:
        """True once no more frames will come."""
        return self._closed

    def close(self) -> None:
        """No more frames will come (the engine says so)."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        while not self._frames or self.answer.dead:
            if self._closed or self.answer.dead:
                self._frames.clear()
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._frames.popleft()
