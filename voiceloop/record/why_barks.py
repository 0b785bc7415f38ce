"""What did not come in time, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from voiceloop.record.scene import plain, waits
from voiceloop.record.why_facts import Bark, DetailedTimeline
from voiceloop.record.why_told import Explanation
from voiceloop.record.why_words import seconds

__all__ = ["held", "holds", "watchdogs_told"]

_BY: Final = " held the event loop"
_IN_WAITS: Final = ("model_silent", "voice_silent")
_MOST: Final = 20
"""Watchdogs told one by one."""


def holds(timeline: DetailedTimeline, start: float, end: float) -> list[Bark]:
    """When the event loop was held between two times."""
    return [
        bark for bark in timeline.barks if bark.kind == "loop_held" and bark.at - bark.waited < end and bark.at > start
    ]


def held(timeline: DetailedTimeline, bark: Bark) -> str:
    """How long, and by what."""
    return f"the loop was held {seconds(bark.waited)} {_by(timeline, bark)}"


def _by(timeline: DetailedTimeline, bark: Bark) -> str:
    where, found, _ = bark.detail.partition(_BY)
    if "text" in timeline.redacted:
        return "(by what was left out of the recording)"
    return f"by {plain(where, 200)}" if found and where != "something" else "(by what is not known)"


def watchdogs_told(timeline: DetailedTimeline, slow: Collection[int]) -> list[Explanation]:
    """What was waited for in vain.

    Args:
        timeline: the call.
        slow: numbers of turns whose wait is explained: what held the loop or was silent meanwhile is said there.
    """
    told = []
    numbers = {turn.answer: turn.number for turn in timeline.turns if turn.answer}
    explained: set[int] = set()
    for wait in waits(timeline):
        if wait.turn.number in slow:
            explained.update(map(id, holds(timeline, wait.start, wait.end)))
            explained.update(
                id(bark)
                for bark in timeline.barks
                if bark.kind in _IN_WAITS and wait.start <= bark.at <= wait.end and bark.answer == wait.turn.answer
            )
    for bark in timeline.barks:
        if id(bark) not in explained:
            say = _SAID.get(bark.kind, _unknown)
            told.append(Explanation(bark.at, "watchdog", say(timeline, bark), numbers.get(bark.answer, 0)))
    if len(told) > _MOST:
        rest = Explanation(told[_MOST].at, "watchdog", f"{len(told) - _MOST} more watchdogs barked from here on.")
        return [*told[:_MOST], rest]
    return told


def _for(timeline: DetailedTimeline, bark: Bark) -> str:
    for turn in timeline.turns:
        if turn.answer == bark.answer and turn.number:
            return f" in the answer to turn {turn.number}"
    return ""


def _limit(bark: Bark) -> str:
    return f"{seconds(bark.waited)} (the limit is {bark.limit:g} s)"


def _no_transcript(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s the caller had spoken, and nothing was recognised within {_limit(bark)}."


def _model_silent(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s the model had been silent for {_limit(bark)}{_for(timeline, bark)}."


def _voice_silent(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s the voice had been silent for {_limit(bark)}{_for(timeline, bark)}."


def _no_mark(timeline: DetailedTimeline, bark: Bark) -> str:
    more = f" ({plain(bark.detail, 200)})" if bark.detail and "text" not in timeline.redacted else ""
    return (
        f"No echo of a mark{_for(timeline, bark)} came for {_limit(bark)}: what was heard is worked out from the times "
        f"of sending{more}."
    )


def _no_audio(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s nothing had come from the carrier for {_limit(bark)}."


def _loop_held(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s {held(timeline, bark)}."


def _unknown(timeline: DetailedTimeline, bark: Bark) -> str:
    return f"At {bark.at:.1f} s {plain(bark.kind, 50)}: {_limit(bark)}."


_SAID: Final[dict[str, Callable[[DetailedTimeline, Bark], str]]] = {
    "no_transcript": _no_transcript,
    "model_silent": _model_silent,
    "voice_silent": _voice_silent,
    "no_mark": _no_mark,
    "no_audio": _no_audio,
    "loop_held": _loop_held,
}
