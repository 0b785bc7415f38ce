"""The garbage collector of a phone server: it must not stop hundreds of calls to look at what never changes.

Calls free themselves by counting references, and leave the collector nothing; but a full collection walks all that was
ever imported: 95 to 145 ms for a bot on the SDKs of three services. So what is there once the bot is warm is set aside
for good. Young generations are collected as ever, in smaller portions. A full collection still walks what live calls
hold (a thousand objects or more each, 0.15 microseconds an object): it waits until nobody is on the line, until memory
has grown by `GROWTH`, for somebody else's code may leave circles behind, or for `AT_LATEST`.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

__all__ = ["AT_LATEST", "collecting_seldom", "set_aside"]

AT_LATEST: Final = 1800.0
"""Seconds from one full collection to the next where somebody is always on the line."""
GROWTH: Final = 200e6
"""Bytes by which the process grows before it does not wait any longer."""
QUIET: Final = 5.0
"""The same where nobody is. In between nothing has to be collected that is worth a look."""
_LOOK: Final = 0.5
"""Seconds between two looks at whether it is time."""
_YOUNG: Final = (700, 5)
"""New objects before the youngest are collected, and how often before those that are older are: at most 4,200 objects
at a time, a millisecond or two."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_NEVER: Final = 1_000_000_000
"""Younger collections between two full ones."""


def set_aside() -> None:
    """Have all that there is now never looked at again, for the bot is warm. Takes as long as a full collection."""
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def collecting_seldom(busy: Callable[[], bool]) -> AsyncIterator[None]:
    """Collect fully when it harms nobody, for a block; then as before, and nothing is set aside any more.

    For processes that do nothing but answer the phone.

    Args:
        busy: whether somebody is on the line.
    """
    before = gc.get_threshold()
    gc.set_threshold(min(before[0], _YOUNG[0]), min(before[1], _YOUNG[1]), _NEVER)
    keeper = asyncio.get_running_loop().create_task(_collect(busy), name="garbage")
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        gc.set_threshold(*before)
        gc.unfreeze()


async def _collect(busy: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    last, size = loop.time(), _resident()
    while True:
        await asyncio.sleep(_LOOK)
        since = loop.time() - last
        if not gc.get_count()[2]:  # nothing has grown old since
            continue
        if since >= AT_LATEST or (since >= QUIET and (not busy() or _resident() - size > GROWTH)):
            gc.collect()
            last, size = loop.time(), _resident()


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
