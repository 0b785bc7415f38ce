"""Why the agent was paused and went on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from voiceloop.record.held import Held, held_of
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.record.why_told import Explanation
from voiceloop.record.why_words import Quoting, seconds

__all__ = ["pauses_told"]

_MOST: Final = 20
"""Pauses told one by one."""


def pauses_told(timeline: DetailedTimeline) -> list[Explanation]:
    """Every pause of what was being heard after which the agent went on. What was cut is told of elsewhere."""
    told = list(_told(timeline))
    if len(told) > _MOST:
        rest = Explanation(told[_MOST].at, "paused", f"{len(told) - _MOST} more pauses from here on.")
        return [*told[:_MOST], rest]
    return told


def _told(timeline: DetailedTimeline) -> Iterator[Explanation]:
    answers = {answer.id: answer for answer in timeline.answers}
    numbers = {turn.answer: turn.number for turn in timeline.turns if turn.answer}
    for held in held_of(timeline):
        answer = answers.get(held.answer)
        if held.ended != "resume" or answer is None or not answer.sounds or answer.sounds[0].start >= held.end:
            continue
        number = numbers.get(held.answer, 0)
        what = f"The answer to turn {number}" if number else f"What the agent began to say at {answer.began:.1f} s"
        text = f"{what} was paused for {seconds(held.seconds)} {_by(timeline, held)}; the agent went on."
        yield Explanation(held.start, "paused", text, number)


def _by(timeline: DetailedTimeline, held: Held) -> str:
    if not held.words:
        return "by a noise: nothing was recognised"
    words = Quoting("text" in timeline.redacted)(held.words)
    return f"by {words}, which only shows that the caller listens" if held.aside else f"by {words}"
