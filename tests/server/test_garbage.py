"""What never changes is set aside, and full collections wait until nobody is on the line."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from voiceloop.server.garbage import AT_LATEST, GROWTH, QUIET, collecting_seldom, set_aside


class Cycle:
    """Needs the collector to go."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The process is left as it was."""
    threshold, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.unfreeze()  # what the test session itself has set aside
    yield
    assert (gc.get_threshold(), gc.get_freeze_count()) == (threshold, 0)
    if frozen:
        gc.freeze()


def full() -> int:
    """Full collections so far."""
    count: int = gc.get_stats()[2]["collections"]
    return count


def age() -> None:
    """Have something grow old: until then there is nothing to look at."""
    gc.collect(1)


async def test_what_is_there_is_set_aside() -> None:
    there, before = Cycle(), gc.get_threshold()
    set_aside()
    async with collecting_seldom(lambda: False):
        assert gc.get_freeze_count() > 1000
        assert not any(each is there for each in gc.get_objects())
        now = gc.get_threshold()
        assert all(one <= other for one, other in zip(now[:2], before[:2], strict=True))
        assert now[2] > 1_000_000


async def test_full_collections_wait_until_nobody_is_on_the_line() -> None:
    busy = True
    async with collecting_seldom(lambda: busy):
        before = full()
        age()
        await asyncio.sleep(10 * QUIET)
        assert full() == before
        busy = False
        await asyncio.sleep(1.0)
        assert full() == before + 1
        await asyncio.sleep(10 * QUIET)
        assert full() == before + 1  # nothing has grown old since


async def test_where_somebody_always_is_they_come_seldom() -> None:
    async with collecting_seldom(lambda: True):
        before = full()
        age()
        await asyncio.sleep(AT_LATEST - 10)
        assert full() == before
        await asyncio.sleep(20)
        assert full() == before + 1


async def test_where_nobody_is_there_is_a_pause_between_them() -> None:
    async with collecting_seldom(lambda: False):
        before = full()
        for _ in range(round(10 * QUIET)):
            age()
            await asyncio.sleep(1.0)
        assert full() - before <= 10


async def test_a_process_that_grows_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100e6
    monkeypatch.setattr("voiceloop.server.garbage._resident", lambda: size)
    async with collecting_seldom(lambda: True):
        before = full()
        await asyncio.sleep(0)  # it looks how large the process is
        age()
        size += GROWTH
        await asyncio.sleep(10 * QUIET)
        assert full() == before
        size += 1e6
        await asyncio.sleep(1.0)
        assert full() == before + 1
        age()
        await asyncio.sleep(10 * QUIET)
        assert full() == before + 1  # it has not grown any more
