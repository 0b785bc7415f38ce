"""What the caller said: the words of the turn that was ended last, and those that are in no turn yet.

A recogniser answers late, and a caller goes on speaking: so words may still belong to the turn before, and a turn to
which nobody heard an answer is taken back into what is being said.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from voiceloop.turns.keys import Mixed
from voiceloop.turns.speech import Key, Speech

__all__ = ["Said", "words_of"]

_NONE: Final = (-1, -1)
_WORD = re.compile(r"[\w'’]+")


_REMEMBERED: Final = 8
"""Turns of which late words are still taken."""


@dataclass(slots=True)
class _Ended:
    speech: Speech
    text: str
    keys: Mixed


class Said:
    """Which words are in which turn. Pure; all times in seconds."""

    def __init__(self) -> None:
        self.started: float | None = None
        """First sample of what is in no turn yet; None when nothing was said."""
        self.continued = False
        """What was said includes a turn that was ended before."""
        self.unanswered = False
        """Nothing of an answer to the last turn was heard."""
        self.revised = False
        """The last turn's text changed after its end."""
        self._speech = Speech()  # what was said and is in no turn yet
        self._keys = Mixed()  # what was entered on the keys, likewise
        self._turn = Speech()  # the last turn
        self._turn_keys = Mixed()
        self._turn_text = ""
        self._turn_started = 0.0
        self._last: Key = _NONE  # utterance and segment of the latest words that are in a turn
        self._last_before: Key = _NONE  # the same before the last turn
        self._ended: deque[_Ended] = deque(maxlen=_REMEMBERED)  # turns, the last one included
        self._aside: deque[_Ended] = deque(maxlen=_REMEMBERED)  # what took no turn
        self._corrections: list[tuple[str, str]] = []
        self._withdrawn: tuple[int, ...] = ()  # answers to what was said, cut before they were known to be heard
        self._went_on: float | None = None  # of what was said since: the first sample

    @property
    def text(self) -> str:
        """What was said and is in no turn yet, with what was entered on the keys."""
        return self._keys.join(self._speech.text)

    def began(self, at: float) -> None:
        """The caller speaks; `at` is the first sample."""
        self.sounded(at)
        self._keys.spoke(self._speech.text)
        self._speech.speech_started()

    def pressed(self, at: float) -> None:
        """The caller presses the first key of an entry."""
        self.sounded(at)
        self._keys.begin()
        self._speech.speech_started()

    def keyed(self, text: str) -> None:
        """The entry is complete; `text` is empty when nothing came of it."""
        self._keys.add(text)
        if not self.text and not self._speech.text:
            self.nothing()

    def sounded(self, at: float) -> None:
        """Something was said, if nothing was before: then from `at` on."""
        self.started = at if self.started is None else self.started

    def hear(
        self,
        text: str,
        *,
        final: bool,
        segment: int,
        settled: bool,
        utterance: int | None,
        open_turn: bool,
        anew: bool = False,
    ) -> bool:
        """Take a transcript (see `frames.Transcript`).

        Args:
            text: the words.
            open_turn: whether the last turn may still be asked anew.

        Returns: False when it only told more of the last turn.
        """
        late = utterance is not None and (utterance, segment) <= self._last
        if self.started is None or late:  # nothing was said since the last turn, or this is of before it
            known = self._hear_late(text, final, segment, settled, utterance, open_turn, anew)
            if late and not known:
                self._correct(text, final or settled, segment, utterance, anew)
            if known and self.started is None:
                return False
        if not late:  # else its turn was answered
            self._speech.hear(text, final=final, segment=segment, settled=settled, utterance=utterance, anew=anew)
        return True

    def knows(self, segment: int, utterance: int | None) -> bool:
        """Whether a transcript only tells more of words that are in a turn already."""
        late = utterance is not None and (utterance, segment) <= self._last
        return late or self._turn.revises(segment, utterance)

    def _hear_late(
        self, text: str, final: bool, segment: int, settled: bool, utterance: int | None, open_turn: bool, anew: bool
    ) -> bool:
        """Whether a transcript is of the last turn, and only tells more of that."""
        if settled and self._turn.repeats(text, segment, utterance):
            self.revised = self._changed()
            return True
        if open_turn and self._turn.revises(segment, utterance, anew=anew):
            self._turn.hear(text, final=final, segment=segment, settled=settled, utterance=utterance, anew=anew)
            self.revised = final and self._changed()
            return True
        return False

    def _correct(self, text: str, sure: bool, segment: int, utterance: int | None, anew: bool) -> None:
        """Words came of a turn whose answer was heard, or of what was set aside: they change nothing but the record."""
        turns = [*reversed(self._aside), *reversed(self._ended)]
        turn = next((each for each in turns if each.speech.revises(segment, utterance, anew=anew)), None)
        if turn is None:
            return
        turn.speech.hear(text, final=sure, segment=segment, utterance=utterance, anew=anew)
        now = turn.speech.text
        if sure and now and words_of(now) != words_of(turn.text):
            self._corrections.append((turn.keys.join(turn.text), turn.keys.join(now)))
            turn.text = now

    def corrections(self) -> list[tuple[str, str]]:
        """What turns were held to say, and what they said: since this was asked the last time."""
        corrections, self._corrections = self._corrections, []
        return corrections

    def _changed(self) -> bool:
        """Whether the words of the last turn are others than those it ended with; not how they are written."""
        return words_of(self._turn.text) != words_of(self._turn_text)

    def nothing(self) -> None:
        """What was said had no words."""
        self.started = None

    def set_aside(self) -> str:
        """All that was said takes no turn: returns it. What is still recognised of it is only put on record."""
        text = self.text
        self._aside.append(_Ended(self._speech, self._speech.text, self._keys))
        self._last = max(self._last, self._speech.last or self._last)
        self._speech, self._keys, self.started, self.continued = Speech(), Mixed(), None, False
        return text

    def end_turn(self) -> tuple[str, float, bool]:
        """All that was said is a turn now: its text, first sample, and whether it takes the place of the one before."""
        assert self.started is not None
        text, started, continued = self.text, self.started, self.continued
        self._turn, self._turn_text, self._turn_started = self._speech, self._speech.text, started
        self._turn_keys, self._keys = self._keys, Mixed()
        self._last_before, self._last = self._last, max(self._last, self._speech.last or self._last)
        self._speech, self.started, self.continued, self.revised = Speech(), None, False, False
        self._withdrawn, self.unanswered = (), True
        self._ended.append(_Ended(self._turn, self._turn_text, self._turn_keys))
        return text, started, continued

    def answered(self) -> None:
        """An answer to the last turn is heard."""
        self.settle()
        self.unanswered = self.revised = False

    def settle(self) -> None:
        """The last turn is not asked anew: what the recogniser has said of it since is put on record."""
        if self.unanswered and self._ended and self._changed():
            keys = self._turn_keys
            self._corrections.append((keys.join(self._turn_text), keys.join(self._turn.text)))
            self._turn_text = self._ended[-1].text = self._turn.text

    def take_back(self, cut: tuple[int, ...]) -> None:
        """Nobody heard an answer to the last turn, and the caller goes on: it is a part of what is being said.

        Args:
            cut: its answers; news that one of them was heard may still come.
        """
        self._keys, self._turn_keys = self._turn_keys.followed_by(self._keys, self._turn.text), Mixed()
        self._withdrawn, self._went_on = cut if self._turn.join(self._speech) else (), self.started
        self._speech, self._turn = self._turn, Speech()
        if self._ended:
            self._ended.pop()
        self._last = self._last_before
        self.started, self.continued = self._turn_started, True
        self.unanswered = self.revised = False

    def was_heard(self, answer: int) -> bool:
        """An answer that was cut was heard before that: what was said since is a turn of its own then. Returns whether
        it had been taken back."""
        if answer not in self._withdrawn:
            return False
        self._last = max(self._last, self._speech.last_before or self._last)
        self._speech, self._keys, self.started = self._speech.joined(), self._keys.rest(), self._went_on
        self._withdrawn, self.continued = (), False
        return True


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation: what two ways of writing it have in common."""
    return _WORD.findall(text.casefold())
