"""Text of one answer for a Pipecat voice, as the responses of a model that Pipecat knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pipecat.frames.frames import LLMFullResponseEndFrame, LLMFullResponseStartFrame, LLMTextFrame

from voiceloop.bridges.pipecat_island import Island

__all__ = ["Feed"]


class Feed:
    """Hands text on as it is written.

    A service holds the last sentence back until it knows that the response goes on or has ended, and Cartesia closes
    what got no text for a second. An answer of voiceloop may pause for longer, for a tool. So a response ends when
    nothing was written for a while, and what comes then is another one.

    Args:
        island: the service.
        text: the answer.
        pause: seconds.
    """

    def __init__(self, island: Island, text: AsyncIterator[str], pause: float) -> None:
        self.last = LLMFullResponseEndFrame()
        """Comes out of the service when everything was spoken."""
        self._island = island
        self._text = text
        self._pause = pause
        self._open = False
        self._task: asyncio.Task[None] | None = None

    async def begin(self, piece: str) -> None:
        """Begin with the first piece. When this returns, what comes out of the service belongs to this answer."""
        start = LLMFullResponseStartFrame()
        await self._island.send(start)
        while await self._island.next() is not start:
            pass
        self._open = True
        await self._island.send(LLMTextFrame(piece))
        self._task = asyncio.create_task(self._run(), name=f"feeding {self._island.name}")

    async def close(self) -> None:
        """Read no more text."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while (piece := await self._next()) is not None:
                if piece:
                    await self._write(piece)
            if self._open:
                await self._island.send(self.last)
            else:
                self._island.put(self.last)
        except Exception as error:
            self._island.put(error)

    async def _next(self) -> str | None:
        """The next piece; None at the end. A response that got none for too long is ended meanwhile."""
        coming = asyncio.ensure_future(anext(self._text, None))
        try:
            await asyncio.wait([coming], timeout=self._pause)
            if not coming.done() and self._open:
                self._open = False
                await self._island.send(LLMFullResponseEndFrame())
            return await coming
        finally:
            coming.cancel()

    async def _write(self, piece: str) -> None:
        if not self._open:
            self._open = True
            await self._island.send(LLMFullResponseStartFrame())
        await self._island.send(LLMTextFrame(piece))
