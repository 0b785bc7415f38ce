"""Which state of turn-taking may follow which, and when: the table that the picture in the docs is drawn from.

A test runs the machine on random events and compares: nothing happens that is not here, and all that is here happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from voiceloop.turns.floor import Agent
from voiceloop.turns.machine import Caller

__all__ = ["AGENT", "CALLER", "Transition"]

S = TypeVar("S", Caller, Agent)


@dataclass(frozen=True, slots=True)
class Transition(Generic[S]):
    """One arrow."""

    before: S
    after: S
    when: str
    """What happened, for people."""


CALLER: Final[Sequence[Transition[Caller]]] = (
    Transition(Caller.SILENT, Caller.SPEAKING, "speech"),
    Transition(Caller.SPEAKING, Caller.PAUSED, "a first short silence"),
    Transition(Caller.PAUSED, Caller.SPEAKING, "speech again"),
    Transition(Caller.PAUSED, Caller.SILENT, "turn over; backchannel; a noise"),
    Transition(Caller.SILENT, Caller.PAUSED, "late words"),
)
AGENT: Final[Sequence[Transition[Agent]]] = (
    Transition(Agent.IDLE, Agent.THINKING, "turn over; an answer begins"),
    Transition(Agent.THINKING, Agent.SPEAKING, "first sound heard"),
    Transition(Agent.THINKING, Agent.IDLE, "ended without sound; model silent; interrupted"),
    Transition(Agent.SPEAKING, Agent.IDLE, "last sound heard; interrupted"),
    Transition(Agent.SPEAKING, Agent.THINKING, "another answer is behind"),
    Transition(Agent.THINKING, Agent.HELD, "speech for barge_in"),
    Transition(Agent.SPEAKING, Agent.HELD, "speech for barge_in"),
    Transition(Agent.HELD, Agent.THINKING, "a noise or a backchannel"),
    Transition(Agent.HELD, Agent.SPEAKING, "a noise or a backchannel"),
    Transition(Agent.HELD, Agent.IDLE, "words: interrupted"),
)
