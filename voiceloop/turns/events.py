"""What turn-taking is set to, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "Action",
    "EndTurn",
    "HangUp",
    "Interrupt",
    "ModelSilent",
    "NoTranscript",
    "Nudge",
    "Reprompt",
    "TurnOptions",
]


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """When a turn is over, when the agent is interrupted, and how long anything is waited for. All in seconds."""

    silence: float = 0.5
    """So long after the last sample of speech the turn is over, if the recogniser has answered for all audio."""
    unfinished: float = 1.2
    """The same after a word that nobody ends with ("and", "um"): see `Cues.unfinished`. Never less than `silence`."""
    settle_limit: float = 2.0
    """So long after the last sample of speech the recogniser is no longer waited for."""
    barge_in: float = 0.12
    """So much continuous speech interrupts the agent, counted from its first sample."""
    nudge_after: float = 1.0
    """So long after a noise that cut the agent short, with nobody speaking, it is to say something again."""
    reprompt_after: float = 7.0
    """So long after the agent has finished, with nobody speaking, the caller is asked whether they are there."""
    reprompts: int = 2
    """How often in a row; after that the call is hung up."""
    model_limit: float = 10.0
    """So long after a turn's end (or an answer's begin) the first sound of an answer is waited for."""
    max_length: float = 1800.0
    """The longest call."""

    def __post_init__(self) -> None:
        waits = (self.silence, self.unfinished, self.settle_limit, self.barge_in, self.nudge_after, self.reprompt_after)
        if min(*waits, self.model_limit, self.max_length) <= 0 or self.reprompts < 0:
            raise ValueError(f"all waits must be positive and reprompts not negative, got {self}")


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The caller has finished a turn: answer it."""

    text: str
    """What was said, utterances joined by a space; never empty."""
    started: float
    """When the caller began to speak, seconds."""
    ended: float
    """When the last sample of speech was spoken, seconds."""
    continued: bool = False
    """True when it replaces the turn before: nobody heard an answer to that, and its text is part of this one."""
    silence: float = field(default=0.0, compare=False)
    """Seconds of silence that ended it."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller spoke over the agent: cut these answers, and whatever is being prepared for the last turn."""

    answers: tuple[int, ...]
    """Empty when the turn's answer had not begun."""
    withdrawn: bool = False
    """True when nobody heard an answer to the last turn: the next one will contain it."""


@dataclass(frozen=True, slots=True)
class NoTranscript:
    """The caller spoke, and the recogniser gave nothing within its limit: say so."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """A noise cut the agent short and nobody speaks: go on, or ask."""


@dataclass(frozen=True, slots=True)
class Reprompt:
    """Nobody has spoken for a while: ask whether the caller is there."""

    n: int
    """How many times in a row, from 1."""


@dataclass(frozen=True, slots=True)
class ModelSilent:
    """No sound of an answer within its limit: end what is being prepared and apologise. Once for each wait."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, after a word of goodbye. The last action ever."""

    reason: str
    """``caller silent`` or ``max length``."""


Action = EndTurn | Interrupt | NoTranscript | Nudge | Reprompt | ModelSilent | HangUp
"""What every event returns a list of, to be carried out in order."""
