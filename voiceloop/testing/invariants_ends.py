"""The end of a call: it comes, once, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator

from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence

__all__ = ["INVARIANTS"]


def the_call_ends(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """There is a report, soon after the line has ended, and it says why."""
    name, report, ended = "the call ends", evidence.report, evidence.line_ended
    if report is None:
        line = "the line has not ended either" if ended is None else f"the line ended at {ended:.3f} s"
        yield Violation(name, f"expected a report, there is none; {line}", ended)
        return
    if not report.reason:
        yield Violation(name, "expected the report to say why the call ended, it says nothing")
    reported = evidence.witness.reported
    if ended is not None and reported:
        limit = bounds.end + evidence.round_trip + evidence.jitter + bounds.slack
        if (late := reported[0] - ended) > limit:
            message = f"expected a report within {limit:.2f} s of the line's end at {ended:.3f} s, it took {late:.2f} s"
            yield Violation(name, message, ended, reported[0])


def it_is_reported_once(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Whoever asked to be told of the end is told once."""
    reported = evidence.witness.reported
    if len(reported) > 1:
        times = ", ".join(f"{at:.3f} s" for at in reported)
        yield Violation("it is reported once", f"expected one report, there were {len(reported)}: {times}", reported[1])


def nothing_is_left(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Tasks, timers, connections and answers end with the call."""
    name = "nothing is left"
    if evidence.left_behind:
        yield Violation(name, f"expected nothing to outlive the call, left: {', '.join(evidence.left_behind)}")
    if evidence.report is not None and evidence.report.abandoned:
        yield Violation(name, f"expected every task to end when cancelled: {', '.join(evidence.report.abandoned)}")


def counts_are_sound(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """What was used is counted, never below nothing, and no more is wasted than was used."""
    name, usage = "counts are sound", evidence.report.usage if evidence.report is not None else {}
    for key, amount in usage.items():
        if amount < 0:
            yield Violation(name, f"expected {key} to be 0 or more, it is {amount:g}")
    wasted, spoken = usage.get("tts.wasted_characters", 0), usage.get("tts.characters", 0)
    if wasted > spoken:
        yield Violation(
            name, f"expected tts.wasted_characters to be at most tts.characters, {spoken:g}; got {wasted:g}"
        )
    written = sum(len(answer.text) for answer in evidence.witness.answers.values())
    if evidence.witness.answers and (wasted := usage.get("llm.wasted_characters", 0)) > written:
        yield Violation(name, f"expected llm.wasted_characters to be at most {written}, all written; got {wasted:g}")


INVARIANTS = (the_call_ends, it_is_reported_once, nothing_is_left, counts_are_sound)
