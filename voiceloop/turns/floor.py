"""The agent's side of a call: which answers are begun, which one sounds, and whether it is held. Pure."""

from __future__ import annotations

from enum import Enum

from voiceloop.turns.rules import Situation

__all__ = ["Agent", "Floor"]


class Agent(Enum):
    """What the agent does."""

    IDLE = "idle"
    THINKING = "thinking"
    """A turn is to be answered or an answer has begun, and nothing of it is heard yet."""
    SPEAKING = "speaking"
    HELD = "held"
    """It was to speak, or spoke, and is paused: the caller may be about to interrupt."""


class Floor:
    """Answers are named by any number not used before; times are seconds."""

    def __init__(self) -> None:
        self.asked = False
        """A turn ended and its answer has not begun."""
        self.answers: dict[int, bool] = {}
        """Begun and not over, in order; whether it is protected."""
        self.greetings: set[int] = set()
        """The answers that are the agent's first words."""
        self.sounding: int | None = None
        self.sounded = 0.0
        """When that one was first heard."""
        self.held: float | None = None
        """Since when the agent is paused; None when it is not."""
        self.tool_runs = False
        """A tool works for an answer."""

    @property
    def doing(self) -> Agent:
        """What it would do if it were not held: never `Agent.HELD`."""
        if self.sounding is not None:
            return Agent.SPEAKING
        return Agent.THINKING if self.asked or self.answers else Agent.IDLE

    @property
    def state(self) -> Agent:
        """What it does."""
        return self.doing if self.held is None else Agent.HELD

    @property
    def situation(self) -> Situation:
        """Which rule of `voiceloop.turns.rules` holds. Means nothing while it is idle."""
        if self.sounding is not None:
            protected = self.answers[self.sounding]
        else:
            protected = not self.asked and bool(self.answers) and all(self.answers.values())
        if protected:
            return Situation.PROTECTED
        if self.tool_runs:
            return Situation.TOOL
        first = next(iter(self.answers), None) if self.sounding is None else self.sounding
        if first in self.greetings:
            return Situation.GREETING
        return Situation.THINKING if self.sounding is None else Situation.SPEAKING

    @property
    def waits(self) -> bool:
        """Whether what may be paused comes behind what may not be interrupted. Means nothing while it is idle."""
        return self.situation is Situation.PROTECTED and bool(self.may_be_cut)

    @property
    def may_be_cut(self) -> tuple[int, ...]:
        """Answers that are not protected."""
        return tuple(answer for answer, protected in self.answers.items() if not protected)

    def began(self, answer: int, *, protected: bool, greeting: bool) -> None:
        """An answer has begun."""
        self.asked = False
        self.answers[answer] = protected
        if greeting:
            self.greetings.add(answer)

    def started(self, answer: int, at: float) -> bool:
        """An answer is heard. False when it is not one of those that are begun."""
        if answer not in self.answers:
            return False
        self.sounding, self.sounded = answer, at
        return True

    def over(self, answer: int) -> bool:
        """An answer is over. False when it was before."""
        if self.answers.pop(answer, None) is None:
            return False
        if self.sounding == answer:
            self.sounding = None
        if self.doing is Agent.IDLE:
            self.held = None
        return True

    def cut(self) -> tuple[int, ...]:
        """Take the floor away: returns the answers that are cut. Protected ones remain."""
        cut = self.may_be_cut
        self.answers = {answer: True for answer in self.answers if answer not in cut}
        self.sounding, self.held, self.asked = None, None, False
        return cut
