"""One process of ``voiceloop fuzz``: has calls with a bot, one after the other, and makes failing ones short."""

from __future__ import annotations

import gc
import logging
import signal
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.testing.chaos.finding import Bench, Finding, find
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.run import Failure, Outcome
from voiceloop.testing.failure_text import told
from voiceloop.wallclock import perf_counter

__all__ = ["TWICE_EVERY", "Calls", "Found", "Result", "Shorten", "Show", "Shown", "Unusable", "work"]

TWICE_EVERY = 20
"""One call in so many is made twice, and must be the same."""
WIDTH = 110
"""Columns of the table of a call."""
WALL = 10.0
"""Seconds of real time after which a call is given up; a call takes about a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Have the calls of these seeds. Answered with a `Result` for each."""

    seeds: tuple[int, ...]
    only: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Shorten:
    """Make a failing call short. Answered with `Found`, or None when it does not fail in this process."""

    plan: Plan
    cause: str


@dataclass(frozen=True, slots=True)
class Found:
    """The shortest call."""

    finding: Finding
    told: str
    """It, as a table."""


@dataclass(frozen=True, slots=True)
class Show:
    """Have one call. Answered with `Shown`."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of one call."""

    told: str
    """It, as a table."""
    digest: str
    """See `voiceloop.testing.chaos.run.Outcome.digest`."""
    seconds: float
    """Of telephone."""
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a seed."""

    seed: int
    seconds: float
    """Of telephone."""
    took: float
    """Seconds of real time."""
    injected: Counter[str] = field(default_factory=Counter)
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is nothing to be called: what is wrong with the bot file."""

    message: str


def work(pipe: Connection, path: str) -> None:
    """Do what comes through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that has the terminal
    logging.disable(logging.CRITICAL)  # thousands of calls in which things go wrong
    try:
        where = Bench(load_bot(path).bot, wall=WALL)
        where.run(Plan.drawn(0).keep(()))  # imports what calls need
    except VoiceloopError as error:
        pipe.send(Unusable(str(error)))
        return
    gc.collect()
    gc.freeze()  # what is there now need not be looked at after each call
    pipe.send(None)
    while True:
        try:
            task: Calls | Shorten | Show = pipe.recv()
        except EOFError:
            return
        _WORK[type(task)](pipe, where, task)


def _calls(pipe: Connection, where: Bench, task: Calls) -> None:
    for seed in task.seeds:
        pipe.send(one(where, seed, task.only, twice=seed % TWICE_EVERY == 0))


def _shorten(pipe: Connection, where: Bench, task: Shorten) -> None:
    found = find(where, task.plan, task.cause)
    pipe.send(None if found is None else Found(found, _table(where.run(found.simplest))))


def _show(pipe: Connection, where: Bench, task: Show) -> None:
    outcome = where.run(task.plan, twice=True)
    pipe.send(Shown(_table(outcome), outcome.digest, outcome.seconds, tuple(outcome.failures)))


def _table(outcome: Outcome) -> str:
    return "" if outcome.dialled is None else told(outcome.dialled, WIDTH)[0]


_WORK: dict[type, Any] = {Calls: _calls, Shorten: _shorten, Show: _show}


def one(where: Bench, seed: int, only: Collection[str] | None, *, twice: bool) -> Result:
    """The call of a seed."""
    started = perf_counter()
    try:
        outcome = where.run(Plan.drawn(seed, only=only), twice=twice)
    except Exception as error:  # of the tool itself, not of the call
        line, detail = describe(error)
        return Result(seed, 0.0, perf_counter() - started, failures=(Failure("the fuzzer works", line, detail=detail),))
    took = perf_counter() - started
    return Result(seed, outcome.seconds, took, outcome.injected, tuple(outcome.failures))
