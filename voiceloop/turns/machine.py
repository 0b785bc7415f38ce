"""Turn-taking: who has the floor, and what follows from it. A state machine without I/O and without a clock.

Two regions, the caller (`voiceloop.turns.listening`) and the agent (`voiceloop.turns.floor`), each with its state;
which may follow which stands in `voiceloop.turns.diagram`. Every decision is a deadline that holds in certain states;
all of them stand in one table, `_deadlines`. An event changes a state, then every deadline that has passed is acted on,
earliest first.

How to drive it: report every event, carry out the returned actions in order, then set the one timer to `deadline()`,
which calls `tick`. All times are seconds on one clock; `now` never falls; `at` says when a thing was, `now` when it
was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from voiceloop.language import Cues
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import (
    Action,
    Correct,
    Discard,
    EndTurn,
    HangUp,
    Hold,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Release,
    Reprompt,
    SetAside,
    Speculate,
    TurnOptions,
)
from voiceloop.turns.expect import Expect
from voiceloop.turns.floor import Agent, Floor
from voiceloop.turns.guess import Guess
from voiceloop.turns.interruptions import Interruptions, Step
from voiceloop.turns.keys import KeyOptions
from voiceloop.turns.listening import Caller, Listening
from voiceloop.turns.rules import RULES, Rule, Situation

__all__ = ["Agent", "Caller", "TurnMachine", "TurnOptions"]

WORD: Final = 0.3
"""Seconds of an answer that must have been heard for it to count as one: less holds no word."""

Act = Callable[[float], Iterator[Action]]


class TurnMachine:
    """Decides when the caller's turn is over, when the agent is interrupted, and what to do about silence.

    Args:
        options: silences and limits.
        cues: words of the language that tell something.
        endpointing: how long a silence ends a turn; default: always the same.
        rules: what interrupts the agent; all situations.
        keys: when what was entered on the keys is a turn; None: it never is, a key is only a sign of life.
    """

    def __init__(
        self,
        options: TurnOptions | None = None,
        cues: Cues | None = None,
        endpointing: Endpointing | None = None,
        rules: Mapping[Situation, Rule] = RULES,
        keys: KeyOptions | None = None,
    ) -> None:
        self.options = options or TurnOptions()
        self.over = False
        """True after `HangUp`: nothing more is decided, but that the caller may cut what is being said."""
        self.ending = False
        """Set it while the call ends by itself: its last words are not interrupted."""
        self.floor = Floor()
        self.heard = Listening(self.options, cues or Cues(), endpointing or FixedSilence(), keys)
        self._keys_awaited = False  # by somebody else
        self._over_agent = Interruptions(self.options, rules, self.heard, self.floor)
        self._guess = Guess()
        self._thinking = 0.0  # since when the first sound of an answer is waited for
        self._told = False  # that the model is silent
        self._call_started: float | None = None
        self._idle = 0.0  # since when nobody does anything
        self._cut = False  # the agent was cut short by what may turn out to be a noise
        self._nudge = False  # it was one
        self._reprompts = 0

    # --- states ---

    @property
    def caller(self) -> Caller:
        """What the caller does."""
        return self.heard.caller

    @property
    def agent(self) -> Agent:
        """What the agent does."""
        return self.floor.state

    @property
    def pending(self) -> str:
        """What was said and is in no turn yet."""
        return self.heard.pending

    def deadline(self) -> float | None:
        """When `tick` must be called, seconds; None when only an event can change anything."""
        return min((when for when, _ in self._deadlines()), default=None)

    # --- events: the caller ---

    def call_started(self, now: float, before: float = 0.0) -> list[Action]:
        """The call is up. Silence and the length of the call count from here; that is `before` s more, when it was on
        another line."""
        self._call_started, self._idle = now - before, now
        return self.tick(now)

    def expect(self, expected: Expect | None) -> None:
        """The bot says what the next turn will be like; it holds until that turn is over."""
        self.heard.expected = expected

    def speech_started(self, now: float, at: float) -> list[Action]:
        """Voice activity began; `at` is its first sample."""
        self.heard.speech_started(at, over_agent=self.floor.doing is not Agent.IDLE)
        return [*self._forget_guess(), *self.tick(now)]

    def speech_paused(self, now: float, at: float) -> list[Action]:
        """A first short silence; `at` is the last sample of speech. The recogniser has been told to settle."""
        self.heard.speech_paused(at)
        return self.tick(now)

    def judged(self, now: float, done: float) -> list[Action]:
        """`Endpointing.judge` has heard the end of what was said: how likely the caller is done, 0 to 1."""
        self.heard.judged(done)
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
        given_up: list[Action] = []
        if self.heard.transcript(
            now,
            text,
            final=final,
            segment=segment,
            settled=settled,
            utterance=utterance,
            anew=anew,
            open_turn=self._unheard(),
        ) and not self._guess.is_of(self.pending):
            given_up = self._forget_guess()
        return [*given_up, *self._corrections(), *self.tick(now)]

    def digit(self, now: float, key: str = "", *, secret: bool = False) -> list[Action]:
        """The caller pressed a key: they are there. Without `key` it is somebody else's, and in no turn."""
        self._reprompts = 0
        self._idle = now
        actions: list[Action] = []
        if key and (keys := self.heard.keys) is not None:
            self.heard.press(now, key, secret=secret)
            actions += self._forget_guess()
            if keys.options.interrupts and self.floor.doing is not Agent.IDLE and self._interruptible():
                actions += self._interrupt(now)
        return [*actions, *self.tick(now)]

    def keys_awaited(self, now: float, awaited: bool) -> list[Action]:
        """Somebody else waits for keys, or does not any more: meanwhile nobody need say anything."""
        self._keys_awaited = awaited
        self._idle = now
        if self.agent is Agent.THINKING:
            self._think(now)
        return self.tick(now)

    # --- events: the agent ---

    def answer_began(self, now: float, answer: int, *, protected: bool = False, greeting: bool = False) -> list[Action]:
        """An answer (any number not used before) has begun, to a turn or by itself. A protected one is not
        interrupted."""
        if self.floor.doing is Agent.IDLE:
            self._think(now)
        self._nudge = False
        self.heard.over_agent = self.heard.over_agent or self.caller is Caller.SPEAKING
        self.floor.began(answer, protected=protected, greeting=greeting)
        held: list[Action] = [Hold((answer,))] if self.agent is Agent.HELD and not protected else []
        return [*held, *self.tick(now)]

    def agent_started(self, now: float, answer: int, at: float) -> list[Action]:
        """The first sound of an answer was heard. Unknown answers, also interrupted ones, are ignored, but for one that
        was cut before this news of it came: what the caller said since is a turn of its own then."""
        if not self.floor.started(answer, at) and self.heard.said.was_heard(answer):
            self._cut = True
        return [*self._corrections(), *self.tick(now)]

    def agent_finished(self, now: float, answer: int, at: float) -> list[Action]:
        """The last sound of an answer was heard: for the conversation the answer is over."""
        if self.floor.sounding == answer:
            self.heard.said.answered()
        return [*self._corrections(), *self._end(now, answer, min(at, now))]

    def answer_ended(self, now: float, answer: int) -> list[Action]:
        """No sound of an answer will be heard (any more): it failed, was cut, was discarded or had none."""
        return self._end(now, answer, now)

    def call_ended(self) -> list[Correct]:
        """The call is over, and nothing is decided any more; what is still to be put right."""
        self.heard.keys_end()
        self.heard.said.settle()
        return self._corrections()

    def _corrections(self) -> list[Correct]:
        return [Correct(before, after) for before, after in self.heard.said.corrections()]

    # --- time ---

    def tick(self, now: float) -> list[Action]:
        """Act on every deadline that has passed."""
        actions: list[Action] = []
        while passed := [(when, act) for when, act in self._deadlines() if when <= now]:
            _, act = min(passed, key=lambda pair: pair[0])
            actions += act(now)
        return actions

    # --- decisions ---

    def _deadlines(self) -> Iterator[tuple[float, Act]]:
        """Every decision that is open in these states: when it falls, and what it is."""
        options, heard, agent, idle = self.options, self.heard, self.floor.state, self.floor.doing is Agent.IDLE
        if not idle and self._interruptible():
            for when, step in self._over_agent.deadlines():
                yield when, self._act_of(step)
        elif self.floor.held is not None and not self.floor.waits:
            yield self.floor.held, self._release  # nothing interrupts any more what was paused when something did
        if agent is Agent.SPEAKING and heard.said.unanswered:
            yield self.floor.sounded + WORD, self._answered
        if self.over:
            return
        if self._call_started is not None:
            waits = agent is Agent.THINKING and not self._told  # a goodbye must not overtake an answer
            yield self._call_started + options.max_length + waits * options.model_limit, self._too_long
        if heard.keys is not None and (due := heard.keys.deadline()) is not None:
            yield due, self._entry_over
        busy = heard.entering or self._keys_awaited
        if idle and self.caller is not Caller.SILENT and not heard.entering:
            yield from self._of_the_turn()
        aside = self._over_agent.only_listens and not heard.entering and not heard.said.continued
        if self.caller is Caller.PAUSED and not idle and aside:
            yield heard.aside_over(), self._set_aside
        elif self.caller is Caller.PAUSED and self._unheard() and self.pending:
            yield heard.turn_over(), self._interrupt  # more was said than was asked: ask anew
        if heard.said.revised and self._unheard():
            yield heard.waiting, self._interrupt
        if agent is Agent.THINKING and not self._told and not self._keys_awaited:
            yield self._thinking + options.model_limit, self._model_silent
        if idle and self.caller is Caller.SILENT and self._call_started is not None and not busy:
            if self._nudge:
                yield self._idle + options.nudge_after, self._noise
            else:
                yield self._idle + options.reprompt_after, self._caller_silent

    def _of_the_turn(self) -> Iterator[tuple[float, Act]]:
        """The agent is idle and the caller has the floor."""
        options, heard, paused = self.options, self.heard, self.caller is Caller.PAUSED
        if paused:
            yield heard.turn_over(), self._end_turn
        elif not self.pending:
            yield max(heard.spoke, self._idle) + options.speech_limit, self._wordless
        if self.pending and self._guess.at is None and self._guess.count < options.speculations and heard.wait().whole:
            if paused:
                yield max(heard.worded, heard.ended or 0.0), self._speculate
            elif heard.worded >= heard.spoke:  # they are of what is being said
                yield heard.worded + options.stable, self._speculate

    def _interruptible(self) -> bool:
        return not self.ending and self._over_agent.rule.interrupted_by != "nothing"

    def _unheard(self) -> bool:
        """A turn is being answered, nothing of that was heard, and it may be asked anew."""
        return self.heard.said.unanswered and self.floor.doing is Agent.THINKING and self._interruptible()

    # --- the caller's turn ---

    def _end_turn(self, now: float) -> Iterator[Action]:
        heard = self.heard
        text, wait, ended = heard.pending, heard.wait(), heard.ended
        cut, self._cut = self._cut, False
        heard.caller = Caller.SILENT
        assert ended is not None
        if not text:
            heard.said.nothing()
            if heard.settled or self._keys_awaited:  # a noise: it does not count, the caller may be gone
                self._nudge = cut
                self._idle = now if cut else self._idle
                return
        self._nudge, self._idle = False, now
        if not text:
            yield NoTranscript(waited=now - ended, limit=self.options.settle_limit)
            return
        guessed = self._guess.at if self._guess.is_of(text) else None
        if guessed is None:
            yield from self._forget_guess()
        waited = now - ended if heard.entered else wait.seconds  # for more keys, too
        text, started, continued = heard.end_turn()
        self.floor.asked, self._reprompts, self._guess = True, 0, Guess()
        self._think(now)
        yield EndTurn(text, started, ended, continued, waited, guessed, wait.why)

    def _entry_over(self, now: float) -> Iterator[Action]:
        self.heard.keys_tick(now)
        self._idle = now
        yield from ()

    def _speculate(self, now: float) -> Iterator[Action]:
        heard, paused = self.heard, self.caller is Caller.PAUSED
        if paused and heard.turn_over() <= now:
            yield from self._end_turn(now)
            return
        ended = heard.ended if paused and heard.ended is not None else now
        self._guess.make(heard.pending, now)
        started = heard.said.started
        yield Speculate(heard.pending, ended if started is None else started, ended, heard.said.continued)

    def _forget_guess(self) -> list[Action]:
        return [Discard()] if self._guess.forget() else []

    def _set_aside(self, now: float) -> Iterator[Action]:
        """It was no turn: the agent speaks on."""
        yield SetAside(*self.heard.set_aside(now))

    # --- interruption ---

    def _act_of(self, step: Step) -> Act:
        if step is Step.INTERRUPT:
            return self._interrupt
        return self._hold if step is Step.HOLD else self._release

    def _hold(self, now: float) -> Iterator[Action]:
        self._over_agent.hold(now)
        yield Hold(self.floor.may_be_cut)

    def _release(self, now: float) -> Iterator[Action]:
        self._over_agent.release(now)
        self._cut = False
        if self.floor.sounding is None:
            self._think(now)
        yield Release(self.floor.may_be_cut)

    def _interrupt(self, now: float) -> Iterator[Action]:
        floor, heard = self.floor, self.heard
        if floor.sounding is not None and (floor.held or now) - floor.sounded >= WORD:
            heard.said.answered()
        self._cut = self._cut or floor.sounding is not None
        cut = floor.cut()
        self._idle = now
        self._over_agent.rest()
        if floor.answers:
            self._think(now)
        if withdrawn := heard.said.unanswered:  # nobody heard an answer to the last turn: the caller goes on
            heard.take_back(cut)
        yield from self._corrections()
        yield Interrupt(cut, withdrawn)

    def _answered(self, now: float) -> Iterator[Action]:
        self.heard.said.answered()
        yield from self._corrections()

    # --- silence ---

    def _model_silent(self, now: float) -> Iterator[Action]:
        self._told, self.floor.asked, self._idle = True, False, now
        yield ModelSilent(now - self._thinking, self.options.model_limit)

    def _wordless(self, now: float) -> Iterator[Action]:
        waited, self._idle = now - max(self.heard.spoke, self._idle), now
        asked = NoTranscript(speaking=True, waited=waited, limit=self.options.speech_limit)
        yield HangUp("not understood") if self._enough() else asked

    def _noise(self, now: float) -> Iterator[Action]:
        self._nudge, self._idle = False, now
        yield HangUp("not understood") if self._enough() else Nudge()

    def _caller_silent(self, now: float) -> Iterator[Action]:
        self._idle = now
        yield HangUp("caller silent") if self._enough() else Reprompt(self._reprompts)

    def _enough(self) -> bool:
        """Whether the caller was asked often enough in vain; counts."""
        self.over = self._reprompts >= self.options.reprompts
        self._reprompts += not self.over
        return self.over

    def _too_long(self, now: float) -> Iterator[Action]:
        self.over = True
        yield HangUp("max length")

    # --- the agent's region ---

    def _think(self, now: float) -> None:
        self._thinking, self._told = now, False

    def _end(self, now: float, answer: int, at: float) -> list[Action]:
        if self.floor.over(answer):
            if self.floor.answers:
                self._think(now)
            if self.floor.doing is Agent.IDLE:
                self._over_agent.rest()
            self._idle = max(self._idle, at)
        return self.tick(now)
