"""The processes of ``voiceloop fuzz``: what they are given, what they give back, and the end of those that hang."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from voiceloop.cli.fuzz_worker import Calls, Found, Result, Shorten, Show, Shown, Unusable, work
from voiceloop.errors import VoiceloopError
from voiceloop.testing.chaos.run import HANGS, Failure
from voiceloop.wallclock import perf_counter

__all__ = ["each_alone", "results"]

LOOK = 0.02
"""Seconds between two looks at the pipes."""
AT_ONCE = 10
"""Seeds that a process is given at a time."""
KILL = 40.0
"""Seconds of real time after which a process that tells nothing is killed: it gives a call up itself long before."""
ALONE = 240.0
"""The same for one that has one thing to do, such as to make a call shorter."""
START = 60.0
"""The same while it loads the bot."""

_SPAWN = multiprocessing.get_context("spawn")


class _Process:
    """One of them."""

    def __init__(self, path: str) -> None:
        self.pipe: Connection
        self.pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=work, args=(theirs, path), daemon=True)
        self._process.start()
        theirs.close()
        self.ready = False
        self.seeds: deque[int] = deque()
        """Those that it was given and has not told of, in order."""
        self.heard = perf_counter()
        """When it last told something."""

    def received(self) -> list[Any]:
        """What it has told since the last look.

        Raises:
            VoiceloopError: there is nothing to be called.
            EOFError: it has died.
        """
        found = []
        try:
            while self.pipe.poll():
                found.append(self.pipe.recv())
        except OSError as error:
            raise EOFError from error
        if found:
            self.heard = perf_counter()
        if found and not self.ready:
            if isinstance(first := found.pop(0), Unusable):
                raise VoiceloopError(first.message)
            self.ready = True
        return found

    def silent(self) -> float:
        """Seconds since it last told something."""
        return perf_counter() - self.heard

    def give(self, task: Calls | Shorten | Show) -> None:
        """Give it something to do."""
        self.heard = perf_counter()
        self.pipe.send(task)

    def end(self) -> None:
        """End it."""
        self.pipe.close()
        self._process.kill()
        self._process.join()


async def results(
    path: str, seeds: Iterable[int], *, jobs: int, only: tuple[str, ...] | None = None
) -> AsyncGenerator[Result, None]:
    """What comes of each seed, as it comes. Ends its processes also when it is closed early.

    Raises:
        VoiceloopError: there is nothing to be called.
    """
    waiting = deque(seeds)
    processes = [_Process(path) for _ in range(max(1, min(jobs, len(waiting))))]
    try:
        while waiting or any(process.seeds for process in processes):
            for index, process in enumerate(processes):
                died = False
                try:
                    told = process.received()
                except EOFError:
                    told, died = [], True
                for result in told:
                    process.seeds.popleft()
                    yield result
                if died or process.silent() > (KILL if process.ready else START):
                    lost = process.seeds.popleft() if process.seeds else None
                    waiting.extendleft(reversed(process.seeds))
                    process.end()
                    if lost is None:
                        raise VoiceloopError(f"a process that was to load {path} {'died' if died else 'hangs'}")
                    processes[index] = _Process(path)
                    yield _lost(lost, died)
                elif process.ready and waiting and len(process.seeds) < AT_ONCE:
                    some = tuple(waiting.popleft() for _ in range(min(AT_ONCE, _share(len(waiting), jobs))))
                    process.seeds += some
                    process.give(Calls(some, only))
            await asyncio.sleep(LOOK)
    finally:
        for process in processes:
            process.end()


def _share(waiting: int, jobs: int) -> int:
    """So few at the end that all processes have something to do."""
    return max(1, waiting // (2 * jobs))


def _lost(seed: int, died: bool) -> Result:
    why = "the process died" if died else f"nothing came back from the process for {KILL:g} s, and it was killed"
    return Result(seed, 0.0, KILL, failures=(Failure(HANGS, why),))


async def each_alone(
    path: str, tasks: Sequence[Shorten | Show], *, jobs: int
) -> AsyncGenerator[tuple[int, Found | Shown | None], None]:
    """The answer to each task, with its place among them, as they come. Each is done by a process of its own, as a
    command given by hand would be; one that dies or hangs gives None.

    Raises:
        VoiceloopError: there is nothing to be called.
    """
    waiting = deque(enumerate(tasks))
    running: dict[int, _Process] = {}
    given: set[int] = set()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                place, _ = waiting.popleft()
                running[place] = _Process(path)
            for place, process in list(running.items()):
                died, told = False, []
                try:
                    told = process.received()
                except EOFError:
                    died = True
                if process.ready and place not in given:
                    given.add(place)
                    process.give(tasks[place])
                if told or died or process.silent() > ALONE:
                    del running[place]
                    process.end()
                    yield place, told[0] if told else None
            await asyncio.sleep(LOOK)
    finally:
        for process in running.values():
            process.end()
