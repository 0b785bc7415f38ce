"""What turn-taking is set to, and what it decides."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "Action",
    "Correct",
    "Discard",
    "EndTurn",
    "HangUp",
    "Hold",
    "Interrupt",
    "ModelSilent",
    "NoTranscript",
    "Nudge",
    "Release",
    "Reprompt",
    "SetAside",
    "Speculate",
    "TurnOptions",
]


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """When a turn is over, when the agent is interrupted, and how long anything is waited for. All in seconds."""

    silence: float = 0.5
    """So long after the last sample of speech `FixedSilence` ends the turn, if the recogniser has answered for all
    audio."""
    finished: float = 0.35
    """So long `AdaptiveEndpointing` waits after what sounds whole: "two lattes, please"."""
    unsure: float = 1.2
    """The same where nothing tells whether the caller is done. Never less than `finished`."""
    unfinished: float = 1.6
    """The same after what is not whole: a trailing "and" or "um", half a number. Never less than `unsure`."""
    speculations: int = 2
    """How often in one turn an answer is begun before it is certain that the caller is done; 0: never."""
    stable: float = 0.7
    """So long words must have stood unchanged to begin an answer while the line is not silent yet."""
    settle_limit: float = 2.0
    """So long after the last sample of speech the recogniser is no longer waited for."""
    speech_limit: float = 30.0
    """So long a caller may speak without a pause and without a word recognised: then it is noise."""
    barge_in: float = 0.12
    """So much continuous speech pauses the agent, counted from its first sample. See `voiceloop.turns.rules`."""
    certain: float = 1.0
    """So much continuous speech interrupts the agent, also without a word recognised."""
    confirm: float = 0.8
    """So long after the last sample of what paused the agent, with nothing recognised, the agent goes on."""
    aside: float = 1.0
    """So long after a backchannel the agent must still be speaking; else it was an answer."""
    nudge_after: float = 1.0
    """So long after a noise that cut the agent short, with nobody speaking, it is to say something again."""
    reprompt_after: float = 7.0
    """So long after the agent has finished, with nobody speaking, the caller is asked whether they are there."""
    reprompts: int = 2
    """How often in a row; after that the call is hung up."""
    model_limit: float = 10.0
    """So long after a turn's end (or an answer's begin) the first sound of an answer is waited for."""
    max_length: float = 1800.0
    """The longest call. An answer that is being prepared then is still waited for, `model_limit` at most; what is
    being said comes to its end."""

    def __post_init__(self) -> None:
        turn = (self.silence, self.finished, self.unsure, self.unfinished, self.stable, self.settle_limit)
        over_agent = (self.barge_in, self.certain, self.confirm, self.aside, self.nudge_after)
        limits = (self.speech_limit, self.reprompt_after, self.model_limit, self.max_length)
        if min(*turn, *over_agent, *limits) <= 0 or min(self.reprompts, self.speculations) < 0:
            raise ValueError(f"all waits must be positive, reprompts and speculations not negative, got {self}")


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
    guessed: float | None = field(default=None, compare=False)
    """When the `Speculate` was that came true, seconds; None when there was none."""
    why: str = field(default="", compare=False)
    """What made the silence as long as it was, for people."""


@dataclass(frozen=True, slots=True)
class Speculate:
    """What was said looks whole: begin an answer that is not heard before it is certain. `EndTurn` with `guessed` says
    that it is, `Discard` that it is not."""

    text: str
    """What was said; never empty."""
    started: float
    """When the caller began to speak, seconds."""
    ended: float
    """When the last sample of speech was spoken so far, seconds."""
    continued: bool = False
    """True when it takes the place of the turn before."""


@dataclass(frozen=True, slots=True)
class Discard:
    """The last `Speculate` was wrong: nothing of it is to be heard."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The caller may be interrupting: pause these answers. `Release` or `Interrupt` follows, unless they end."""

    answers: tuple[int, ...]
    """Empty when the turn's answer had not begun; one that begins meanwhile gets a `Hold` of its own."""


@dataclass(frozen=True, slots=True)
class Release:
    """Nobody has interrupted: these answers go on, from the first word that was not heard."""

    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """The caller has shown that they listen, and took no turn: keep it on record."""

    text: str
    started: float
    """First sample of it, seconds."""
    ended: float
    """Last sample of it, seconds."""


@dataclass(frozen=True, slots=True)
class Correct:
    """The recogniser has changed its mind about a turn whose answer was heard: put the record right."""

    before: str
    """What the turn was held to say."""
    text: str
    """What it said."""


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

    speaking: bool = False
    """True when they speak still, and cannot be waited for."""
    waited: float = field(default=0.0, compare=False)
    """Seconds since their last sample; when they speak still, since the first."""
    limit: float = field(default=0.0, compare=False)
    """What was set, seconds."""


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

    waited: float = field(default=0.0, compare=False)
    """Seconds since the turn's end, or the answer's begin."""
    limit: float = field(default=0.0, compare=False)
    """What was set, seconds."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, after a word of goodbye. Only `Interrupt` may follow: what is being said can still be cut."""

    reason: str
    """``caller silent``, ``not understood`` or ``max length``."""


Action = (
    EndTurn
    | Correct
    | Interrupt
    | NoTranscript
    | Nudge
    | Reprompt
    | ModelSilent
    | HangUp
    | Speculate
    | Discard
    | Hold
    | Release
    | SetAside
)
"""What every event returns a list of, to be carried out in order."""
