"""Why a caller waited: which part of the wait stands out, and what went on in it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median
from typing import Final

from voiceloop.record.scene import Wait, plain, waits
from voiceloop.record.why_barks import held, holds
from voiceloop.record.why_facts import DetailedTimeline, ModelRequest
from voiceloop.record.why_told import Explanation, WhyOptions
from voiceloop.record.why_words import Quoting, joined, ordinal, seconds, times

__all__ = ["unanswered_told", "waits_told"]

_SAID: Final = {
    "endpoint": "{} of silence were waited for",
    "stt": "the recogniser settled {} late",
    "llm": "the model's first words took {}",
    "tts": "the voice's first sound took {}",
    "output": "the first sound was there and was sent {} later",
    "carrier": "from sending to hearing it took {}",
}
_SHARE: Final = 0.3
"""Of a slow wait in which no part stands out, parts that make up so much of it are named."""
_CLEAR: Final = 0.05
"""Seconds; what overlaps less has no part in it."""
_TEXT: Final = 300
"""Characters of an error."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    start: float
    end: float
    usual: float | None
    """Median of the same part in the other turns, seconds; None when there is no other turn."""
    stands_out: bool

    @property
    def took(self) -> float:
        return self.end - self.start

    def holds(self, at: float) -> bool:
        return self.start - _CLEAR <= at <= self.end + _CLEAR


def waits_told(timeline: DetailedTimeline, options: WhyOptions) -> list[Explanation]:
    """Every turn whose answer came late."""
    found = waits(timeline)
    told = []
    for wait in found:
        parts = [_part(name, wait, found, options) for name, *_ in wait.parts]
        total = wait.end - wait.start
        named = [part for part in parts if part.stands_out]
        if not named and total <= options.slow:
            continue
        named = named or [part for part in parts if part.took >= _SHARE * total]
        said = "; ".join(
            [_sentence(timeline, wait, part) for part in named]
            + [held(timeline, bark) for bark in holds(timeline, wait.start, wait.end)]
        )
        text = f"Turn {wait.turn.number} waited {seconds(total)}: {said}."
        told.append(Explanation(wait.start, "slow", text, wait.turn.number))
    return told


def _part(name: str, wait: Wait, others: list[Wait], options: WhyOptions) -> _Part:
    start, end = next((start, end) for each, start, end, _ in wait.parts if each == name)
    rest = [other.turn.latency_ms or {} for other in others if other is not wait]
    usual = median(times.get(name, 0.0) for times in rest) / 1000 if rest else None
    stands_out = usual is not None and end - start >= max(options.longer * usual, usual + options.least)
    return _Part(name, start, end, usual, stands_out)


def _sentence(timeline: DetailedTimeline, wait: Wait, part: _Part) -> str:
    said = _SAID[part.name].format(seconds(part.took))
    if part.usual is not None:
        said += _compared(part)
    because = list(_BECAUSE[part.name](timeline, wait, part))
    if because:
        return f"{said}, {because[0]}" if part.name == "endpoint" else "; ".join([said, *because])
    known = not part.stands_out or holds(timeline, part.start, part.end)
    return said if known else f"{said}; why, the recording does not say"


def _compared(part: _Part) -> str:
    assert part.usual is not None
    usual = f"({seconds(part.usual)})"
    if not part.stands_out:
        return f", about as in the other turns {usual}"
    if part.usual < 0.01:
        return f" (in the other turns {seconds(part.usual)})"
    return f", {times(part.took / part.usual)} as in the other turns {usual}"


# --- what went on in it -------------------------------------------------------------------------------------


def _silence(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """Why so much silence was waited for."""
    if not part.stands_out and part.usual is not None:
        return
    words = wait.turn.text.rsplit(None, 1)[-1:]
    last = words[0].rstrip(".,…") if words else ""
    if wait.turn.why and "text" not in timeline.redacted:
        yield f"because of what was said: {plain(wait.turn.why, _TEXT)}"
    elif last.casefold() in timeline.unfinished:
        yield f"because the caller ended with {Quoting(False)(last)}"


def _recogniser(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """What happened to the recogniser from the caller's first word on."""
    for failure in timeline.failures:
        if failure.kind == "stt" and wait.turn.started <= failure.at <= part.end:
            yield f"at {failure.at:.1f} s it failed ({plain(failure.text, _TEXT)})"
    yield from _noted(timeline, wait.turn.started, part.end, "stt")
    yield from _stood(timeline, wait.turn.started, part.end, "stt")


def _model(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """Tools that ran before the first words, and requests that came to nothing."""
    for tool in timeline.tools:
        end = part.end if tool.ended is None else tool.ended
        ran = min(end, part.end) - max(tool.at, part.start)
        if tool.answer == wait.turn.answer and ran >= _CLEAR:
            failed = " and failed" if tool.error else ""
            yield f"a tool ({plain(tool.name, 100)}) ran {seconds(end - tool.at)} before the answer{failed}"
    asked = [each for each in timeline.requests if each.answer == wait.turn.answer and part.holds(each.at)]
    vain = [
        f"the {ordinal(number)} request {what}"
        for number, (request, later) in enumerate(zip_longest(asked, asked[1:]), 1)
        if (what := _in_vain(request, later))
    ]
    often = "twice" if len(asked) == 2 else f"{len(asked)} times"
    if vain:
        yield f"the model was asked {often}: {joined(vain)}" if len(asked) > 1 else joined(vain)
    elif len(asked) > 1:  # in rounds, with tools between
        took = sum(min(part.end, part.end if each.first is None else each.first) - each.at for each in asked)
        yield f"the model was asked {often} and took {seconds(took)} for that"
    else:
        yield from _silent(timeline, "model_silent", part)
    yield from _stood(timeline, part.start, part.end, "llm")


def _in_vain(request: ModelRequest, later: ModelRequest | None) -> str:
    """What became of a request that gave no answer; empty when it gave one, or asked for tools."""
    if request.failure:
        after = "" if request.ended is None else f" after {seconds(request.ended - request.at)}"
        return f"failed{after} ({plain(request.failure, _TEXT)})"
    if request.ended is None and later is not None:
        return f"gave nothing for {seconds(later.at - request.at)}" if request.first is None else "broke off"
    return ""


def _voice(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """Failures of the voice."""
    failed = [each for each in timeline.failures if each.kind == "tts" and part.holds(each.at)]
    for failure in failed:
        yield f"at {failure.at:.1f} s the voice failed ({plain(failure.text, _TEXT)})"
    if not failed:
        noted = list(_noted(timeline, part.start, part.end, "tts"))
        yield from noted or _silent(timeline, "voice_silent", part)
    yield from _stood(timeline, part.start, part.end, "tts")


def _silent(timeline: DetailedTimeline, kind: str, part: _Part) -> Iterator[str]:
    """Watchdogs, where nothing else says what went wrong."""
    for bark in timeline.barks:
        if bark.kind == kind and part.holds(bark.at):
            yield f"at {bark.at:.1f} s nothing had come for {seconds(bark.waited)}"


def _sending(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """Other answers that were heard meanwhile."""
    quote = Quoting("text" in timeline.redacted)
    for answer in timeline.answers:
        if answer.id == wait.turn.answer:
            continue
        heard = sum(max(0.0, min(span.end, part.end) - max(span.start, part.start)) for span in answer.sounds)
        if heard >= _CLEAR:
            yield f"the agent was still saying {quote(answer.heard or answer.text, 6)} for {seconds(heard)} of that"


def _line(timeline: DetailedTimeline, wait: Wait, part: _Part) -> Iterator[str]:
    """Marks that did not come back: then the time is an estimate."""
    for bark in timeline.barks:
        if bark.kind == "no_mark" and bark.answer == wait.turn.answer:
            yield f"no echo of a mark came for {seconds(bark.waited)}, so that this is an estimate"
            return


def _noted(timeline: DetailedTimeline, start: float, end: float, kind: str) -> Iterator[str]:
    """What the call itself has noted of a provider that neither gave nor raised anything."""
    name = timeline.providers.get(kind)
    raised = any(each.kind == kind and start - _CLEAR <= each.at <= end + _CLEAR for each in timeline.failures)
    if name is None or raised:
        return
    for event in timeline.events:
        fault, _, message = event.text.partition(": ")
        if event.kind == "fault" and fault == f"{name}.failed" and start - _CLEAR <= event.at <= end + _CLEAR:
            yield f"at {event.at:.1f} s it was given up ({plain(message, _TEXT)})"


def _stood(timeline: DetailedTimeline, start: float, end: float, kind: str) -> Iterator[str]:
    """Providers that did the work of others."""
    for stood in timeline.stood:
        if stood.kind == kind and start - _CLEAR <= stood.at <= end + _CLEAR:
            why = f" ({plain(stood.why, _TEXT)})" if stood.why else ""
            yield f"{plain(stood.name, 100)} stood in for {plain(stood.instead_of, 100)}{why}"


_BECAUSE: Final[dict[str, Callable[[DetailedTimeline, Wait, _Part], Iterator[str]]]] = {
    "endpoint": _silence,
    "stt": _recogniser,
    "llm": _model,
    "tts": _voice,
    "output": _sending,
    "carrier": _line,
}


# --- turns without an answer --------------------------------------------------------------------------------


def unanswered_told(timeline: DetailedTimeline) -> list[Explanation]:
    """Turns to which nothing was heard, and answers that failed. What the caller cut is told elsewhere."""
    told = []
    numbers = {turn.answer: turn for turn in timeline.turns if turn.answer}
    for answer in timeline.answers:
        turn = numbers.get(answer.id)
        if turn is None or not turn.number:
            continue
        if answer.outcome == "failed":
            heard = f" after {Quoting('text' in timeline.redacted).end(answer.heard)}" if answer.heard else ""
            text = f"The answer to turn {turn.number} failed{heard}: {_faults_of(timeline, answer.id, turn.decided)}."
            told.append(Explanation(turn.decided, "failed", text, turn.number))
        elif turn.latency_ms is None and (answer.interrupted is None or timeline.cut_by_the_end(answer)):
            left = seconds(max(0.0, timeline.end - turn.decided))
            text = f"Turn {turn.number} was not answered: {_ended_before(timeline)} {left} after it was over."
            told.append(Explanation(turn.decided, "unanswered", text, turn.number))
    return told


def _ended_before(timeline: DetailedTimeline) -> str:
    return "the call ended" if timeline.whole else "the recording breaks off"


def _faults_of(timeline: DetailedTimeline, answer: int, since: float) -> str:
    later = min((turn.decided for turn in timeline.turns if turn.decided > since), default=timeline.duration)
    own = [event for event in timeline.events if event.kind == "fault" and event.answer == answer]
    near = [event for event in timeline.events if event.kind == "fault" and since <= event.at < later]
    found = own or near
    if not found:
        return "the recording does not say why"
    return "; ".join(f"{plain(event.text, _TEXT)} ({seconds(event.at - since)} after the turn)" for event in found[:3])
