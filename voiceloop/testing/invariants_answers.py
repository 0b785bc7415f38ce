"""Answers: each begins and ends once, and is heard only when it may be."""

from __future__ import annotations

from collections.abc import Iterator

from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence

__all__ = ["INVARIANTS"]

_OUTCOMES = ("complete", "interrupted", "failed", "discarded")


def each_answer_ends_once(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """An answer begins once and ends once, in one of four ways; its first and its last sound come at most once."""
    name = "each answer ends once"
    for answer in evidence.witness.answers.values():
        which = f"answer {answer.id}"
        if len(answer.began) != 1:
            yield Violation(name, f"expected {which} to begin once, it began {len(answer.began)} times")
        if len(answer.ended) > 1 or (not answer.ended and evidence.report is not None):
            times = ", ".join(f"{outcome} at {at:.3f} s" for at, outcome in answer.ended)
            message = f"expected {which} to end once, it ended {len(answer.ended)} times{': ' if times else ''}{times}"
            yield Violation(name, message, answer.ended[1][0] if answer.ended else None)
        for at, outcome in answer.ended[:1]:
            if outcome not in _OUTCOMES:
                yield Violation(name, f"expected {which} to end as one of {', '.join(_OUTCOMES)}, got {outcome!r}", at)
            if answer.began and at < answer.began[0]:
                yield Violation(name, f"{which} ended before it began, at {answer.began[0]:.3f} s", at)
        for what, times_of in (("first", answer.started), ("last", answer.stopped)):
            if len(times_of) > 1:
                message = f"expected the {what} sound of {which} to be told once, it was {len(times_of)} times"
                yield Violation(name, message, times_of[1])


def nothing_speculative_is_heard(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Not a sample of an answer is sent before it is certain that it will be given."""
    name, told = "nothing speculative is heard", set()
    for sent in evidence.witness.sent:
        if not sent.committed and sent.answer not in told:
            told.add(sent.answer)
            yield Violation(name, f"answer {sent.answer} was sent to the caller before it was committed", sent.at)
    for answer in evidence.witness.answers.values():
        voice = evidence.voices.get(answer.id)
        if answer.provisional and answer.id not in told and voice is not None and voice.pieces:
            message = f"answer {answer.id} was never committed, and some of it was heard"
            yield Violation(name, message, voice.pieces[0].at)


INVARIANTS = (each_answer_ends_once, nothing_speculative_is_heard)
