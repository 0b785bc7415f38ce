"""What a test gets to see of what the caller heard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from voiceloop.audio.levels import level
from voiceloop.latency import Latency, latency_of
from voiceloop.sim.artificial import HeardWord
from voiceloop.sim.caller import Interrupted
from voiceloop.sim.playback import QUIET, RATE

if TYPE_CHECKING:
    from voiceloop.answer import Answer

__all__ = ["BargeIn", "Reply", "parts_of"]

_QUIET_RUN: Final = re.compile(b"[" + re.escape(QUIET) + b"]+")
_EARLY: Final = 0.05  # seconds that an estimate by marks may lie before the truth
_LATE: Final = 2.0  # seconds that the news of the first sound may be on their way


@dataclass(slots=True, frozen=True)
class Reply:
    """What the agent said, as the caller heard it."""

    text: str
    """The words that were heard whole, read from the audio; empty when the agent's voice is not an artificial one."""
    audio: bytes = field(repr=False)
    """Mu-law, 8000 Hz, from the first to the last sound."""
    started: float
    """When the first sound was heard, seconds on the loop's clock."""
    ended: float
    """When the last sound had been heard."""
    latency: float | None
    """Seconds from the end of the caller's last speech to the first sound; None when the caller had not spoken."""
    parts: Latency | None = None
    """What that wait was made of, as the library measured it by marks; None for what answers no turn of the caller."""
    words: tuple[HeardWord, ...] = field(default=(), repr=False)
    """Every word that was heard, also those that were cut, with the samples of `audio` that it took."""

    @property
    def duration(self) -> float:
        """Seconds from the first to the last sound."""
        return len(self.audio) / RATE

    @property
    def level(self) -> float:
        """How loud it was, pauses included, dBFS RMS. Speech on a phone line lies around -20 to -30."""
        return level(self.audio)

    def silences(self, least: float = 0.3) -> list[tuple[float, float]]:
        """Pauses of at least `least` seconds inside it: when each began on the loop's clock, and its seconds."""
        return [
            (self.started + run.start() / RATE, (run.end() - run.start()) / RATE)
            for run in _QUIET_RUN.finditer(self.audio)
            if run.end() - run.start() >= least * RATE
        ]


@dataclass(slots=True, frozen=True)
class BargeIn(Interrupted):
    """How the agent took being spoken over."""

    text: str = ""
    """The words of the agent that were heard whole before it stopped; empty when its voice is not an artificial one."""

    @property
    def stopped_after(self) -> float:
        """Seconds that the agent was still heard after the caller's first sound."""
        return self.agent_stopped - self.speech.speech_started


def parts_of(answers: Iterable[Answer], started: float, ended: float) -> Latency | None:
    """The parts of the wait for what was heard from `started` to `ended`: of the first turn that was answered there."""
    heard = []
    for answer in answers:
        played = answer.milestones.get("played")
        if played is not None and answer.turn is not None and started - _EARLY <= played <= ended + _LATE:
            heard.append((played, answer.milestones, answer.turn))
    if not heard:
        return None
    _, milestones, turn = min(heard, key=lambda each: each[0])
    return latency_of({**milestones, "ended": turn.ended, "endpointed": turn.endpointed, "decided": turn.decided})
