"""``voiceloop fuzz``: thousands of calls drawn by chance, with all that can go wrong, in virtual time."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

from voiceloop.cli.fuzz_pool import each_alone, results
from voiceloop.cli.fuzz_summary import Group, Summary, failure_lines
from voiceloop.cli.fuzz_worker import Found, Shorten, Show, Shown
from voiceloop.errors import VoiceloopError
from voiceloop.testing.chaos.plan import BadPlan, Plan
from voiceloop.wallclock import perf_counter

__all__ = ["fuzz"]

EVERY = 0.25
"""Seconds between two lines that say how far it is."""


async def fuzz(options: argparse.Namespace) -> int:
    """Run the command; returns its exit status: 0 when nothing was found, 1 when something was, 130 after Ctrl-C."""
    if options.keep is not None or options.case is not None:
        return await _single(options, _plan(options))
    only = _groups(options.only)
    Plan.drawn(options.seed, only=only)  # what is wrong with it is said before any process is started
    summary = Summary(options.calls)
    began = perf_counter()
    interrupted = await _calls(options, only, summary, began)
    real = perf_counter() - began
    if not interrupted:
        interrupted = await _shorten(options, only, summary)
    _tell(options, summary, real)
    return 130 if interrupted else 1 if summary.groups else 0


def _groups(given: str | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(each.strip() for each in given.split(",") if each.strip())


# --- many calls ---------------------------------------------------------------------------------------------


async def _calls(options: argparse.Namespace, only: tuple[str, ...] | None, summary: Summary, began: float) -> bool:
    """Have them all; whether Ctrl-C came before the end."""
    seeds = range(options.seed, options.seed + options.calls)
    jobs = options.jobs or os.cpu_count() or 1
    shown = 0.0
    try:
        async with aclosing(results(options.bot, seeds, jobs=jobs, only=only)) as coming:
            async for result in coming:
                summary.add(result)
                now = perf_counter()
                if now - shown > EVERY:
                    shown = now
                    _progress(summary.line(now - began))
                if len(summary.groups) >= options.max_failures:
                    break
    except asyncio.CancelledError:
        return True
    finally:
        _progress("")
    return False


async def _shorten(options: argparse.Namespace, only: tuple[str, ...] | None, summary: Summary) -> bool:
    """Find the shortest call for each failure; whether Ctrl-C came before the end."""
    groups = summary.worst()[: options.max_failures]
    tasks = [Shorten(Plan.drawn(group.seed, only=only), group.cause) for group in groups]
    jobs = options.jobs or os.cpu_count() or 1
    done = 0
    try:
        async with aclosing(each_alone(options.bot, tasks, jobs=jobs)) as coming:
            _progress(f"looking for the shortest calls of {len(groups)} failures" if groups else "")
            async for place, found in coming:
                done += 1
                _progress(f"looking for the shortest calls: {done} of {len(groups)}")
                if isinstance(found, Found):
                    _fill(options, groups[place], found)
    except asyncio.CancelledError:
        return True
    finally:
        _progress("")
    return False


def _fill(options: argparse.Namespace, group: Group, found: Found) -> None:
    """Add the shortest call of a failure, and the file that holds it."""
    finding = group.finding = found.finding
    group.told = found.told
    if finding.simplest != finding.kept:
        group.case = _save(Path(options.artifacts), finding.simplest, group.cause)


def _save(folder: Path, plan: Plan, cause: str) -> str:
    name = "".join(letter if letter.isalnum() else "-" for letter in cause)[:40].strip("-")
    path = folder / f"fuzz-{plan.seed}-{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignored = folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text("# made by voiceloop\n*\n", encoding="utf-8")
        path.write_text(json.dumps(plan.as_dict(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"voiceloop: the case was not written: {error}", file=sys.stderr)
        return ""
    return str(path)


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _tell(options: argparse.Namespace, summary: Summary, real: float) -> None:
    if options.json:
        print(json.dumps(summary.as_dict(options.bot, real), indent=1))
        return
    for group in summary.worst()[: options.max_failures]:
        print("\n".join(failure_lines(options.bot, group)), end="\n\n")
    print(summary.line(real))
    if summary.injected:
        print("What was made to go wrong, and how often:")
        print("\n".join(summary.coverage()))
    if not summary.groups:
        print("Nothing was found.")


# --- one call -----------------------------------------------------------------------------------------------


def _plan(options: argparse.Namespace) -> Plan:
    """The one plan that is named.

    Raises:
        BadPlan: it is none.
    """
    if options.case is not None:
        try:
            plan = Plan.from_dict(json.loads(Path(options.case).read_text(encoding="utf-8")))
        except (ValueError, AttributeError) as error:
            raise error if isinstance(error, BadPlan) else BadPlan(f"{options.case} is no case: {error}") from None
    else:
        plan = Plan.drawn(options.seed, only=_groups(options.only))
    return plan if options.keep is None else plan.keep(_numbers(options.keep))


def _numbers(given: str) -> Sequence[int]:
    if given == "none":
        return ()
    try:
        return [int(each) for each in given.split(",") if each.strip()]
    except ValueError:
        raise VoiceloopError(f"--keep takes numbers of items, such as 0,3,7, or none; got {given!r}") from None


async def _single(options: argparse.Namespace, plan: Plan) -> int:
    """Have this one call, and tell of it."""
    async with aclosing(each_alone(options.bot, [Show(plan)], jobs=1)) as coming:
        async for _, shown in coming:
            if isinstance(shown, Shown):
                return _show(options, plan, shown)
    raise VoiceloopError("the process that had the call died, or did not come back")


def _show(options: argparse.Namespace, plan: Plan, shown: Shown) -> int:
    failures = shown.failures
    if options.json:
        found = [asdict(failure) for failure in failures]
        told = {"plan": plan.as_dict(), "seconds": shown.seconds, "digest": shown.digest, "failures": found}
        print(json.dumps(told, indent=1))
        return 1 if failures else 0
    print("\n".join([f"seed {plan.seed}", *plan.lines(), "", shown.told.rstrip()]))
    for failure in failures:
        print("\n".join(["", str(failure), *(f"    {line}" for line in failure.detail.rstrip().splitlines())]))
    if not failures:
        print("\nNothing was found.")
    return 1 if failures else 0
