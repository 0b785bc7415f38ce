"""How a server ends: by stages, from letting calls go on to ending them at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceloop.server.phone import Phone

__all__ = ["Ending", "Stage"]

_LOOK: float = 0.25
"""Seconds between two looks at whether calls are left."""


class Stage(IntEnum):
    """How far the end has gone."""

    RUNNING = 0
    LEAVE = 1
    """Others take what is new; live calls go on here, to their end or the limit."""
    DRAIN = 2
    """Nobody takes new calls; live ones go on, to their end or the limit."""
    END = 3
    """Calls end when what is being said is finished."""
    HURRY = 4
    """Calls end now."""


class Ending:
    """What a process has been told about its end; it only goes forward.

    Args:
        tell: called with each new stage.
    """

    def __init__(self, tell: Callable[[Stage], object] = lambda stage: None) -> None:
        self.stage = Stage.RUNNING
        self._tell = tell
        self._further = asyncio.Event()

    def reach(self, stage: Stage) -> None:
        """Go on to a stage. Harmless when it is behind."""
        if stage > self.stage:
            self.stage = stage
            further, self._further = self._further, asyncio.Event()
            further.set()
            self._tell(stage)

    def on_signals(self) -> None:
        """SIGTERM lets calls go on to their end, SIGINT to the end of the sentence; each further one hurries."""
        for number, stage in ((signal.SIGTERM, Stage.DRAIN), (signal.SIGINT, Stage.END)):
            with suppress(NotImplementedError, RuntimeError, ValueError):  # no signals on this loop, or in this thread
                asyncio.get_running_loop().add_signal_handler(number, self._signalled, stage)

    def _signalled(self, stage: Stage) -> None:
        following = Stage(min(self.stage + 1, Stage.HURRY)) if self.stage else stage
        self.reach(max(stage, following))

    async def carried_out(self, phone: Phone, leave: Callable[[], object] = lambda: None) -> None:
        """Wait until it is time, then end: returns when no call is left.

        Args:
            leave: stops taking connections, for others will.
        """
        while self.stage == Stage.RUNNING:
            await self._further.wait()
        if self.stage == Stage.LEAVE:
            leave()
            await self._while_in(Stage.LEAVE, _quiet(phone))
        if self.stage == Stage.DRAIN:
            await self._while_in(Stage.DRAIN, phone.drain())
        await self._while_in(Stage.END, phone.drain(0))
        for call in list(phone.calls.values()):
            call.end("server stopped")

    async def _while_in(self, stage: Stage, work: Awaitable[None]) -> None:
        """Do it, unless the end goes beyond this stage meanwhile."""
        doing = asyncio.ensure_future(work)
        try:
            while not doing.done() and self.stage <= stage:
                further = asyncio.ensure_future(self._further.wait())
                try:
                    await asyncio.wait([doing, further], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    further.cancel()
            if doing.done():
                doing.result()
        finally:
            doing.cancel()
            await asyncio.wait([doing])


async def _quiet(phone: Phone) -> None:
    """No call is left, or the limit is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(phone.options.drain):
            while phone.calls:  # noqa: ASYNC110 - the phone's own event is for its end, and it still answers
                await asyncio.sleep(_LOOK)
