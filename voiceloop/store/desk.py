"""One thread for work that waits for a disk or a database, so that neither the event loop nor its pool of threads does.

The thread is a daemon: a database that never answers cannot keep the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from voiceloop.errors import VoiceloopError
from voiceloop.offload import in_virtual_time

__all__ = ["Desk", "DeskBusy"]

R = TypeVar("R")
Job = Callable[[], None]


class DeskBusy(VoiceloopError):
    """As much work waits as may."""


class Desk:
    """Does one piece of work after the other. In virtual time there are no threads, and it is done at once.

    Args:
        name: of the thread.
        most: pieces of work that may wait.
    """

    def __init__(self, name: str, most: int = 1000) -> None:
        self._name = name
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def give(self, work: Callable[[], R], landed: Callable[[R], object] | None = None) -> asyncio.Future[R]:
        """Have something done. Who waits for the future may be cancelled: the work is done all the same.

        Args:
            work: called in the thread.
            landed: called on the loop with what it gave, before whoever waits for it goes on.

        Raises:
            DeskBusy: too much waits already, or it is closed.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        done.add_done_callback(_seen)
        if self._closed or self._waiting >= self._most:
            raise DeskBusy(
                f"{self._name}: {'it is closed' if self._closed else f'{self._waiting} pieces of work wait'}"
            )
        self._waiting += 1

        def land(result: R | None, error: BaseException | None) -> None:
            self._waiting -= 1
            if error is None and landed is not None:
                landed(result)  # type: ignore[arg-type]
            if done.done():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            else:
                done.set_exception(error)

        if in_virtual_time():
            loop.call_soon(partial(_do, work, land))
            return done

        def job() -> None:
            _do(work, partial(_hand_back, loop, land))

        self._jobs.put(job)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return done

    async def do(self, work: Callable[[], R], landed: Callable[[R], object] | None = None) -> R:
        """Have something done, and wait for what it gives; as `give`."""
        return await asyncio.shield(self.give(work, landed))

    def close(self, last: Callable[[], object] | None = None) -> None:
        """Take no more. What was given is still done, then `last`, unless the process ends before."""
        if self._closed:
            return
        self._closed = True
        if self._thread is None:
            if last is not None:
                last()
            return
        if last is not None:
            self._jobs.put(partial(_quietly, last))
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _do(work: Callable[[], Any], land: Callable[[Any, BaseException | None], None]) -> None:
    try:
        result = work()
    except Exception as error:
        land(None, error)
    else:
        land(result, None)


def _hand_back(
    loop: asyncio.AbstractEventLoop,
    land: Callable[[Any, BaseException | None], None],
    result: Any,
    error: BaseException | None,
) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(land, result, error)


def _quietly(work: Callable[[], object]) -> None:
    with suppress(Exception):
        work()


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
