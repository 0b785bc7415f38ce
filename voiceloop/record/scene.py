"""What the picture of a call shows, derived from its timeline. Both pictures, the page and the image, draw this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw
from voiceloop.record.timeline import RATE, AnswerLine, Span, Timeline, TimelineEvent, TurnLine

__all__ = [
    "PARTS",
    "TEXT_LIMIT",
    "Cut",
    "Line",
    "Wait",
    "conversation",
    "cuts",
    "early",
    "faults",
    "outline",
    "pauses",
    "plain",
    "title_of",
    "waits",
    "when",
]

PARTS: Final = ("endpoint", "stt", "llm", "tts", "output", "carrier")
"""What a wait is made of, in order of time."""
TEXT_LIMIT: Final = 4000
"""Characters kept of any one text."""
_STEP: Final = RATE // 100
"""Samples that one value of an outline stands for."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long the caller waited after a turn, on the time axis."""

    turn: TurnLine
    start: float
    """The caller's last sample."""
    end: float
    """The agent's first sound."""
    parts: tuple[tuple[str, float, float, float], ...]
    """Name, start, end, milliseconds; without those of no length."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an answer stopped, and what the caller did not hear of it."""

    at: float
    answer: AnswerLine
    text: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation."""

    at: float
    who: Literal["caller", "agent"]
    text: str
    unheard: str = ""
    interrupted: bool = False
    turn: int = 0
    """The turn's number, of a line of the caller."""
    note: str = ""


def plain(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text from outside, fit to be shown: bounded, without control characters and halves of characters."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    text = "".join(character if character >= " " and character != "\x7f" else " " for character in text)
    return text.encode("utf-8", "replace").decode("utf-8")


def title_of(timeline: Timeline) -> str:
    """The heading of a picture that was given none."""
    return f"Call from {plain(timeline.caller, 100)}" if timeline.caller else "A phone call"


def when(timeline: Timeline) -> str:
    """When the call began, for people; as it stands when it is no ISO 8601 time."""
    try:
        began = datetime.fromisoformat(timeline.began)
    except ValueError:
        return plain(timeline.began, 100)
    zone = "UTC" if not began.utcoffset() else f"{began:%z}"
    return f"{began.day} {began:%B %Y, %H:%M:%S} {zone if began.tzinfo else ''}".strip()


def waits(timeline: Timeline) -> list[Wait]:
    """The waits of all turns that were answered."""
    found = []
    for turn in timeline.turns:
        if turn.latency_ms is None:
            continue
        sizes = [max(0.0, turn.latency_ms.get(name, 0.0)) for name in PARTS]
        edges = [turn.ended + ms / 1000 for ms in accumulate(sizes, initial=0.0)]
        parts = zip(PARTS, pairwise(edges), sizes, strict=True)
        shown = tuple((name, start, end, ms) for name, (start, end), ms in parts if ms > 0)
        found.append(Wait(turn, turn.ended, edges[-1], shown))
    return found


def cuts(timeline: Timeline) -> list[Cut]:
    """Answers of which something was not heard, or that were interrupted."""
    found = []
    for answer in timeline.answers:
        if answer.outcome == "discarded" or not (answer.unheard or answer.interrupted is not None):
            continue
        end = answer.sounds[-1].end if answer.sounds else answer.began
        at = end if answer.interrupted is None else answer.interrupted
        found.append(Cut(min(at, timeline.duration), answer, answer.unheard, answer.interrupted is not None))
    return found


def pauses(timeline: Timeline) -> list[Span]:
    """When the agent held its breath: until it went on, was interrupted, or the call ended."""
    spans, open_at = [], None
    for event in timeline.events:
        if event.kind == "pause" and open_at is None:
            open_at = event.at
        elif event.kind in ("resume", "interruption") and open_at is not None:
            spans.append(Span(open_at, event.at))
            open_at = None
    if open_at is not None:
        spans.append(Span(open_at, timeline.duration))
    return spans


def faults(timeline: Timeline) -> list[TimelineEvent]:
    """What went wrong."""
    return [event for event in timeline.events if event.kind == "fault"]


def early(turn: TurnLine, answer: AnswerLine) -> float:
    """How long before a turn was over its answer was begun, seconds; 0 when it was not."""
    return max(0.0, turn.decided - turn.guessed) if answer.early and turn.guessed is not None else 0.0


def conversation(timeline: Timeline) -> list[Line]:
    """Who said what, in order of time. What was never said (an answer taken back before it was heard) is left out."""
    lines = [
        Line(turn.started, "caller", plain(turn.text), turn=turn.number, note="" if turn.number else "not answered")
        for turn in timeline.turns
    ]
    lines += [
        Line(event.at, "caller", plain(event.text), note="aside") for event in timeline.events if event.kind == "aside"
    ]
    for answer in timeline.answers:
        if answer.outcome == "discarded" or not (answer.heard or answer.unheard):
            continue
        at = answer.sounds[0].start if answer.sounds else answer.began
        note = "" if answer.sounds else "never heard"
        interrupted = answer.interrupted is not None
        lines.append(Line(at, "agent", plain(answer.heard), plain(answer.unheard), interrupted, note=note))
    return sorted(lines, key=lambda line: line.at)


def outline(audio: bytes, duration: float) -> npt.NDArray[np.uint8]:
    """The shape of a voice: for every 10 ms the square root of its largest magnitude, 255 at full scale."""
    count = max(1, -(-round(duration * RATE) // _STEP))
    samples = np.zeros(count * _STEP, dtype=np.int32)
    given = mulaw.decode(audio[: len(samples)])
    samples[: len(given)] = given
    peaks = np.abs(samples).reshape(count, _STEP).max(axis=1)
    shape: npt.NDArray[np.uint8] = np.round(np.sqrt(np.minimum(peaks / 32124, 1.0)) * 255).astype(np.uint8)
    return shape
