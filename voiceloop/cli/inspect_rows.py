"""A recorded call as rows: when, what was understood of the caller, what they heard of the agent, and what else."""

from __future__ import annotations

from collections.abc import Iterator

from voiceloop.record.held import held_of, recognised
from voiceloop.record.scene import cuts, early, plain, waits
from voiceloop.record.timeline import AnswerLine, TimelineEvent
from voiceloop.record.why_facts import DetailedTimeline, ToolRun
from voiceloop.testing.failure_rows import Row

__all__ = ["rows_of"]

TEXT = 600
"""Characters of any one text."""
_SAME = 0.1
"""Seconds by which speech and the turn that it is in may differ."""
_RESULT = 200
"""Characters of what goes to a tool and comes from it."""


def rows_of(timeline: DetailedTimeline) -> list[Row]:
    """The rows, in order of time."""
    found = [
        *_caller(timeline),
        *_agent(timeline),
        *(Row(tool.at, event=_tool(tool)) for tool in timeline.tools),
        *(Row(event.at, event=text) for event in timeline.events if (text := _event(event))),
        *(Row(held.start, event=str(held)) for held in held_of(timeline) if held.ended != "interruption"),
    ]
    if not timeline.whole:
        found.append(Row(timeline.end, event="THE RECORDING BREAKS OFF"))
    return sorted(found, key=lambda row: row.at)


def _caller(timeline: DetailedTimeline) -> Iterator[Row]:
    answered = {answer.id for answer in timeline.answers if answer.sounds}
    for turn in timeline.turns:
        event = "" if turn.answer in answered else "no answer to this was heard"
        yield Row(turn.started, caller=plain(turn.text, TEXT), event=event)
    asides = [event.at for event in timeline.events if event.kind == "aside"]
    for span in timeline.speech:
        if not any(turn.started - _SAME < span.end and span.start < turn.ended + _SAME for turn in timeline.turns):
            words = plain(recognised(timeline, span), TEXT) or f"[{span.end - span.start:.1f} s of sound]"
            aside = any(span.start - _SAME <= at <= span.end + _SAME for at in asides)
            yield Row(span.start, caller=words, event="aside: the agent spoke on" if aside else "in no turn")
    for digit in timeline.events:
        if digit.kind == "digit":
            yield Row(digit.at, caller=f"[presses {plain(digit.text)}]")


def _agent(timeline: DetailedTimeline) -> Iterator[Row]:
    waited = {wait.turn.answer: wait for wait in waits(timeline)}
    for answer in timeline.answers:
        wait = waited.get(answer.id)
        event = "" if wait is None else f"waited {wait.end - wait.start:.2f} s"
        if wait is not None and (head_start := early(wait.turn, answer)):
            event += f", answer begun {head_start:.2f} s early"
        if answer.outcome == "failed":
            event = ", ".join(filter(None, [event, "the answer failed"]))
        if (text := _heard(answer)) or event:
            yield Row(answer.sounds[0].start if answer.sounds else answer.began, agent=text, event=event)
        elif answer.early and answer.outcome == "discarded":
            yield Row(answer.began, event="an answer was begun early, and thrown away")
    for cut in cuts(timeline):
        if cut.interrupted and not timeline.cut_by_the_end(cut.answer):
            yield Row(cut.at, event="interrupted")


def _heard(answer: AnswerLine) -> str:
    if answer.outcome == "discarded":
        return ""
    heard, unheard = plain(answer.heard, TEXT), plain(answer.unheard, TEXT)
    if not heard and not unheard:
        unheard = plain(answer.text.strip(), TEXT)
    return f"{heard} [not heard: {unheard}]".strip() if unheard else heard


def _event(event: TimelineEvent) -> str:
    if event.kind in ("fault", "watchdog"):
        return f"{event.kind.upper()} {plain(event.text, TEXT)}"
    return ""


def _tool(tool: ToolRun) -> str:
    result = "not done" if tool.ended is None else ("failed: " if tool.error else "") + plain(tool.result, _RESULT)
    took = "" if tool.ended is None else f" ({tool.ended - tool.at:.2f} s)"
    return f"tool {plain(tool.name, 100)}({plain(tool.arguments, _RESULT)}) → {result}{took}"
