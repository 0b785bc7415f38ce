"""Turn-taking: who has the floor, and what follows from it. A state machine without I/O and without a clock.

Two regions, the caller and the agent, each with its state. Every decision is a deadline that holds in certain states;
all of them stand in one table, `_deadlines`. An event changes a state, then every deadline that has passed is acted
on, earliest first.

How to drive it: report every event, carry out the returned actions in order, then set the one timer to `deadline()`,
which calls `tick`. All times are seconds on one clock; `now` never falls; `at` says when a thing was, `now` when it
was learnt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from enum import Enum

from voiceloop.turns.events import (
    Action,
    EndTurn,
    HangUp,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Reprompt,
    TurnOptions,
)
from voiceloop.turns.speech import Speech

__all__ = ["Agent", "Caller", "TurnMachine", "TurnOptions"]

_NONE = (-1, -1)
_WORD = re.compile(r"[\w'’]+")


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
        """True after `HangUp`: nothing more is decided."""
        self.caller = Caller.SILENT
        self._speech = Speech()  # what was said and is in no turn yet
        self._started: float | None = None  # of that: the first sample
        self._spoke = 0.0  # first sample of the speech that goes on
        self._ended: float | None = None  # last sample of speech
        self._waiting = 0.0  # since when the recogniser is waited for
        self._settled = False  # it has answered for all audio
        self._turn = Speech()  # the last turn
        self._unanswered = False  # nothing of an answer to it was heard
        self._turn_text = ""
        self._turn_started = 0.0
        self._last = _NONE  # utterance and segment of the latest words that are in a turn
        self._last_before = _NONE  # the same before the last turn
        self._continued = False  # what was said includes a turn that was ended before
        self._withdrawn: tuple[int, ...] = ()  # answers to that, cut before they were known to be heard
        self._went_on: float | None = None  # of what was said since: the first sample
        self._revised = False  # the last turn's text changed after its end
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
        return self._speech.text

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
        self._started = at if self._started is None else self._started
        self._spoke = at
        self._speech.speech_started()
        self.caller = Caller.SPEAKING
        return self.tick(now)

    def speech_paused(self, now: float, at: float) -> list[Action]:
        """A first short silence; `at` is the last sample of speech. The recogniser has been told to settle."""
        self._started = at if self._started is None else self._started
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
    ) -> list[Action]:
        """The recogniser gave words (see `frames.Transcript`). `settled` must not come before its `speech_paused`."""
        late = utterance is not None and (utterance, segment) <= self._last
        if self._started is None or late:  # nothing was said since the last turn, or this is of before it
            known = self._hear_late(text, final=final, segment=segment, settled=settled, utterance=utterance)
            if known and self._started is None:
                return self.tick(now)
        if not late:  # else its turn was answered
            self._speech.hear(text, final=final, segment=segment, settled=settled, utterance=utterance)
        if self.caller is Caller.SILENT and self.pending:  # late, or of speech too faint for the detector
            self._started = now if self._started is None else self._started
            self._ended = now if self._ended is None else self._ended
            self._waiting = now
            self._settled = False
            self.caller = Caller.PAUSED
        if self.caller is Caller.PAUSED:
            self._settled = self._settled or settled
        return self.tick(now)

    def _hear_late(self, text: str, *, final: bool, segment: int, settled: bool, utterance: int | None) -> bool:
        """Whether a transcript is of the last turn, and only tells more of that."""
        if settled and self._turn.repeats(text, segment, utterance):
            self._revised = self._changed()
            return True
        if self._unheard() and self._turn.revises(segment, utterance):
            self._turn.hear(text, final=final, segment=segment, utterance=utterance)
            self._revised = final and self._changed()
            return True
        return False

    def _changed(self) -> bool:
        """Whether the words of the last turn are others than those it ended with; not how they are written."""
        return _words(self._turn.text) != _words(self._turn_text)

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
            self._unanswered = self._revised = False
        elif answer in self._withdrawn:
            self._last = max(self._last, self._speech.last_before or self._last)
            self._speech, self._started = self._speech.joined(), self._went_on
            self._withdrawn, self._continued, self._cut = (), False, True
        return self.tick(now)

    def agent_finished(self, now: float, answer: int, at: float) -> list[Action]:
        """The last sound of an answer was heard: for the conversation the answer is over."""
        return self._end(now, answer, min(at, now))

    def answer_ended(self, now: float, answer: int) -> list[Action]:
        """No sound of an answer will be heard (any more): it failed, was cut, was discarded or had none."""
        return self._end(now, answer, now)

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
        if self.over:
            return
        options, agent = self.options, self.agent
        if self._call_started is not None:
            yield self._call_started + options.max_length, self._too_long
        if self.caller is Caller.SPEAKING and self._interruptible():
            yield self._spoke + options.barge_in, self._interrupt
        if self.caller is Caller.PAUSED and agent is Agent.IDLE:
            yield self._turn_over(), self._end_turn
        if self.caller is Caller.PAUSED and self._unheard() and self.pending:
            yield self._turn_over(), self._interrupt  # more was said than was asked: ask anew
        if self._revised and self._unheard():
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
        if self._sounding is not None:
            return not self._answers[self._sounding]
        return self._asked or not all(self._answers.values())

    def _unheard(self) -> bool:
        """A turn is being answered, nothing of that was heard, and it may be asked anew."""
        return self._unanswered and self.agent is Agent.THINKING and self._interruptible()

    def _end_turn(self, now: float) -> Action | None:
        text, settled, silence = self.pending, self._settled, self._silence()
        started, ended, continued = self._started, self._ended, self._continued
        cut, self._cut = self._cut, False
        self.caller, self._started = Caller.SILENT, None
        if not text and settled:  # a noise: it does not count, the caller may be gone
            self._nudge = cut
            self._idle = now if cut else self._idle
            return None
        self._nudge, self._idle = False, now
        if not text:
            return NoTranscript()
        assert started is not None
        assert ended is not None
        self._turn, self._turn_text, self._turn_started = self._speech, text, started
        self._last_before, self._last = self._last, max(self._last, self._speech.last or self._last)
        self._speech, self._continued, self._revised, self._withdrawn = Speech(), False, False, ()
        self._asked, self._unanswered, self._reprompts = True, True, 0
        self._think(now)
        return EndTurn(text, started, ended, continued, silence)

    def _interrupt(self, now: float) -> Action:
        cut = tuple(answer for answer, protected in self._answers.items() if not protected)
        self._cut = self._cut or self._sounding is not None
        self._answers = {answer: True for answer in self._answers if answer not in cut}
        self._sounding, self._asked, self._idle = None, False, now
        if self._answers:
            self._think(now)
        if withdrawn := self._unanswered:  # nobody heard an answer to the last turn: the caller goes on
            self._withdrawn, self._went_on = cut if self._turn.join(self._speech) else (), self._started
            self._speech, self._turn = self._turn, Speech()
            self._last = self._last_before
            self._started, self._continued = self._turn_started, True
            self._unanswered = self._revised = False
            if self.caller is Caller.SILENT:
                self.caller, self._settled = Caller.PAUSED, True
        return Interrupt(cut, withdrawn)

    def _model_silent(self, now: float) -> Action:
        self._told, self._asked, self._idle = True, False, now
        return ModelSilent()

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


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
