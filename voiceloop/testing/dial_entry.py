"""What `dial` gives back: a call that begins where ``async with`` is, and says so everywhere else."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NoReturn

from voiceloop.testing.book import entered, waits_for
from voiceloop.testing.dialled import Dialled

__all__ = ["Dialling"]

_HOW = "async def test_x(dial): async with dial(bot) as caller:"


class Dialling(AbstractAsyncContextManager[Dialled]):
    """A call that has not begun.

    Args:
        call: the call.
    """

    def __init__(self, call: AbstractAsyncContextManager[Dialled]) -> None:
        self._call = call
        waits_for(self)

    async def __aenter__(self) -> Dialled:
        __tracebackhide__ = True
        entered(self)
        return await self._call.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        __tracebackhide__ = True
        return await self._call.__aexit__(kind, error, trace)

    def __enter__(self) -> NoReturn:
        __tracebackhide__ = True
        entered(self)
        raise TypeError(f"dial is asynchronous: {_HOW}")

    def __exit__(self, *error: object) -> None:
        """Never reached; a ``with`` looks for it first."""

    def __await__(self) -> NoReturn:
        __tracebackhide__ = True
        entered(self)
        raise TypeError(f"dial is not awaited but entered: {_HOW}")
