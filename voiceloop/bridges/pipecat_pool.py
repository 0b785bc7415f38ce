"""Services of one kind, shared by the calls of a process: one for each answer that is being made at the moment."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voiceloop.errors import ModelError, require

if TYPE_CHECKING:
    from voiceloop.bridges.pipecat_island import Island

__all__ = ["PipecatOptions", "Pool"]


@dataclass(frozen=True, slots=True)
class PipecatOptions:
    """Limits of services that are run."""

    open: float = 8.0
    """Seconds for a service to connect and start."""
    settle: float = 0.5
    """Seconds for a service to stop what it was doing; one that does not is closed, and another one made."""
    close: float = 2.0
    """Seconds for each step of closing a service."""
    pause: float = 0.8
    """Seconds without text after which a voice speaks what it holds back, and takes what follows for a new beginning.
    Cartesia's contexts end a second after their last audio."""
    spare: int = 4
    """Idle services that are kept, connected, for the next answers."""
    most: int = 500
    """Services at the same time; further answers wait."""


class Pool:
    """Makes services, lends each to one answer at a time, and closes them.

    Args:
        source: a function without arguments that makes a service; or a service, then there is only that one.
        base: dotted name of the class that services must have: module and name.
        user: who asks, for errors.
        options: limits.
    """

    def __init__(self, source: Any, base: tuple[str, str], user: str, options: PipecatOptions) -> None:
        self._source = source
        self._base = base
        self._user = user
        self.options = options
        self._idle: list[Island] = []
        self._busy: dict[Island, None] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._settling: dict[asyncio.Task[None], None] = {}
        self._used: Any = None
        """The service that was given, once it was used."""

    @property
    def single(self) -> bool:
        """Whether a service was given, and no function that makes them."""
        return not callable(self._source)

    def islands(self) -> list[Island]:
        """All that there are."""
        return [*self._idle, *self._busy]

    # --- lending ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Island]:
        """A service for one answer. Leave with `Island.broken` set, or with an exception, if it did not end well."""
        island = await self._take()
        try:
            yield island
        except BaseException:
            await self._settle(island, interrupt=True)
            raise
        await self._settle(island, interrupt=False)

    async def _take(self) -> Island:
        while not self._idle and len(self._busy) + self._opening >= (1 if self.single else self.options.most):
            free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(free)
            try:
                await free
            finally:
                if free in self._waiting:
                    self._waiting.remove(free)
        island = await self._idle_one() or await self._open()
        self._busy[island] = None
        island.drop()  # what happened while nobody was there
        return island

    async def _idle_one(self) -> Island | None:
        """One that waits for work and can do it: others have lost their connection for good meanwhile."""
        while self._idle:
            island = self._idle.pop()
            if self.single and not island.broken:
                await island.revive()
            if island.usable:
                return island
            await island.close(self.options.close, gently=False)
        return None

    async def _open(self) -> Island:
        self._opening += 1
        try:
            island = self._make()
            await island.open(self.options.open)
            return island
        except BaseException:
            self._next()
            raise
        finally:
            self._opening -= 1

    def _make(self) -> Island:
        module, name = self._base
        base = getattr(require(module, "pipecat", self._user), name)
        from voiceloop.bridges.pipecat_island import Island

        if self.single and self._used is self._source:
            raise ModelError(
                f"{self._user}: this {type(self._source).__name__} has been closed, or did not stop when told to. A "
                f"service serves once: hand over a function that makes one, lambda: {type(self._source).__name__}(…)."
            )
        service = self._source if self.single else self._source()
        if not isinstance(service, base):
            got = f"{'got' if self.single else 'the function made'} a {type(service).__name__}"
            raise TypeError(f"{self._user} takes a Pipecat {name}, or a function that makes one; {got}.")
        if self.single:
            self._used = service
        return Island(service)

    def _next(self) -> None:
        while self._waiting:
            free = self._waiting.popleft()
            if not free.done():
                free.set_result(None)
                return

    async def _settle(self, island: Island, *, interrupt: bool) -> None:
        """Take a service back. What the giver does not wait for goes on by itself."""
        task = asyncio.create_task(self._take_back(island, interrupt), name=f"settling {island.name}")
        self._settling[task] = None
        task.add_done_callback(lambda done: self._settling.pop(done, None))
        await asyncio.shield(task)

    async def _take_back(self, island: Island, interrupt: bool) -> None:
        if interrupt and not await island.interrupt(self.options.settle):
            island.broken = True
        if island not in self._busy:  # closed meanwhile
            return
        del self._busy[island]
        if (island.usable or (self.single and not island.broken)) and len(self._idle) < self.options.spare:
            self._idle.append(island)
        else:
            await island.close(self.options.close, gently=False)
        self._next()

    # --- life ---------------------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Have one service ready."""
        if not self._idle and not self._busy and not self._opening:
            island = await self._open()
            self._idle.append(island)
            self._next()

    async def aclose(self) -> None:
        """Close all of them, also those that are at work."""
        idle, self._idle = self._idle, []
        busy, self._busy = list(self._busy), {}
        await asyncio.gather(
            *(island.close(self.options.close) for island in idle),
            *(island.close(self.options.close, gently=False) for island in busy),
            return_exceptions=True,
        )
        if self._settling:
            await asyncio.wait(list(self._settling), timeout=self.options.close)
