"""Where a judge's model works: on an event loop of its own, in a thread and on the wall clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any, Final, TypeVar

from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.llm.base import LLM

__all__ = ["Bench", "JudgeError"]

T = TypeVar("T")

CLOSE_LIMIT: Final = 10.0
"""Seconds that closing the model may take."""


class JudgeError(VoiceloopError):
    """There is no verdict: the model could not be asked, or its answer cannot be read."""


class Bench:
    """Where the model works: a thread with an event loop of its own, on the wall clock."""

    def __init__(self, llm: LLM, timeout: float) -> None:
        self._llm = llm
        self._timeout = timeout
        self._warm: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="voiceloop judge", daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this there; a virtual clock of the loop that waits stands still."""
        future = asyncio.run_coroutine_threadsafe(self._warmed(work), self._loop)
        held = getattr(asyncio.get_running_loop(), "clock_held", nullcontext)
        with held():
            return await asyncio.wrap_future(future)

    async def _warmed(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(5 * self._timeout):
                await self._llm.warm()
        except TimeoutError:
            work.close()
            raise JudgeError(f"the judge is not ready after {5 * self._timeout:g} s: {self._llm!r}") from None
        except Exception as error:
            work.close()
            raise JudgeError(f"the judge cannot be asked: {describe(error)[0]}") from error
        return await work

    def close(self) -> None:
        """Close the model and the thread. Does nothing the second time."""
        if self._loop.is_closed() or not self._thread.is_alive():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._cleared(), self._loop).result(2 * CLOSE_LIMIT)
        except TimeoutError:
            pass  # the thread is a daemon: it ends with the process
        else:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_LIMIT)
            self._loop.close()

    async def _cleared(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT):
                await self._llm.aclose()
        except Exception:
            pass  # what was judged was judged
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=CLOSE_LIMIT)
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()
