"""Work off the loop, and the import of optional packages."""

from __future__ import annotations

import asyncio
import threading

import pytest

from voiceloop.errors import MissingExtra, VoiceloopError, require
from voiceloop.offload import MAX_WORKERS, Limit, in_virtual_time, offload


async def test_in_virtual_time_work_runs_inline_after_its_cost() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert in_virtual_time()
    assert await offload(threading.current_thread, virtual_cost=0.25) is threading.current_thread()
    assert loop.time() - start == pytest.approx(0.25)


@pytest.mark.realtime
async def test_in_real_time_work_runs_in_a_bounded_pool_of_named_threads() -> None:
    assert not in_virtual_time()
    names = await asyncio.gather(*(offload(lambda: threading.current_thread().name) for _ in range(20)))
    assert len(set(names)) <= MAX_WORKERS
    assert all(name.startswith("voiceloop") for name in names)


@pytest.mark.realtime
async def test_an_error_of_the_work_is_raised_to_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        await offload(divmod, 1, 0)


@pytest.mark.realtime
async def test_cancelling_does_not_wait_for_the_thread() -> None:
    begun, release = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(10)

    task = asyncio.create_task(offload(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not release.is_set()
    release.set()


async def test_a_limit_lets_so_many_in_and_the_others_in_order() -> None:
    limit = Limit(2)
    order: list[int] = []
    inside = most = 0

    async def visit(number: int) -> None:
        nonlocal inside, most
        async with limit:
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(1)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(5)))
    assert (most, order) == (2, [0, 1, 2, 3, 4])


def test_a_limit_serves_one_loop_after_another() -> None:
    limit = Limit(1)

    async def crowd() -> int:
        async def visit() -> None:
            async with limit:
                await asyncio.sleep(0)

        await asyncio.gather(*(visit() for _ in range(3)))
        return 3

    assert [asyncio.run(crowd()) for _ in range(2)] == [3, 3]


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limit(0)


def test_a_missing_package_names_the_extra_to_install() -> None:
    with pytest.raises(
        MissingExtra, match=r"Moonshine needs the package no_such_thing: pip install 'voiceloop\[local\]'"
    ):
        require("no_such_thing.inner", "local", "Moonshine")
    assert issubclass(MissingExtra, VoiceloopError)
    assert issubclass(MissingExtra, ImportError)


def test_an_installed_package_is_imported() -> None:
    assert require("json.decoder", "local").__name__ == "json.decoder"
