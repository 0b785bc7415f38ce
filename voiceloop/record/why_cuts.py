"""Why an answer was cut: who spoke over it, and what they said. Pure."""

from __future__ import annotations

from typing import Final

from voiceloop.record.held import held_of, recognised
from voiceloop.record.timeline import AnswerLine, Span, TurnLine
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.record.why_told import Explanation
from voiceloop.record.why_words import Quoting, seconds

__all__ = ["cuts_told"]

_NEAR: Final = 0.6
"""Seconds: speech that had paused so shortly before a cut was the cause of it."""
_LATE: Final = 2.5
"""Seconds after speech in which words for it may come; a recogniser is not waited for longer than about that."""
_AT_ONCE: Final = 0.005
"""Seconds: what happens that near happens at one moment."""


def cuts_told(timeline: DetailedTimeline) -> list[Explanation]:
    """Every answer that was cut while it was heard, or before; not by the end of the call, which tells of that."""
    return [
        Explanation(answer.interrupted, "cut", _cut(timeline, answer, answer.interrupted), _number(timeline, answer))
        for answer in timeline.answers
        if answer.interrupted is not None and not timeline.cut_by_the_end(answer)
    ]


def _number(timeline: DetailedTimeline, answer: AnswerLine) -> int:
    return next((turn.number for turn in timeline.turns if turn.answer == answer.id), 0)


def _cut(timeline: DetailedTimeline, answer: AnswerLine, at: float) -> str:
    quote = Quoting("text" in timeline.redacted)
    number = _number(timeline, answer)
    turn = next((turn for turn in timeline.turns if turn.answer == answer.id), None)
    what = f"What the agent began to say at {answer.began:.1f} s"
    if number:
        what = f"Turn {number}"
    elif turn is not None:
        what = f"The answer to {quote(turn.text)}"
    where = f"after {quote.end(answer.heard)}" if answer.heard else "before any of its answer was heard"
    if not answer.heard and not number:
        where = "before any of it was heard"
    return f"{what} was cut {where}{_cause(timeline, quote, at)}."


def _cause(timeline: DetailedTimeline, quote: Quoting, at: float) -> str:
    speech = _speech_before(timeline, at)
    if any(act.name in ("interrupt", "discard") and abs(act.at - at) <= _AT_ONCE for act in timeline.acts):
        return ": somebody outside of the call interrupted it"
    if speech is None:
        changed = [each for each in timeline.events if each.kind == "transcript" and abs(each.at - at) <= _AT_ONCE]
        if changed:
            return f", because the recogniser had understood more: {quote(changed[-1].text)}"
        return "; why, the recording does not say" + (": nobody spoke then" if timeline.speech else "")
    fell = next((held.start for held in held_of(timeline) if held.end == at and held.start > speech.start), at)
    began = f", the caller began to speak {seconds(fell - speech.start)} before"
    turn = _turn_of(timeline, speech, at)
    if turn is not None:
        return f"{began}: {quote(turn.text)}"
    if text := recognised(timeline, speech):
        return f"{began}: {quote(text)}, which is in no turn"
    if speech.end + _LATE > timeline.end:
        return f"{began}; what they said was not recognised before {_end(timeline)}"
    sounded = f"what sounded like speech for {seconds(speech.end - speech.start)}"
    if any(speech.end - 0.1 <= settled <= speech.end + _LATE for settled in timeline.settled):
        return f": {sounded} was a noise, nothing was recognised"
    return f" by {sounded}: no words for it came"


def _end(timeline: DetailedTimeline) -> str:
    return "the call ended" if timeline.whole else "the recording breaks off"


def _speech_before(timeline: DetailedTimeline, at: float) -> Span | None:
    """The speech that goes on at a time, or has just paused."""
    found = [span for span in timeline.speech if span.start <= at + _AT_ONCE and span.end >= at - _NEAR]
    return max(found, key=lambda span: span.start) if found else None


def _turn_of(timeline: DetailedTimeline, speech: Span, at: float) -> TurnLine | None:
    """The turn that this speech belongs to: the first that was decided after the cut and holds it."""
    holding = (turn for turn in timeline.turns if turn.decided >= at - _AT_ONCE)
    return next((turn for turn in holding if turn.started - 0.1 <= speech.start <= turn.ended + 0.1), None)
