"""Workers have the same number of calls: real processes, real calls of a simulated carrier, a port that they share."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.server.serving import PATIENCE, PUBLIC, Served, exchange, served, tea, until
from voiceloop.sim.twilio import SimCall, TwilioSim

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the processes of a process are read from /proc"),
]
TRIES = 4
"""A worker that gets no core for 30 ms is late for its turn; it has another one."""
FOUR = ("--workers", "4", "--port", "0", "--store", "none")


async def rings(sim: TwilioSim, count: int) -> list[SimCall]:
    """So many call at once."""
    lines = await asyncio.gather(*(sim.call(f"{PUBLIC}/voice") for _ in range(count)))
    await asyncio.gather(*(line.connected() for line in lines))
    return lines


def live(process: Served, lines: list[SimCall]) -> Counter[int]:
    """How many of these calls each worker has."""
    began = re.findall(r"^\[(\d)\] call (CA\w+): inbound", process.output, re.MULTILINE)
    last = {sid: int(worker) for worker, sid in began}
    return Counter(dict.fromkeys(range(1, 5), 0)) + Counter(last.get(line.sid, 0) for line in lines)


async def shares(process: Served, lines: list[SimCall]) -> list[int]:
    """How many of these calls each worker has, once all have begun."""
    await until(lambda: live(process, lines)[0] == 0)
    counted = live(process, lines)
    return [counted[worker] for worker in range(1, 5)]


def is_even(shares: list[int]) -> bool:
    """Loosely: on a machine that is busy with other tests, a worker may be late for its turn."""
    mean = sum(shares) / len(shares)
    return mean / 2 <= min(shares) <= max(shares) <= mean * 1.5


async def emptied(process: Served, worker: int, lines: list[SimCall]) -> list[SimCall]:
    """All calls of a worker end. Returns those of the others."""
    its = [line for line in lines if f"[{worker}] call {line.sid}: inbound" in process.output]
    ended = process.output.count("caller hung up")
    await asyncio.gather(*(line.hangs_up() for line in its))
    await process.prints("caller hung up", times=ended + len(its))
    return [line for line in lines if line not in its]


async def test_calls_are_even_after_a_burst_and_when_others_have_ended(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *FOUR) as process:
        await process.prints("^4 workers are ready")
        async with exchange(process) as sim:
            lines = await rings(sim, 32)
            for _ in range(TRIES):
                lines = await emptied(process, 1, lines)
                while len(lines) < 32:
                    lines += await rings(sim, 2)
                if is_even(counted := await shares(process, lines)):
                    break
            assert is_even(counted)
            async with aiohttp.ClientSession() as proxy, proxy.get(f"{process.url}/healthz") as answer:
                assert answer.headers["Connection"] == "close"  # the next stream comes by a connection of its own
            await asyncio.gather(*(line.hangs_up() for line in lines))
            process.process.send_signal(signal.SIGTERM)
            assert await process.ended() == 0


async def test_a_worker_that_takes_the_place_of_a_killed_one_gets_as_many_calls(tmp_path: Path) -> None:
    async with served(tmp_path, tea(tmp_path), *FOUR) as process:
        await process.prints("^4 workers are ready")
        async with exchange(process) as sim:
            lines = await rings(sim, 16)
            before = await shares(process, lines)
            os.kill(process.workers()[0], signal.SIGKILL)
            lost = [line for line in lines if f"[1] call {line.sid}: inbound" in process.output]
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(line.connected(streams=2) for line in lost))
            await until(lambda: live(process, lines)[1] == 0)
            assert len(lost) == before[0] > 0
            while not (counted := await shares(process, lines))[0]:  # until it is ready, the others take what comes
                lines += await rings(sim, 1)
            for _ in range(TRIES):
                lines += await rings(sim, max(1, max(counted) - counted[0]))
                if is_even(counted := await shares(process, lines)):
                    break
            assert is_even(counted)
            await asyncio.gather(*(line.hangs_up() for line in lines))
            process.process.send_signal(signal.SIGTERM)
            assert await process.ended() == 0
