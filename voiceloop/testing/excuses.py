"""What a thing that was made to go wrong excuses: the one table of it.

A fault explains what must follow from it, and nothing else: a call must end, once, and leave nothing, whatever happens.
Whoever injects faults of their own gives them ``excuses``, a mapping like the values of `EXCUSES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence

__all__ = ["EXCUSES", "excused", "name_of", "stood_still"]

AGREES: Final = "the conversation agrees"
HELD: Final = "who is held is let go"
ON: Final = "who was held goes on"
AHEAD: Final = "no more is sent ahead than stated"
HOLE: Final = "no hole in an answer"
LATENCY: Final = "latency parts sum"
LEFT: Final = "nothing is left"
MEMORY: Final = "memory is what was heard"
SILENCE: Final = "nobody waits in silence"
STOPS: Final = "the agent stops for the caller"
WORDS: Final = "every word recognised is recorded"

ALWAYS: Final = float("inf")
"""To the end of the call."""
BEFORE: Final = 1.5
"""Seconds before a fault in which what it explains may have begun: an answer, or a word of the caller's."""

_LATE = {STOPS: 2.0, LATENCY: 5.0, HOLE: 1.0, MEMORY: 3.0, AHEAD: 2.0, ON: 3.0}
_UNHEARD = {STOPS: 2.0, LATENCY: 5.0}
_GONE = {MEMORY: ALWAYS, STOPS: ALWAYS, LATENCY: ALWAYS, ON: ALWAYS}
_MARKS = {MEMORY: ALWAYS, LATENCY: ALWAYS, STOPS: ALWAYS, AHEAD: ALWAYS, WORDS: ALWAYS, ON: ALWAYS}
_NOISE = {STOPS: 2.0, LATENCY: 5.0, SILENCE: 2.0}
_STALL = {STOPS: 1.0, LATENCY: 2.0, AHEAD: 1.0}
_SLOW_VOICE = {HOLE: 15.0}
_TIMELESS = {MEMORY: 30.0, HOLE: 15.0, ON: 30.0}
_OWN_CODE = {
    MEMORY: ALWAYS,
    HELD: ALWAYS,
    ON: ALWAYS,
    AGREES: ALWAYS,
    STOPS: ALWAYS,
    HOLE: ALWAYS,
    LATENCY: ALWAYS,
    WORDS: ALWAYS,
}

EXCUSES: Final[Mapping[str, Mapping[str, float]]] = {
    # The line. What comes late, from either side.
    "late": _LATE,
    "bunched": _LATE,
    "lost": _UNHEARD,
    "doubled": _UNHEARD,
    # What was heard behind a break nobody can tell.
    "cut to server": _GONE,
    "cut from server": _GONE,
    "closed": _GONE,
    "half-open": {**_GONE, SILENCE: ALWAYS},
    "rubbish": _UNHEARD,
    # Marks are how the call knows what was heard.
    "marks early": _MARKS,
    "marks late": _MARKS,
    "marks never": _MARKS,
    "marks doubled": _MARKS,
    "marks swapped": _MARKS,
    "stray mark": _MARKS,
    # Nobody can tell this from speech.
    "line echo": _NOISE,
    "noise": _NOISE,
    # The process.
    "stall": _STALL,
    # Recognisers.
    "stt old utterance": {WORDS: ALWAYS},
    "stt repeated final": {WORDS: ALWAYS},
    "stt after the flush": {WORDS: ALWAYS, LATENCY: 5.0},
    "stt wrong flush": {WORDS: ALWAYS},
    "stt garbage": {WORDS: ALWAYS},
    # Models.
    "llm control characters": {MEMORY: 30.0, AGREES: ALWAYS},
    # Voices.
    "tts late": _SLOW_VOICE,
    "tts slow": _SLOW_VOICE,
    "tts stalled": _SLOW_VOICE,
    "tts deaf": {**_SLOW_VOICE, LEFT: ALWAYS},
    "tts cut": _SLOW_VOICE,
    "tts cancelled": _SLOW_VOICE,
    "tts rate limited": _SLOW_VOICE,
    "tts wrong type": _SLOW_VOICE,
    "tts wrong audio": _SLOW_VOICE,
    "tts only words": _TIMELESS,
    "tts ended": _SLOW_VOICE,
    "tts no words": _TIMELESS,
    "tts words backwards": _TIMELESS,
    "tts words beyond": _TIMELESS,
    "tts words before": _TIMELESS,
    "tts words nan": _TIMELESS,
    "tts words infinite": _TIMELESS,
    "tts long piece": _SLOW_VOICE,
    "tts endless silence": _SLOW_VOICE,
    # What swallows cancellation is left, by name.
    "stt deaf": {LEFT: ALWAYS},
    "llm deaf": {LEFT: ALWAYS},
    "tool deaf": {LEFT: ALWAYS},
    "handler deaf": {**_OWN_CODE, LEFT: ALWAYS},
    # Code of the user's own that holds the loop is a stall; a handler that fails has not done its work.
    "tool block": _STALL,
    "handler block": _STALL,
    "handler raise": _OWN_CODE,
    "handler cancelled": _OWN_CODE,
    "handler slow": _OWN_CODE,
    "handler hang": _OWN_CODE,
}
"""By the name of a fault: which invariants it excuses, and for how many seconds after it was over."""


def name_of(fault: object) -> str:
    """The name of a fault in `EXCUSES`: its kind, or what it is of and what happens."""
    if isinstance(fault, str):
        return fault
    kind = getattr(fault, "kind", "")
    return str(kind) if kind else f"{getattr(fault, 'of', '')} {getattr(fault, 'what', '')}".strip()


def excused(violation: Violation, evidence: Evidence, bounds: Bounds) -> bool:
    """Whether something that was made to go wrong explains it."""
    for at, fault in evidence.faults:
        excuses: Mapping[str, float] = getattr(fault, "excuses", None) or EXCUSES.get(name_of(fault), {})
        after = excuses.get(violation.invariant)
        if after is not None and _explains(violation, at, _lasted(fault) + after):
            return True
    if violation.invariant != HOLE:
        return False
    return any(
        seconds > bounds.lead - _STEP and _explains(violation, at, seconds + 1.0)
        for at, seconds in stood_still(evidence)
    )


def stood_still(evidence: Evidence) -> list[tuple[float, float]]:
    """When the process stood still, and for how long; stalls that follow each other at once are one."""
    found: list[tuple[float, float]] = []
    for at, fault in sorted(evidence.faults, key=lambda injected: injected[0]):
        if name_of(fault) not in _STALLS:
            continue
        if found and at - sum(found[-1]) < _AT_ONCE:
            found[-1] = (found[-1][0], at + _lasted(fault) - found[-1][0])
        else:
            found.append((at, _lasted(fault)))
    return found


_STEP: Final = 0.4
"""Seconds of the lead that may be free before more is sent (`PlayoutOptions.step`)."""
_STALLS: Final = ("stall", "tool block", "handler block")
_AT_ONCE: Final = 0.02
"""Seconds between two stalls in which nothing that is sent leaves the process."""


def _explains(violation: Violation, at: float, lasted: float) -> bool:
    return violation.at is None or _meets(violation, at - BEFORE, at + lasted)


def _meets(violation: Violation, start: float, end: float) -> bool:
    assert violation.at is not None
    until = violation.at if violation.until is None else violation.until
    return violation.at <= end and until >= start


def _lasted(fault: object) -> float:
    """How long it went on, seconds; to the end of the call for what does not say."""
    lengths = [getattr(fault, name, 0.0) for name in ("length", "by", "seconds")]
    if None in lengths:
        return ALWAYS
    return float(sum(lengths)) + 0.02 * float(getattr(fault, "count", None) or 0)
