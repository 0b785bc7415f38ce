"""The event loop of a replay: its clock is the recording's, and nothing leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from voiceloop.sim.loop import VirtualLoop

__all__ = ["ReplayLoop"]


class ReplayLoop(VirtualLoop):
    """Virtual time that is moved by a recording.

    Whenever nothing is ready to run, `advance` is asked to let the next thing happen that the recording has. Once it
    says that there is no more, time goes on as on any virtual loop.
    """

    advance: Callable[[], bool] | None = None

    def _run_once(self) -> None:
        if not self._ready and not self._offloop and self.advance is not None and not self._stopping:
            if self.advance():
                self.call_soon(_nothing)  # the clock must not jump: this pass is the recording's
            else:
                self.advance = None
        super()._run_once()

    def set_time(self, now: float) -> None:
        """Move the clock forward; never back."""
        self._now = max(self._now, now)

    def next_timer(self) -> float | None:
        """When the next timer of code that is no part of the call is due."""
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            self._drop_cancelled(scheduled)
        return scheduled[0]._when if scheduled else None

    async def sock_connect(self, sock: Any, address: Any) -> NoReturn:
        """Refused: what a bot does to other systems was done when the call was recorded.

        Raises:
            ConnectionRefusedError: always.
        """
        raise ConnectionRefusedError(f"a replay opens no connection, not to {address!r} either")

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> NoReturn:
        """Refused, likewise.

        Raises:
            ConnectionRefusedError: always.
        """
        raise ConnectionRefusedError(f"a replay opens no connection, not to {host!r} either")


def _nothing() -> None:
    """Keeps a pass of the loop from waiting."""
