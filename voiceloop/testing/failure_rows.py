"""What happened in a call as rows: when, what the caller said, what they heard of the agent, and what else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from voiceloop.record.scene import cuts, plain, waits
from voiceloop.record.timeline import AnswerLine, Timeline, TimelineEvent, TurnLine
from voiceloop.report import CallReport
from voiceloop.sim.caller import Utterance
from voiceloop.testing.checking import injected
from voiceloop.testing.dialled import Dialled
from voiceloop.testing.seen import ToolUse

__all__ = ["Row", "report_of", "rows"]

TEXT = 600
"""Characters of any one text."""
_SAME = 0.005
"""Seconds: what is that near stands in one row, if there is room in it."""


_NEAR = 0.3
"""Seconds by which a turn may seem to begin or end off its words: a line's jitter, and how speech is detected."""
_LONG = re.compile(r"(?<![\w.])\d+\.\d{4,}(?![\w.])")
_COLUMNS = ("caller", "agent", "event")


@dataclass(slots=True)
class Row:
    """One line of the table."""

    at: float
    """Seconds since the call began."""
    caller: str = ""
    agent: str = ""
    event: str = ""


def report_of(dialled: Dialled) -> CallReport | None:
    """The report of the call, or what one would say of it now; None when the bot never took it."""
    if dialled.ended is not None or not dialled.taken:
        return dialled.ended
    call = dialled.call
    return CallReport(
        call_id=call.id,
        reason="",
        duration=max(0.0, (call.now if dialled.left is None else dialled.left) - call.began),
        conversation=call.conversation,
        turns=call.turns,
        usage=dict(call.usage),
        faults=call.faults,
    )


def rows(dialled: Dialled, timeline: Timeline) -> list[Row]:
    """The rows of a call, in order of time; what happens at one moment stands in one row."""
    zero = (dialled.call.began if dialled.taken else 0.0) or dialled.carrier.truth.started
    holes = dialled.carrier.truth.holes()
    found = [
        *_caller(dialled, timeline, zero),
        *_agent(timeline, timeline.duration if dialled.left is None else dialled.left - zero),
        *(Row(event.at, event=text) for event in timeline.events if (text := _event(event))),
        *_tools(dialled, zero),
        *(Row(at - zero, event=f"a hole of {size:.2f} s in the agent's voice") for at, size in holes),
    ]
    if dialled.left is not None:
        found.append(Row(dialled.left - zero, event="THE TEST FAILED HERE"))
    found += [
        Row(at - zero, event=f"injected: {plain(_rounded(str(fault)), 200)}") for at, fault, *_ in injected(dialled)
    ]
    return _merged(sorted(found, key=lambda row: row.at))


def _rounded(text: str) -> str:
    """A text whose numbers have three places at most."""
    return _LONG.sub(lambda number: f"{float(number[0]):.3f}".rstrip("0").rstrip("."), text)


def _caller(dialled: Dialled, timeline: Timeline, zero: float) -> Iterator[Row]:
    placed: list[TurnLine] = []
    heard_from = zero - dialled.carrier.options.delay_to_server
    for utterances, turns in _exchanges(dialled.utterances, timeline.turns, heard_from):
        placed += turns
        said = [_said(dialled, utterance) for utterance in utterances]
        words = [dialled.lexicon.text(each.audio) for each in utterances]
        last = max((index for index, text in enumerate(words) if text), default=len(words) - 1)
        said[last] += _understood(" ".join(words), turns)
        for text, utterance in zip(said, utterances, strict=True):
            yield Row(utterance.speech_started - zero, caller=text)
    for turn in timeline.turns:
        if turn.text and turn not in placed:
            yield Row(turn.decided, caller=f"[understood: {plain(turn.text, TEXT)}]")
    for event in timeline.events:
        if event.kind == "digit":
            yield Row(event.at, caller=f"[presses {event.text}]")


def _exchanges(
    utterances: list[Utterance], turns: list[TurnLine], zero: float
) -> Iterator[tuple[list[Utterance], list[TurnLine]]]:
    """What was said, each with the turns that it was taken for: several utterances may be one turn, and one several."""
    together: list[tuple[list[Utterance], list[TurnLine]]] = []
    for each in utterances:
        began, ended = each.speech_started - zero - _NEAR, each.speech_ended - zero + _NEAR
        found = [turn for turn in turns if turn.text and turn.started <= ended and turn.ended >= began]
        if together and any(turn in together[-1][1] for turn in found):
            together[-1][0].append(each)
            together[-1][1].extend(turn for turn in found if turn not in together[-1][1])
        else:
            together.append(([each], found))
    yield from together


def _understood(said: str, turns: list[TurnLine]) -> str:
    """What to add to what the caller said, when the recogniser understood something else."""
    listed = [turn.text for turn in turns if turn.number]  # what was withdrawn came again in a later turn
    ways = [" ".join(listed), " ".join(turn.text for turn in turns), turns[-1].text if turns else ""]
    if not turns or _letters(said) in map(_letters, ways):
        return ""
    return f" [understood: {plain(ways[0] or ways[1], TEXT)}]"


def _said(dialled: Dialled, utterance: Utterance) -> str:
    text = dialled.lexicon.text(utterance.audio)
    if not text:
        text = f"[{utterance.ended - utterance.started:.1f} s of sound]"
    if not utterance.cut:
        return text
    last = utterance is dialled.utterances[-1] and dialled.carrier.ended
    return f"{text} [cut by the end of the call]" if last else f"{text} [breaks off]"


def _agent(timeline: Timeline, end: float) -> Iterator[Row]:
    """What was heard; `end`: when the test failed or the call was over, for an end cuts what is being said, too."""
    waited = {wait.turn.answer: wait for wait in waits(timeline)}
    for answer in timeline.answers:
        at = answer.sounds[0].start if answer.sounds else answer.began
        wait = waited.get(answer.id)
        event = ""
        if wait is not None and wait.turn.latency_ms is not None:
            parts = ", ".join(f"{name} {ms / 1000:.2f}" for name, _, _, ms in wait.parts if ms >= 5)
            event = f"waited {wait.end - wait.start:.2f} s" + (f": {parts}" if parts else "")
        elif answer.outcome == "failed":
            event = "the answer failed"
        if text := _heard(answer):
            yield Row(at, agent=text, event=event)
        elif event:
            yield Row(at, event=event)
    for cut in cuts(timeline):
        if cut.interrupted and cut.at < end:
            yield Row(cut.at, event="interrupted")


def _heard(answer: AnswerLine) -> str:
    if answer.outcome == "discarded":
        return f"[thrown away: {plain(answer.text.strip(), TEXT)}]" if answer.text.strip() else ""
    heard, unheard = plain(answer.heard, TEXT), plain(answer.unheard, TEXT)
    if not heard and not unheard and answer.text.strip():
        unheard = plain(answer.text.strip(), TEXT)
    return f"{heard} [not heard: {unheard}]".strip() if unheard else heard


def _event(event: TimelineEvent) -> str:
    if event.kind == "fault":
        return f"FAULT {plain(event.text, TEXT)}"
    return {"pause": "holds its breath", "resume": "goes on"}.get(event.kind, "")


def _tools(dialled: Dialled, zero: float) -> Iterator[Row]:
    if dialled.taken:
        for use in dialled.tools:
            yield Row(0.0 if use.asked is None else use.asked - zero, event=_tool(use))


def _tool(use: ToolUse) -> str:
    given = use.arguments
    shown = ", ".join(f"{name}={value!r}" for name, value in given.items()) if isinstance(given, dict) else repr(given)
    result = "(not done)" if use.result is None else ("ERROR " if use.error else "") + plain(use.result, 200)
    took = f" after {use.took:.2f} s" if use.took is not None and use.took >= 0.005 else ""
    return f"tool {use.name}({plain(shown, 200)}) → {result}{took}"


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _merged(found: list[Row]) -> list[Row]:
    """What happens at one moment in one row, where there is room in it."""
    kept: list[Row] = []
    for row in found:
        last = kept[-1] if kept else None
        if last is None or row.at - last.at > _SAME or _meet(last, row):
            kept.append(row)
            continue
        for column in _COLUMNS:
            setattr(last, column, getattr(last, column) or getattr(row, column))
    return kept


def _meet(one: Row, other: Row) -> bool:
    return any(getattr(one, column) and getattr(other, column) for column in _COLUMNS)
