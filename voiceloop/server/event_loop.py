"""The event loop that a phone server runs on: uvloop's where it is installed, else asyncio's.

uvloop's clock has steps of 1 ms and its timers are rounded to the nearest one, so that a timer may run half a
millisecond before its time. Whoever compares deadlines sets it again then, for 0 ms, and so on until the clock has
moved: with 200 timers of 100 ms each ran 281 times in place of once, and took half a core. The loop made here rounds
up: a timer is late by a millisecond at most, and never early.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import cache
from importlib.util import find_spec
from math import ceil
from typing import Any, Final, Literal, TypeVar, TypeVarTuple, cast

from voiceloop.errors import VoiceloopError

__all__ = ["LOOP_VARIABLE", "chosen_loop", "new_loop", "open_standard_files", "run"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LOOP_VARIABLE: Final = "VOICELOOP_LOOP"
"""Environment variable: ``asyncio`` or ``uvloop``."""
_FAR: Final = 1e9
"""Seconds from which on nobody looks at milliseconds."""


def chosen_loop(environment: Mapping[str, str] = os.environ) -> Literal["asyncio", "uvloop"]:
    """Which event loop a server of this process gets.

    Raises:
        VoiceloopError: the environment asks for one that is not to be had.
    """
    asked = environment.get(LOOP_VARIABLE, "").strip().lower()
    if asked not in ("", "asyncio", "uvloop"):
        raise VoiceloopError(f"expected {LOOP_VARIABLE} to be asyncio or uvloop, got {asked!r:.40}")
    if asked == "asyncio":
        return "asyncio"
    if find_spec("uvloop") is not None:
        return "uvloop"
    if asked:
        raise VoiceloopError(
            f"{LOOP_VARIABLE} asks for uvloop, which is not installed: pip install 'voiceloop[serve]' (there is none "
            f"for Windows), or leave {LOOP_VARIABLE} out"
        )
    return "asyncio"


def new_loop() -> asyncio.AbstractEventLoop:
    """A new event loop of the chosen kind. A server such as uvicorn can be given it as its loop factory.

    Raises:
        VoiceloopError: as `chosen_loop`.
    """
    return _uvloop()() if chosen_loop() == "uvloop" else asyncio.new_event_loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on an event loop of the chosen kind.

    Raises:
        VoiceloopError: as `chosen_loop`.
    """
    open_standard_files()
    try:
        factory = _uvloop() if chosen_loop() == "uvloop" else None
    except VoiceloopError:
        main.close()
        raise
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def open_standard_files() -> None:
    """Have nothing else take the place of a standard input, output or error that is closed (``>&-``, some daemons).

    A loop or a connection would get its number: what is printed below Python would go there, and libuv aborts the
    process when it closes such a number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest number that is free


@cache
def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    class PunctualLoop(uvloop.Loop):
        """No timer runs before its time."""

        def call_later(
            self,
            delay: float,
            callback: Callable[[*Ts], object],
            *args: *Ts,
            context: Context | None = None,
        ) -> asyncio.TimerHandle:
            if 0 < delay < _FAR:
                delay = ceil(delay * 1000) / 1000
            return super().call_later(delay, callback, *args, context=context)

    return cast("Callable[[], asyncio.AbstractEventLoop]", PunctualLoop)
