"""Turn-taking on a track, in virtual time: when it would have held the caller to be done."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from voiceloop.language import Cues
from voiceloop.tune.listening import Track
from voiceloop.tune.words import Answer
from voiceloop.turns.endpointing import Endpointing, FixedSilence
from voiceloop.turns.events import Action, EndTurn, TurnOptions
from voiceloop.turns.machine import TurnMachine

__all__ = ["Ended", "drive"]

RATE: Final = 8000
AFTER: Final = 60.0
"""Seconds behind the last event of a track in which a decision still falls."""


REACTION: Final = 0.8
"""Seconds after a turn's end before which nobody hears an answer: who speaks before has gone on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn was held to be over. Seconds from the first sample of the clip."""

    at: float
    """When that was decided."""
    text: str
    """What was understood."""
    silence: float
    """Seconds of silence that ended it."""
    why: str
    """Why so many, for people."""
    ended: float
    """When its last sample of speech was spoken, as the machine knew it."""


def _machine(options: TurnOptions, endpointing: Endpointing, cues: Cues) -> TurnMachine:
    """The one place that knows how a machine is built."""
    return TurnMachine(options, cues=cues, endpointing=endpointing)


def drive(
    track: Track,
    options: TurnOptions | None = None,
    endpointing: Callable[[], Endpointing] = FixedSilence,
    cues: Cues | None = None,
    *,
    interims: bool = True,
) -> list[Ended]:
    """Have turn-taking decide about a track. Every turn is answered at once, by an agent that makes no sound.

    Args:
        options: silences and limits; those of a whole call do not count here.
        endpointing: makes the object that decides how long a silence ends a turn; a new one for each clip.
        cues: words of the language.
        interims: whether turn-taking gets every word while it is spoken. Without, of each stretch the first and the
            last of them: no turn ends otherwise for that, and it takes a third of the time.
    """
    return _Drive(track, options or TurnOptions(), endpointing(), cues or Cues(), interims).run()


class _Drive:
    def __init__(
        self, track: Track, options: TurnOptions, endpointing: Endpointing, cues: Cues, interims: bool
    ) -> None:
        self._track, self._interims = track, interims
        self._endpointing = endpointing
        endless = replace(options, reprompt_after=math.inf, max_length=math.inf, reprompts=1_000_000, speculations=0)
        self._machine = _machine(endless, endpointing, cues)  # nobody is asked whether they are there
        self._order = count()
        self._events: list[tuple[float, int, Callable[[float], list[Action]]]] = []
        self._first = 0  # the stretch with which the utterance began
        self._utterance = 0
        self._answers = count(1)
        self._ended: list[Ended] = []
        self._over: Ended | None = None  # the turn that is over, until something is said again

    def run(self) -> list[Ended]:
        """All of the track."""
        machine, stretches = self._machine, self._track.stretches
        for index, stretch in enumerate(stretches):
            self._at(stretch.noticed, lambda now, index=index: self._started(now, index))  # type: ignore[misc]
            self._at(stretch.paused, lambda now, at=stretch.ended: self._paused(now, at))  # type: ignore[misc]
        for at, text in self._track.asked:
            self._at(at, lambda now, text=text: self._asked(text))  # type: ignore[misc]
        horizon = (stretches[-1].paused if stretches else 0.0) + AFTER
        self._do(0.0, machine.call_started(0.0))
        now = 0.0
        while True:
            deadline = machine.deadline()
            due = math.inf if deadline is None else deadline
            if self._events and self._events[0][0] <= due:
                at, _, event = heapq.heappop(self._events)
                now = max(now, at)
                self._do(now, event(now))
            elif due <= horizon:
                now = max(now, due)
                self._do(now, machine.tick(now))
            else:
                return self._ended

    def _at(self, when: float, event: Callable[[float], list[Action]]) -> None:
        heapq.heappush(self._events, (when, next(self._order), event))

    def _started(self, now: float, index: int) -> list[Action]:
        """Speech is noticed: the recogniser hears it, in the utterance that is open or in a new one."""
        answers = self._track.recogniser.answers
        if self._over is not None or (index and not answers(self._first, index - 1)[-1].text):  # that was noise
            self._first, self._utterance = index, self._utterance + 1
        if (over := self._over) is not None and now < over.at + REACTION:  # nobody heard an answer: a call knows that
            self._endpointing.went_on(self._track.stretches[index].started - over.ended)
        actions = self._machine.speech_started(now, self._track.stretches[index].started)
        self._over = None
        after = self._track.stretches[index + 1 : index + 2]
        given = answers(self._first, index)
        for answer in given if self._interims else _few(given):
            settled = answer.settled and not (after and after[0].noticed <= answer.now)
            self._at(
                max(now, answer.now),
                lambda at, text=answer.text, settled=settled, number=self._utterance: self._machine.transcript(  # type: ignore[misc]
                    at, text, settled=settled, utterance=number
                ),
            )
        return actions

    def _asked(self, text: str) -> list[Action]:
        self._machine.heard.asked = text
        return []

    def _paused(self, now: float, at: float) -> list[Action]:
        """A first short silence: an endpointing that judges the sound does so now."""
        if listens := self._endpointing.listens:
            audio = self._track.audio[max(0, round((now - listens) * RATE)) : round(now * RATE)]
            done = self._endpointing.judge(audio)
            self._at(now + self._endpointing.costs, lambda then: self._machine.judged(then, done))
        return self._machine.speech_paused(now, at)

    def _do(self, now: float, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, EndTurn):
                self._over = Ended(now, action.text, action.silence, action.why, action.ended)
                self._ended.append(self._over)
                answer = next(self._answers)
                self._do(now, self._machine.answer_began(now, answer))
                self._do(now, self._machine.answer_ended(now, answer))


def _few(answers: Sequence[Answer]) -> list[Answer]:
    """The first, the last before it is settled, and what is settled."""
    open_ = [index for index, answer in enumerate(answers) if not answer.settled]
    kept = {*open_[:1], *open_[-1:]}
    return [answer for index, answer in enumerate(answers) if answer.settled or index in kept]
