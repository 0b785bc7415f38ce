"""What goes wrong at a scripted provider, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Literal, get_args

__all__ = ["Failing", "check_failing", "strikes"]

_How = Literal["raise", "stall", "deaf", "empty"]


class Failing:
    """What goes wrong at a scripted provider, and when. `voiceloop.testing.faulty` breaks any provider, in more ways.

    A request that fails counts as any other: a model that is asked again, after an error too, gives the text after
    the one it did not get to say. When the script is over it is the last text again.

    Args:
        how: ``raise``; ``stall``: give nothing more; ``deaf``: the same, and swallow every cancellation until
            `let_go`; ``empty``: end as if all had been given.
        after: items (transcripts, words) of a request that are given first; one that has no more than that is whole.
        requests: which requests fail, counted from 0; None for all. A voice is asked for each of the library's own
            phrases too, when the first call of a runtime begins.
    """

    def __init__(
        self,
        how: _How,
        *,
        after: int = 0,
        requests: Container[int] | None = None,
    ) -> None:
        if how not in get_args(_How):
            raise ValueError(f"Failing takes one of {', '.join(get_args(_How))}, got {how!r}")
        if not isinstance(after, int) or after < 0:
            raise ValueError(f"Failing: after must be a number of items, 0 or more, got {after!r}")
        if requests is not None and not isinstance(requests, Container):
            raise TypeError(f"Failing: requests must be a set of numbers, such as {{0}}, got {requests!r}")
        self.how = how
        self.after = after
        self.requests = requests
        self.count = 0
        """Requests so far."""
        self._held: list[asyncio.Future[None]] = []

    def begin(self) -> bool:
        """A request begins: whether it is one that fails."""
        self.count += 1
        return self.requests is None or self.count - 1 in self.requests

    async def strike(self) -> None:
        """Fail. Returns when the provider is to end."""
        if self.how == "raise":
            raise ConnectionError("broken, as scripted")
        if self.how == "empty":
            return
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.how == "stall":
            await held
        self._held.append(held)
        while not held.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(held)

    def let_go(self) -> None:
        """End what is deaf."""
        for held in self._held:
            if not held.done():
                held.set_result(None)


def check_failing(provider: str, failing: object) -> None:
    """Refuse what is no `Failing`. Raises `TypeError`."""
    if failing is not None and not isinstance(failing, Failing):
        how = failing if isinstance(failing, str) and failing in get_args(_How) else "raise"
        raise TypeError(f'{provider}: failing= takes Failing("{how}"), got {failing!r}')


def strikes(failing: Failing | None) -> Callable[[int], bool]:
    """A request begins: says for each number of items given whether it fails now."""
    if failing is None or not failing.begin():
        return lambda given: False
    return lambda given: given == failing.after
