"""How long a scripted provider takes: one value for all requests, or another one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar, cast

from voiceloop.sim.checks import check_number, check_seconds

__all__ = ["Pace", "PerRequest", "check_requests", "for_request", "number_for_request"]

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


_UNITS: Final[dict[str, Callable[[str, object], None]]] = {
    "rate": partial(check_number, kind="a number of tokens a second"),
    "speed": partial(check_number, kind="a number of seconds of audio a second"),
}
"""What is no length of time."""


def check_requests(provider: str, **given: object) -> None:
    """Refuse what holds for no request: negative, infinite, no number. What a function gives is looked at as it comes.

    Args:
        provider: that takes them, for the error.
        given: arguments by their names, each a `PerRequest`.

    Raises:
        ValueError: it is negative or not finite, or an empty list.
        TypeError: it is no number.
    """
    for name, value in given.items():
        if callable(value):
            continue
        if isinstance(value, list | tuple) and not value:
            raise ValueError(f"{provider}: {name} must have a value for each request, got {value!r}")
        for each in value if isinstance(value, list | tuple) else (value,):
            _check(provider, name, each)


def number_for_request(provider: str, name: str, value: PerRequest[float], number: int) -> float:
    """The number that holds for a request; looked at again, since a function may have given it."""
    held = for_request(value, number)
    _check(provider, name, held)
    return held


def _check(provider: str, name: str, value: object) -> None:
    _UNITS.get(name, check_seconds)(f"{provider}: {name} must be", value)


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
