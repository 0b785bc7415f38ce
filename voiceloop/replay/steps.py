"""A task of a call that is driven again: it goes on when the recording says so."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from voiceloop.flight.steps import Steps

__all__ = ["HeldSteps", "Holder"]


class Holder(Protocol):
    """Who lets tasks go on."""

    free: bool
    inside: bool
    running: int

    def hold(self, task: HeldSteps) -> None: ...


class HeldSteps(Steps):
    """Holds every wake-up of its task until `grant`."""

    __slots__ = ("_granted", "_holder", "_permit", "_wakeup", "free", "number")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], number: int, holder: Holder) -> None:
        super().__init__(coroutine)
        self.number = number
        self.free = False
        """True when it need not wait any more."""
        self._holder = holder
        self._permit: asyncio.Future[None] | None = None
        self._granted = False
        self._wakeup: tuple[bool, tuple[Any, ...]] = (False, (None,))

    def send(self, value: Any) -> Any:
        """The event loop lets the task go on: it does, or it is held."""
        if self._granted:
            return self._go_on()
        self._wakeup = (False, (value,))
        return self._hold()

    def throw(self, *error: Any) -> Any:
        """The same, with an error that what was awaited has raised, or a cancellation. The last one counts."""
        granted, self._granted = self._granted, False
        self._wakeup = (True, error)
        if granted:
            self._granted = True
            return self._go_on()
        return self._hold()

    def grant(self) -> None:
        """Let it go on."""
        permit, self._permit = self._permit, None
        self._granted = True
        if permit is not None and not permit.done():
            permit.set_result(None)

    def _hold(self) -> Any:
        if self.free or self._holder.free:
            return self._go_on()
        self._permit = permit = asyncio.get_running_loop().create_future()
        permit._asyncio_future_blocking = True  # as `await` does: the task waits for it
        self._holder.hold(self)
        return permit

    def _go_on(self) -> Any:
        self._granted = False
        thrown, arguments = self._wakeup
        self._wakeup = (False, (None,))
        self._holder.inside = True
        self._holder.running = self.number
        try:
            if thrown:
                return self._coroutine.throw(*arguments)
            return self._coroutine.send(*arguments)
        finally:
            self._holder.inside = False
