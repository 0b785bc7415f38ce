"""How long a scripted provider takes: one value for all requests, or another one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar, cast

__all__ = ["Pace", "PerRequest", "for_request"]

T = TypeVar("T")

PerRequest: TypeAlias = T | Sequence[T] | Callable[[int], T]
"""A value; several in order, the last one again when they run out; or a function of the request's number, from 0."""


def for_request(value: PerRequest[T], number: int) -> T:
    """The value that holds for a request."""
    if callable(value):
        return value(number)
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("expected a value for each request, got an empty list")
        return cast(T, value[min(number, len(value) - 1)])
    return cast(T, value)


class Pace:
    """When pieces of audio are made, by a voice of limited speed.

    Args:
        speed: seconds of audio made in a second; 0 for all at once.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._made: float | None = None

    async def make(self, seconds: float) -> None:
        """Wait until a piece of this length is made. The first one is there already: that wait is another one."""
        if not self._speed:
            return
        now = asyncio.get_running_loop().time()
        self._made = now if self._made is None else max(self._made, now) + seconds / self._speed
        if self._made > now:
            await asyncio.sleep(self._made - now)
