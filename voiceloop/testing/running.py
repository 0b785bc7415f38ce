"""Runs a coroutine test on a loop of its own: in virtual time, or on the wall clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from voiceloop.sim.loop import LeftBehind, describe_task, run_virtual, settle

__all__ = ["run_test"]


def run_test(test: Coroutine[Any, Any, object], *, realtime: bool = False) -> None:
    """Run it to its end. In real time its calls go over sockets on loopback and take as long as they last.

    Raises:
        LeftBehind: a task, and in virtual time a connection or a server, outlived it.
    """
    if realtime:
        asyncio.run(_strict(test))
    else:
        run_virtual(test, strict=True)


async def _strict(test: Coroutine[Any, Any, object]) -> None:
    await test
    await settle()
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        raise LeftBehind(sorted(f"task {describe_task(task)}" for task in left if task is not None))
