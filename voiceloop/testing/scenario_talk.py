"""What was said on the line and when, as a person on it would write it down; read from the sound itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from voiceloop.sim.playback import RATE

if TYPE_CHECKING:
    from voiceloop.sim.artificial import HeardWord, Lexicon
    from voiceloop.sim.carrier import Carrier

__all__ = ["Line", "talk"]

PAUSE: Final = 0.8
"""Seconds of silence between two things that were said."""
MAX_LINES: Final = 200
"""Lines that are kept of a call, the last ones."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was said, or done."""

    at: float
    """Seconds since the call began."""
    who: str
    """``agent`` or ``caller``."""
    text: str
    """A word that was cut ends in ``–``."""

    def __str__(self) -> str:
        return f"{self.at:7.1f} s  {self.who:6}  {self.text}"


def talk(carrier: Carrier, lexicon: Lexicon, others: list[Line]) -> list[Line]:
    """Both voices by time, with the keys that were pressed, and `others`. Words of other voices cannot be read."""
    lines = [*others]
    for who, audio in (("agent", carrier.heard), ("caller", carrier.said)):
        lines += _spoken(who, lexicon.listen(bytes(audio)))
    for entry in carrier.truth.log:
        if entry.kind == "dtmf":
            lines.append(Line(entry.at - carrier.truth.started, "caller", f"(presses {entry.detail})"))
    return sorted(lines, key=lambda line: line.at)[-MAX_LINES:]


def _spoken(who: str, words: list[HeardWord]) -> list[Line]:
    """Words as lines: a new one behind each pause."""
    lines: list[Line] = []
    said: list[str] = []
    start = end = 0
    for word in words:
        if said and word.start - end >= PAUSE * RATE:
            lines.append(Line(start / RATE, who, " ".join(said)))
            said = []
        start = start if said else word.start
        said.append(word.text if word.whole else f"{word.text}–")
        end = word.end
    return lines + ([Line(start / RATE, who, " ".join(said))] if said else [])
