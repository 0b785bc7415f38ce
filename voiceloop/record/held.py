"""Why the agent fell silent while it spoke, and went on: a noise, a word that took no turn. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from voiceloop.record.scene import plain
from voiceloop.record.timeline import Span, Timeline

__all__ = ["Held", "held_of", "paused_for", "recognised"]

_LATE: Final = 2.5
"""Seconds after speech in which words for it may come; a recogniser is not waited for longer than about that."""
_SAME: Final = 0.1
"""Seconds by which speech and what was made of it may differ."""


@dataclass(frozen=True, slots=True)
class Held:
    """The agent was paused."""

    start: float
    end: float
    answer: int
    """Which it was saying, or about to say."""
    ended: str
    """``resume``, ``interruption``, or empty when the call ended first."""
    words: str
    """What was recognised of what paused it; empty when nothing was."""
    aside: bool
    """Those words took no turn."""

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.start

    def __str__(self) -> str:
        if self.ended != "resume":
            return f"paused {self.seconds:.1f} s, {'then interrupted' if self.ended else 'then the call ended'}"
        by = f"“{plain(self.words, 60)}”{' (aside)' if self.aside else ''}" if self.words else "a noise"
        return f"paused {self.seconds:.1f} s by {by}"


def held_of(timeline: Timeline) -> list[Held]:
    """Every pause, in order of time; of answers that were paused together the first."""
    found: list[Held] = []
    begun: dict[int, float] = {}
    for event in timeline.events:
        if event.kind == "pause":
            begun.setdefault(event.answer, event.at)
        elif event.kind in ("resume", "interruption") and (start := begun.pop(event.answer, None)) is not None:
            found.append(_held(timeline, start, event.at, event.answer, event.kind))
    found += [_held(timeline, start, timeline.duration, answer, "") for answer, start in begun.items()]
    first: dict[float, Held] = {}
    for each in sorted(found, key=lambda each: (each.start, each.answer)):
        first.setdefault(each.start, each)
    return list(first.values())


def _held(timeline: Timeline, start: float, end: float, answer: int, ended: str) -> Held:
    speech = paused_for(timeline, start)
    if speech is None:
        return Held(start, end, answer, ended, "", False)
    asides = [event.text for event in timeline.events if event.kind == "aside" and _in(event.at, speech)]
    words = asides[-1] if asides else recognised(timeline, speech)
    return Held(start, end, answer, ended, words, bool(asides))


def _in(at: float, speech: Span) -> bool:
    return speech.start - _SAME <= at <= speech.end + _SAME


def paused_for(timeline: Timeline, at: float) -> Span | None:
    """The speech for which the agent was paused at a time."""
    before = [span for span in timeline.speech if span.start <= at + _SAME]
    return max(before, key=lambda span: span.start) if before else None


def recognised(timeline: Timeline, speech: Span) -> str:
    """The last words that came for this speech; empty when none did."""
    later = min((span.start for span in timeline.speech if span.start > speech.end), default=float("inf"))
    until = min(speech.end + _LATE, later)
    words = [
        event.text for event in timeline.events if event.kind == "transcript" and speech.start <= event.at <= until
    ]
    return words[-1] if words else ""
