"""Speech over the agent: when it pauses the agent, when it interrupts it, and when the agent goes on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from voiceloop.turns.cue_words import only_backchannels, stops_at_once
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.floor import Floor
from voiceloop.turns.listening import Caller, Listening
from voiceloop.turns.rules import Rule, Situation

__all__ = ["Interruptions", "Step"]

WORN_OUT: Final = 4.0
"""Speech must last up to so many times as long to pause an answer once noises have paused it in vain."""


class Step(Enum):
    """What is to happen to the agent."""

    HOLD = "hold"
    RELEASE = "release"
    INTERRUPT = "interrupt"


class Interruptions:
    """Decides about speech over the agent, by the rule for what the agent is doing.

    Args:
        options: how long speech must last.
        rules: of all situations.
        heard: the caller's side.
        floor: the agent's side.
    """

    def __init__(self, options: TurnOptions, rules: Mapping[Situation, Rule], heard: Listening, floor: Floor) -> None:
        self._options = options
        self._rules = rules
        self._heard = heard
        self._floor = floor
        self._held_for: float | None = None  # first sample of the speech that paused the agent last
        self._strain = 1.0  # how many times longer speech must be to pause it again

    @property
    def rule(self) -> Rule:
        """What interrupts the agent now. Means nothing while it is idle."""
        return self._rules[self._floor.situation]

    @property
    def only_listens(self) -> bool:
        """What was said and is in no turn only shows that the caller listens."""
        return self._listens(more=False)

    def _listens(self, *, more: bool) -> bool:
        greeting = self._floor.situation is Situation.GREETING
        return only_backchannels(self._heard.pending, self._heard.cues, greeting=greeting, more=more)

    def deadlines(self) -> Iterator[tuple[float, Step]]:
        """What may happen to an agent that has the floor and may be interrupted, and when, seconds."""
        options, heard, rule = self._options, self._heard, self.rule
        speaks, held = heard.caller is Caller.SPEAKING, self._floor.held
        if rule.interrupted_by == "speech":
            if speaks:
                yield heard.spoke + options.barge_in, Step.INTERRUPT
            elif held is not None:  # by another rule, which held then
                yield held, Step.RELEASE
            return
        if heard.over_agent and self._takes_the_floor(rule):
            yield heard.worded, Step.INTERRUPT
            return
        if speaks and rule.interrupted_by == "long speech":
            yield heard.spoke + options.certain, Step.INTERRUPT
        if held is None:
            if speaks and self._held_for != heard.spoke:
                yield heard.spoke + options.barge_in * self._strain, Step.HOLD
            return
        yield held + options.certain + options.confirm, Step.RELEASE
        if not speaks and heard.ended is not None:
            yield heard.ended + (0.0 if heard.settled else options.confirm), Step.RELEASE

    def _takes_the_floor(self, rule: Rule) -> bool:
        """Whether what was said over the agent is meant to interrupt it."""
        text = self._heard.pending
        if not text:
            return False
        if rule.backchannels or stops_at_once(text, self._heard.cues):
            return True
        # Interim results come word by word: "I" may be the beginning of "I see" until all is recognised.
        heard = self._heard
        more = heard.caller is Caller.SPEAKING or not heard.settled
        return heard.lasted > self._options.certain or not self._listens(more=more)

    # --- what has happened ---

    def hold(self, now: float) -> None:
        """The agent is paused."""
        self._floor.held, self._held_for = now, self._heard.spoke

    def release(self, now: float) -> None:
        """It goes on: nobody has interrupted. Who makes a noise again must make it for longer."""
        self._floor.held = None
        heard = self._heard
        if heard.caller is Caller.SPEAKING and heard.spoke + self._options.barge_in * self._strain <= now:
            self._held_for = heard.spoke  # begun while it was paused: it would pause it again at once
        if not self._heard.pending:
            self._strain = min(2 * self._strain, WORN_OUT)

    def rest(self) -> None:
        """The agent has lost the floor, or given it back: noises are forgotten."""
        self._strain = 1.0
