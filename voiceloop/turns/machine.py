"""Turn-taking: who has the floor, and what follows from it. A state machine without I/O and without a clock.

Two regions, the caller and the agent, each with its state. Every decision is a deadline that holds in certain states;
all of them stand in one table, `_deadlines`. An event changes a state, then every deadline that has passed is acted
on, earliest first.

How to drive it: report every event, carry out the returned actions in order, then set the one timer to `deadline()`,
which calls `tick`. All times are seconds on one clock; `now` never falls; `at` says when a thing was, `now` when it
was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import Enum

from voiceloop.turns.events import (
    Action,
    Correct,
    EndTurn,
    HangUp,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Reprompt,
    TurnOptions,
)
from voiceloop.turns.said import Said

__all__ = ["Agent", "Caller", "TurnMachine", "TurnOptions"]


class Caller(Enum):
    SILENT = "silent"
    """Does not speak, and all that was said is dealt with."""
    SPEAKING = "speaking"
    PAUSED = "paused"
    """Does not speak, and what was said is not dealt with yet: it may go on, and the recogniser may still answer."""


class Agent(Enum):
    IDLE = "idle"
    THINKING = "thinking"
    """A turn is to be answered or an answer has begun, and nothing of it is heard yet."""
    SPEAKING = "speaking"


class TurnMachine:
    """Decides when the caller's turn is over, when the agent is interrupted, and what to do about silence."""

    def __init__(self, options: TurnOptions | None = None, unfinished: Collection[str] = ()) -> None:
        self.options = options or TurnOptions()
        self.unfinished = unfinished
        """Words, in lower case, with which nobody ends a turn."""
        self.over = False
        """True after `HangUp`: nothing more is decided, but that the caller may cut what is being said."""
        self.ending = False
        """Set it while the call ends by itself: its last words are not interrupted."""
        self.caller = Caller.SILENT
        self.said = Said()
        self._spoke = 0.0  # first sample of the speech that goes on
        self._ended: float | None = None  # last sample of speech
        self._waiting = 0.0  # since when the recogniser is waited for
        self._settled = False  # it has answered for all audio
        self._asked = False  # a turn ended and its answer has not begun
        self._answers: dict[int, bool] = {}  # begun and not over, in order; whether it is protected
        self._sounding: int | None = None
        self._thinking = 0.0  # since when the first sound of an answer is waited for
        self._told = False  # that the model is silent
        self._call_started: float | None = None
        self._idle = 0.0  # since when nobody does anything
        self._cut = False  # the agent was cut short by what may turn out to be a noise
        self._nudge = False  # it was one
        self._reprompts = 0

    # --- states ---

    @property
    def agent(self) -> Agent:
        if self._sounding is not None:
            return Agent.SPEAKING
        return Agent.THINKING if self._asked or self._answers else Agent.IDLE

    @property
    def pending(self) -> str:
        """What was said and is in no turn yet."""
        return self.said.text

    def deadline(self) -> float | None:
        """When `tick` must be called, seconds; None when only an event can change anything."""
        return min((when for when, _ in self._deadlines()), default=None)

    # --- events: the caller ---

    def call_started(self, now: float) -> list[Action]:
        """The call is up. Silence and the length of the call count from here."""
        self._call_started = self._idle = now
        return self.tick(now)

    def speech_started(self, now: float, at: float) -> list[Action]:
        """Voice activity began; `at` is its first sample."""
        self.said.began(at)
        self._spoke = at
        self.caller = Caller.SPEAKING
        return self.tick(now)

    def speech_paused(self, now: float, at: float) -> list[Action]:
        """A first short silence; `at` is the last sample of speech. The recogniser has been told to settle."""
        self.said.sounded(at)
        self._ended = self._waiting = at
        self._settled = False
        self.caller = Caller.PAUSED
        return self.tick(now)

    def transcript(
        self,
        now: float,
        text: str,
        *,
        final: bool = False,
        segment: int = 0,
        settled: bool = False,
        utterance: int | None = None,
        anew: bool = False,
    ) -> list[Action]:
        """The recogniser gave words (see `frames.Transcript`). `settled` must not come before its `speech_paused`."""
        fresh = self.said.hear(
            text,
            final=final,
            segment=segment,
            settled=settled,
            utterance=utterance,
            open_turn=self._unheard(),
            anew=anew,
        )
        if fresh and self.caller is Caller.SILENT and self.pending:  # late, or of speech too faint for the detector
            self.said.sounded(now)
            self._ended = now if self._ended is None else self._ended
            self._waiting = now
            self._settled = False
            self.caller = Caller.PAUSED
        if fresh and self.caller is Caller.PAUSED:
            self._settled = self._settled or settled
        return [*self._corrections(), *self.tick(now)]

    def digit(self, now: float) -> list[Action]:
        """The caller pressed a key: they are there."""
        self._reprompts = 0
        self._idle = now
        return self.tick(now)

    # --- events: the agent ---

    def answer_began(self, now: float, answer: int, *, protected: bool = False) -> list[Action]:
        """An answer (any number not used before) has begun, to a turn or by itself. A protected one is not
        interrupted."""
        if self.agent is Agent.IDLE:
            self._think(now)
        self._asked = self._nudge = False
        self._answers[answer] = protected
        return self.tick(now)

    def agent_started(self, now: float, answer: int, at: float) -> list[Action]:
        """The first sound of an answer was heard. Unknown answers, also interrupted ones, are ignored, but for one that
        was cut before this news of it came: what the caller said since is a turn of its own then."""
        if answer in self._answers:
            self._sounding = answer
            self.said.answered()
        elif self.said.was_heard(answer):
            self._cut = True
        return [*self._corrections(), *self.tick(now)]

    def agent_finished(self, now: float, answer: int, at: float) -> list[Action]:
        """The last sound of an answer was heard: for the conversation the answer is over."""
        return self._end(now, answer, min(at, now))

    def answer_ended(self, now: float, answer: int) -> list[Action]:
        """No sound of an answer will be heard (any more): it failed, was cut, was discarded or had none."""
        return self._end(now, answer, now)

    def call_ended(self) -> list[Correct]:
        """The call is over, and nothing is decided any more; what is still to be put right."""
        self.said.settle()
        return self._corrections()

    def _corrections(self) -> list[Correct]:
        return [Correct(before, after) for before, after in self.said.corrections()]

    # --- time ---

    def tick(self, now: float) -> list[Action]:
        """Act on every deadline that has passed."""
        actions: list[Action] = []
        while passed := [(when, act) for when, act in self._deadlines() if when <= now]:
            _, act = min(passed, key=lambda pair: pair[0])
            action = act(now)
            if action is not None:
                actions.append(action)
        return actions

    # --- decisions ---

    def _deadlines(self) -> Iterator[tuple[float, Callable[[float], Action | None]]]:
        """Every decision that is open in these states: when it falls, and what it is."""
        options, agent = self.options, self.agent
        if self.caller is Caller.SPEAKING and self._interruptible():
            yield self._spoke + options.barge_in, self._interrupt
        if self.over:
            return
        if self._call_started is not None:
            waits = agent is Agent.THINKING and not self._told  # a goodbye must not overtake an answer
            yield self._call_started + options.max_length + waits * options.model_limit, self._too_long
        if self.caller is Caller.SPEAKING and agent is Agent.IDLE and not self.pending:
            yield max(self._spoke, self._idle) + options.speech_limit, self._wordless
        if self.caller is Caller.PAUSED and agent is Agent.IDLE:
            yield self._turn_over(), self._end_turn
        if self.caller is Caller.PAUSED and self._unheard() and self.pending:
            yield self._turn_over(), self._interrupt  # more was said than was asked: ask anew
        if self.said.revised and self._unheard():
            yield self._waiting, self._interrupt
        if agent is Agent.THINKING and not self._told:
            yield self._thinking + options.model_limit, self._model_silent
        if agent is Agent.IDLE and self.caller is Caller.SILENT and self._call_started is not None:
            if self._nudge:
                yield self._idle + options.nudge_after, self._noise
            else:
                yield self._idle + options.reprompt_after, self._caller_silent

    def _turn_over(self) -> float:
        assert self._ended is not None
        silent = self._ended + self._silence()
        return silent if self._settled else max(silent, self._waiting + self.options.settle_limit)

    def _silence(self) -> float:
        """How long a silence ends the turn, by what was said so far."""
        words = self.pending.rsplit(None, 1)[-1:]
        more = bool(words) and words[0].rstrip(".,…").casefold() in self.unfinished
        return max(self.options.silence, self.options.unfinished) if more else self.options.silence

    def _interruptible(self) -> bool:
        if self.ending:
            return False
        if self._sounding is not None:
            return not self._answers[self._sounding]
        return self._asked or not all(self._answers.values())

    def _unheard(self) -> bool:
        """A turn is being answered, nothing of that was heard, and it may be asked anew."""
        return self.said.unanswered and self.agent is Agent.THINKING and self._interruptible()

    def _end_turn(self, now: float) -> Action | None:
        text, settled, silence, ended = self.pending, self._settled, self._silence(), self._ended
        cut, self._cut = self._cut, False
        self.caller = Caller.SILENT
        assert ended is not None
        if not text:
            self.said.nothing()
            if settled:  # a noise: it does not count, the caller may be gone
                self._nudge = cut
                self._idle = now if cut else self._idle
                return None
        self._nudge, self._idle = False, now
        if not text:
            return NoTranscript(waited=now - ended, limit=self.options.settle_limit)
        text, started, continued = self.said.end_turn()
        self._asked, self._reprompts = True, 0
        self._think(now)
        return EndTurn(text, started, ended, continued, silence)

    def _interrupt(self, now: float) -> Action:
        cut = tuple(answer for answer, protected in self._answers.items() if not protected)
        self._cut = self._cut or self._sounding is not None
        self._answers = {answer: True for answer in self._answers if answer not in cut}
        self._sounding, self._asked, self._idle = None, False, now
        if self._answers:
            self._think(now)
        if withdrawn := self.said.unanswered:  # nobody heard an answer to the last turn: the caller goes on
            self.said.take_back(cut)
            if self.caller is Caller.SILENT:
                self.caller, self._settled = Caller.PAUSED, True
        return Interrupt(cut, withdrawn)

    def _model_silent(self, now: float) -> Action:
        self._told, self._asked, self._idle = True, False, now
        return ModelSilent(now - self._thinking, self.options.model_limit)

    def _wordless(self, now: float) -> Action:
        waited, self._idle = now - max(self._spoke, self._idle), now
        if self._reprompts >= self.options.reprompts:
            self.over = True
            return HangUp("not understood")
        self._reprompts += 1
        return NoTranscript(speaking=True, waited=waited, limit=self.options.speech_limit)

    def _noise(self, now: float) -> Action:
        self._nudge, self._idle = False, now
        return Nudge()

    def _caller_silent(self, now: float) -> Action:
        self._idle = now
        if self._reprompts >= self.options.reprompts:
            self.over = True
            return HangUp("caller silent")
        self._reprompts += 1
        return Reprompt(self._reprompts)

    def _too_long(self, now: float) -> Action:
        self.over = True
        return HangUp("max length")

    # --- the agent's region ---

    def _think(self, now: float) -> None:
        self._thinking, self._told = now, False

    def _end(self, now: float, answer: int, at: float) -> list[Action]:
        if self._answers.pop(answer, None) is not None:
            if self._sounding == answer:
                self._sounding = None
            if self._answers:
                self._think(now)
            self._idle = max(self._idle, at)
        return self.tick(now)
