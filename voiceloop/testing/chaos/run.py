"""Runs a plan: one call with a bot, in virtual time, and everything that no call may do."""

from __future__ import annotations

import asyncio
import hashlib
import re
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.loop import Deadlock, LeftBehind, VirtualTimeExceeded, run_virtual
from voiceloop.testing.bounds import Bounds
from voiceloop.testing.chaos.noise import Noise, hearing_noise
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.scene import Scene
from voiceloop.testing.chaos.wall import Hung, wall_limit
from voiceloop.testing.dial import dial
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.invariants import check
from voiceloop.twilio.media import Bot

__all__ = ["HANGS", "Failure", "Outcome", "run_plan", "run_twice"]

HANGS = "the process comes back"
"""What does not hold when a call holds its loop for ever."""
SAME_TWICE = "the same call twice"
"""What does not hold when chance, or a clock, that has no seed plays a part."""

LETTER = 0.03
"""Seconds of sound for each letter of an artificial word: people are about as fast."""
REPORT_LIMIT = 40.0
"""Seconds from the end of the line within which a report is waited for."""
MAX_TIME = 600.0
"""Seconds of virtual time that a call may take, with all its limits."""
LINGER = 1.0
"""Seconds the caller stays when there is nothing left to do."""


_BY_MESSAGE = ("raised", "warning", "lost exception", "unraisable")
"""Failures of which each message is another one."""
_CHANGING = re.compile(r"0x[0-9a-f]+|\d+(\.\d+)?|\b[kmut](?:[a-z]{2}){4}\b|'[^']*'")


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that no call may do."""

    invariant: str
    """What does not hold."""
    message: str
    """What was expected, and what came."""
    at: float | None = None
    """When, seconds on the loop's clock."""
    detail: str = field(default="", compare=False)
    """A traceback, where there is one."""

    @property
    def cause(self) -> str:
        """The same for failures that look alike: what they are grouped by."""
        if not self.invariant.startswith(_BY_MESSAGE):
            return self.invariant
        return f"{self.invariant}: {_CHANGING.sub('…', self.message)[:100]}"

    def __str__(self) -> str:
        return f"{self.invariant}{'' if self.at is None else f' at {self.at:.3f} s'}: {self.message}"


@dataclass(slots=True)
class Outcome:
    """What came of a plan."""

    plan: Plan
    failures: list[Failure]
    """Empty when all is well."""
    seconds: float
    """Of telephone, virtual."""
    injected: Counter[str]
    """What really went wrong, by kind, and how often."""
    digest: str
    """Of everything that was said, heard and decided: the same plan gives the same."""
    evidence: Evidence | None = field(default=None, repr=False)
    scene: Scene | None = field(default=None, repr=False)
    dialled: Dialled | None = field(default=None, repr=False)

    @property
    def report(self) -> CallReport | None:
        """Of the bot's side."""
        return self.evidence.report if self.evidence is not None else None


class _Run:
    """One call."""

    def __init__(self, plan: Plan, lexicon: Lexicon) -> None:
        self.plan = plan
        self.scene = plan.scene(lexicon)
        self.dialled: Dialled | None = None

    async def call(self, bot: Bot, noise: Noise) -> None:
        """Have it."""
        asyncio.get_running_loop().set_exception_handler(noise.on_loop)
        scene = self.scene
        with scene.letting_go():
            line = dial(
                scene.bot(bot),
                stt=scene.stt,
                llm=scene.llm,
                tts=scene.tts,
                lexicon=scene.lexicon,
                carrier=scene.carrier,
                observers=[scene.observer()],
                invariants=None,  # looked at when the loop is gone, for what is left on it is part of it
            )
            async with line as dialled:
                self.dialled = dialled
                await self.plan.perform(dialled)
                if not dialled.carrier.ended:
                    await dialled.waits(LINGER)
                await dialled.carrier.hang_up()
                if dialled.taken:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(REPORT_LIMIT):
                            await dialled.report()
                dialled.injected += scene.code.injected


def run_plan(
    bot: Bot, plan: Plan, *, bounds: Bounds | None = None, lexicon: Lexicon | None = None, wall: float | None = None
) -> Outcome:
    """Have the call, and check it.

    The bot's recogniser, model and voice are replaced by scripted ones; all else of it is real.

    Args:
        bot: the function ``bot(call)``.
        plan: what happens.
        bounds: the stated limits.
        lexicon: of the artificial voices, to share it between calls; that saves much of their time.
        wall: seconds of real time after which it is given up, where the system can do that: an endless loop of the
            bot's would never return.
    """
    run = _Run(plan, lexicon or Lexicon(letter=LETTER))
    failures: list[Failure] = []
    left: Sequence[str] = ()
    with hearing_noise() as noise:
        try:
            with wall_limit(wall):
                run_virtual(run.call(bot, noise), max_time=MAX_TIME, strict=True)
        except LeftBehind as error:
            left = error.names
        except Hung as error:
            failures.append(Failure(HANGS, str(error), detail="".join(traceback.format_exception(error))[-4000:]))
        except Exception as error:
            failures.append(_raised(error))
    failures += [Failure(kind, line) for kind, line in noise.lines]
    evidence = _evidence(run, left)
    if evidence is not None and (evidence.faults or left) and not _taken(run):
        evidence.skip("everything: the line broke before the bot had taken the call")
    elif evidence is not None:
        failures += [Failure(each.invariant, each.message, each.at) for each in check(evidence, bounds)]
    if left and not _taken(run):
        failures.append(Failure("nothing is left", "; ".join(left)))
    seconds = len(evidence.carrier.heard) / 8000 if evidence is not None and evidence.carrier is not None else 0.0
    injected = Counter(_kind(each.fault) for each in evidence.faults) if evidence is not None else Counter[str]()
    return Outcome(plan, failures, seconds, injected, _digest(run), evidence, run.scene, run.dialled)


def run_twice(
    bot: Bot, plan: Plan, *, bounds: Bounds | None = None, lexicon: Lexicon | None = None, wall: float | None = None
) -> Outcome:
    """As `run_plan`, and once more: the two must be the same to the last sample."""
    first = run_plan(bot, plan, bounds=bounds, lexicon=lexicon, wall=wall)
    if any(failure.invariant == HANGS for failure in first.failures):
        return first
    again = run_plan(bot, plan, bounds=bounds, lexicon=lexicon, wall=wall)
    if first.digest != again.digest:
        first.failures.append(
            Failure(
                SAME_TWICE,
                "the call went otherwise when it was made again: something in it is drawn without a seed, reads "
                "another clock than the event loop's, or was kept from the call before "
                f"({_difference(first, again)})",
            )
        )
    return first


def _difference(first: Outcome, again: Outcome) -> str:
    """The first thing that differs, in short."""
    logs = [outcome.dialled.carrier.truth.log if outcome.dialled is not None else [] for outcome in (first, again)]
    for one, other in zip(*logs, strict=False):
        if one != other:
            return f"at {one.at:.3f} s {one.kind} {one.detail}, then {other.kind} {other.detail} at {other.at:.3f} s"
    return f"{len(logs[0])} and {len(logs[1])} events on the line"


def _raised(error: Exception) -> Failure:
    detail = "".join(traceback.format_exception(error))
    line = str(error).split("\n")[0][:300]
    if isinstance(error, Deadlock):
        return Failure("deadlock", line, detail=detail)
    if isinstance(error, VirtualTimeExceeded):
        return Failure("the call ends", f"not within {MAX_TIME:g} s: {line}", detail=detail)
    return Failure(f"raised {type(error).__name__}", line, detail=detail)


def _taken(run: _Run) -> bool:
    return run.dialled is not None and run.dialled.taken


def _evidence(run: _Run, left: Sequence[str]) -> Evidence | None:
    dialled = run.dialled
    if dialled is None:
        return None
    return Evidence.of(
        dialled.witness,
        caller=dialled.caller,
        report=dialled.ended,
        lexicon=run.scene.lexicon,
        faults=dialled.injected,  # the line's own are the carrier's
        left_behind=left,
        log=dialled.call.log if dialled.taken else None,
    )


def _kind(fault: Any) -> str:
    """What a fault is called in the summary."""
    of = getattr(fault, "of", "")
    return f"{of}: {fault.what}" if of else f"line: {fault.kind}"


def _digest(run: _Run) -> str:
    """Of what the caller heard, what the model was asked and what the report says."""
    digest = hashlib.sha256()
    if run.dialled is not None:
        digest.update(run.dialled.carrier.heard)
        digest.update(run.dialled.carrier.said)
        for entry in run.dialled.carrier.truth.log:
            digest.update(f"{entry.at:.6f} {entry.kind} {entry.detail}\n".encode())
    for request in run.scene.model.requests:
        digest.update("\n".join(f"{message.role} {message.text}" for message in request).encode("utf-8", "replace"))
    report = run.dialled.ended if run.dialled is not None else None
    if report is not None:
        turns = [turn.as_dict() for turn in report.turns]
        digest.update(repr((report.reason, report.duration, report.usage, turns, report.faults)).encode())
    return digest.hexdigest()[:16]
