"""What ``voiceloop fuzz`` tells: what was called, what went wrong on purpose, and what did not stand it."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from voiceloop.cli.fuzz_worker import Result
from voiceloop.testing.chaos.finding import Finding
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.run import HANGS, Failure

__all__ = ["Group", "Summary", "command", "failure_lines"]

SEEDS = 12
"""Seeds of a failure that are listed."""


@dataclass(slots=True)
class Group:
    """Failures that look alike."""

    cause: str
    failure: Failure
    """Of the seed it is shown by."""
    seed: int
    """The one in which least else went wrong."""
    others: int
    """What else went wrong in it."""
    seeds: list[int] = field(default_factory=list)
    """All of them."""
    finding: Finding | None = None
    """The shortest call, when it was found."""
    told: str = ""
    """The call as a table."""
    case: str = ""
    """The file that holds the shortest call."""


@dataclass(slots=True)
class Summary:
    """What came of all calls so far."""

    asked: int
    """How many calls there were to be."""
    calls: int = 0
    failed: int = 0
    """Calls in which something did not hold."""
    seconds: float = 0.0
    """Of telephone."""
    injected: Counter[str] = field(default_factory=Counter)
    groups: dict[str, Group] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """A call is over."""
        self.calls += 1
        self.failed += bool(result.failures)
        self.seconds += result.seconds
        self.injected += result.injected
        for failure in result.failures:
            group = self.groups.get(failure.cause)
            others = len({each.cause for each in result.failures}) - 1
            if group is None:
                group = self.groups[failure.cause] = Group(failure.cause, failure, result.seed, others)
            elif (others, result.seed) < (group.others, group.seed) and result.seed not in group.seeds:
                group.failure, group.seed, group.others = failure, result.seed, others
            if result.seed not in group.seeds:
                group.seeds.append(result.seed)

    def worst(self) -> list[Group]:
        """The failures, the most frequent first."""
        return sorted(self.groups.values(), key=lambda group: (-len(group.seeds), group.cause))

    def line(self, real: float) -> str:
        """One line: how far it is. `real`: seconds of real time."""
        failures = f", {self.failed} failed" if self.failed else ""
        times = f", {self.seconds / real:,.0f} times real time" if real > 0 else ""
        return f"{self.calls} of {self.asked} calls{failures}, {self.seconds:,.0f} s of telephone{times}"

    def coverage(self) -> list[str]:
        """What went wrong on purpose, and how often: a line for each place."""
        places: dict[str, list[str]] = {}
        for kind, times in sorted(self.injected.items(), key=lambda each: (-each[1], each[0])):
            place, _, what = kind.partition(": ")
            places.setdefault(place, []).append(f"{what} {times}")
        return [f"  {place}: {', '.join(places[place])}" for place in sorted(places)]

    def as_dict(self, bot: str, real: float) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "bot": bot,
            "calls": self.calls,
            "asked": self.asked,
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
            "real_seconds": round(real, 1),
            "times_real_time": round(self.seconds / real, 1) if real else None,
            "injected": dict(sorted(self.injected.items())),
            "failures": [_as_dict(bot, group) for group in self.worst()],
        }


def _as_dict(bot: str, group: Group) -> dict[str, Any]:
    finding = group.finding
    return {
        "cause": group.cause,
        "invariant": group.failure.invariant,
        "message": group.failure.message if finding is None else finding.failure.message,
        "seeds": sorted(group.seeds),
        "seed": group.seed,
        "shortest": None if finding is None else finding.simplest.as_dict(),
        "kept": None if finding is None else list(finding.kept.numbers),
        "rerun": command(bot, group.seed, None if finding is None else finding.kept),
        "case": group.case or None,
    }


def command(bot: str, seed: int, kept: Plan | None = None) -> str:
    """The command that runs a call again."""
    keep = ""
    if kept is not None and len(kept.items) < kept.drawn_items:
        keep = " --keep " + (",".join(map(str, kept.numbers)) or "none")
    return f"voiceloop fuzz {shlex.quote(bot)} --seed {seed} --calls 1{keep}"


def failure_lines(bot: str, group: Group) -> list[str]:
    """A failure, for a person: what, by which seeds, the shortest call, and how to run it again."""
    seeds = ", ".join(map(str, sorted(group.seeds)[:SEEDS])) + (", …" if len(group.seeds) > SEEDS else "")
    times = "1 call" if len(group.seeds) == 1 else f"{len(group.seeds)} calls"
    finding = group.finding
    failure = group.failure if finding is None else finding.failure
    lines = [f"{failure.invariant} — {times} (seed {seeds})", f"  {failure}"]
    if finding is None:
        if group.failure.invariant != HANGS:
            lines.append("  It did not fail when it was the first call of a process: calls may share something.")
        lines += [*_indented(group.failure.detail), "", f"  {command(bot, group.seed)}"]
        return lines
    count = len(finding.simplest.items)
    lines += [
        "",
        f"  Seed {group.seed}; the shortest call that shows it has {count} of {finding.drawn.drawn_items} items "
        f"({finding.tries} tries):",
        *(f"  {line}" for line in finding.simplest.lines()),
        *([] if count else ["    (nothing but a caller who hangs up)"]),
        "",
        *(f"  {line}" for line in group.told.splitlines()),
        *_indented(failure.detail),
        "",
        f"  {command(bot, group.seed, finding.kept)}",
    ]
    if group.case:
        lines.append(f"  voiceloop fuzz {shlex.quote(bot)} --case {shlex.quote(group.case)}")
    return lines


def _indented(detail: str) -> list[str]:
    return [f"    {line}" for line in detail.rstrip().splitlines()[-14:]]
