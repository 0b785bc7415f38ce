"""A silence whose length adapts to what was said, to what was asked, and to how this caller speaks."""

from __future__ import annotations

import math

from voiceloop.language import Cues
from voiceloop.turns.completeness import Evidence, evidence
from voiceloop.turns.endpointing import Endpointing, SoFar, Wait
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.expect import Expect
from voiceloop.turns.prosody import done

__all__ = ["AdaptiveEndpointing"]

_SURE = 0.6
"""So much evidence, as log-odds, makes a turn finished. In between the wait goes evenly from one to the other."""
_UNSURE = -1.0
"""So much makes it unfinished."""
_WHOLE = -0.5
"""From here on a turn is worth preparing an answer."""
_GAP = 0.9
"""Seconds waited for at the least between figures or letters told one by one: pauses of 700 ms belong to them."""
_HEARD = 2.0
"""The most, as log-odds, that the sound may weigh."""

_TELLS = 0.4
"""So much of it is worth telling a person."""

_ORDINARY = 0.4
"""Seconds of the pauses that most people make inside a turn."""
_LONGEST = 1.6
"""A pause counts for no more than that: who looks for a paper once is not slow."""
_UP, _DOWN = 0.4, 0.1
"""How much of the way to the newest pause is gone: a long one is believed quickly, a short one slowly."""
_MOST = 1.5
"""The most that a wait is stretched to."""
_MOST_OF_LONG = 1.25
"""The same of `TurnOptions.unfinished`, which is long as it is."""

_Key = tuple[str, str, Expect | None, Cues]


class AdaptiveEndpointing(Endpointing):
    """Waits shortly after what sounds finished, long after what does not, and longer for callers who pause.

    - `TurnOptions.finished` after a whole answer, a whole sentence, a complete number.
    - `TurnOptions.unfinished` after "and", "um", "I'd like to", half a number, a name being spelled, …
    - `TurnOptions.unsure` when nothing tells, and something in between when little does: the more speaks for an end,
      the shorter.

    Between figures or letters told one by one never less than 0.9 s, unless they are complete. What the bot expects
    (`Expect`) goes before what its question seems to ask for, and ``Expect.pause`` before everything.

    **A caller who pauses is given more time.** Each pause inside a turn moves the caller's usual pause, 0.4 s at first:
    by 40 % of the way to a longer one (1.6 s at the most), by 10 % to a shorter one. Waits are stretched by
    usual / 0.4, from 1 to 1.5; `unfinished` by 1.25 at the most, `finished` by half of the excess. So one pause of
    0.8 s stretches `unsure` by 1.4, and ten pauses of 0.4 s later by 1.14.

    **An audio model is a subclass** that hears and judges; the words still count, and so does the number that is going
    on::

        class ByEar(AdaptiveEndpointing):
            listens = 2.0  # seconds of mu-law at 8000 Hz

            def judge(self, audio: bytes) -> float:
                return my_model.probability_of_end(audio)

        TurnTaking(endpointing=ByEar())

    The two are added as log-odds. A model that is sure (0.95 or 0.05) moves what the words leave open to either
    side, and what sounds finished by its words to the middle; it does not overrule a trailing "and" alone.
    """

    listens = 0.9
    costs = 0.002

    def __init__(self) -> None:
        self._usual = _ORDINARY
        self._known: tuple[_Key, Evidence] | None = None

    @property
    def patience(self) -> float:
        """What waits are stretched by, from 1 to 1.5."""
        return min(max(self._usual / _ORDINARY, 1.0), _MOST)

    def wait(self, turn: SoFar, options: TurnOptions) -> Wait:
        """How long to wait: see the class. Takes some 30 microseconds when words are new; reads the last 60 of them."""
        if turn.expected is not None and turn.expected.seconds is not None:
            return Wait(turn.expected.seconds, bool(turn.text), "the bot set this pause")
        found = self._evidence(turn)
        likely, why = found.likely, found.why
        if turn.judged is not None:
            heard = _log_odds(turn.judged)
            if not found.counting:
                likely += heard
                why = f"{why}; by the sound {turn.judged:.0%} done" if abs(heard) >= _TELLS else why
        seconds = self._seconds(likely, options)
        return Wait(max(seconds, _GAP) if found.counting else seconds, likely > _WHOLE and bool(turn.text.strip()), why)

    def judge(self, audio: bytes) -> float:
        """How the voice ends (`voiceloop.turns.prosody`), from 0.25 to 0.75: it moves what the words leave open."""
        return done(audio)

    def _seconds(self, likely: float, options: TurnOptions) -> float:
        """Evidence, as log-odds, to a wait: through the three that are set, straight between them."""
        stretch = self.patience
        shortest = options.finished * (1 + (stretch - 1) / 2)
        middle = max(options.finished, options.unsure) * stretch
        longest = max(max(options.unfinished, options.unsure) * min(stretch, _MOST_OF_LONG), middle)
        if likely >= 0:
            return middle + (shortest - middle) * min(likely / _SURE, 1.0)
        return middle + (longest - middle) * min(likely / _UNSURE, 1.0)

    def _evidence(self, turn: SoFar) -> Evidence:
        """Of the words and the question: asked many times about the same ones."""
        key = (turn.text, turn.asked, turn.expected, turn.cues)
        if self._known is None or any(one is not other for one, other in zip(self._known[0], key, strict=True)):
            self._known = key, evidence(turn)
        return self._known[1]

    def went_on(self, pause: float) -> None:
        """Learn from a pause after which the caller went on, seconds."""
        if not pause > 0:
            return
        counted = min(pause, _LONGEST)
        self._usual += (counted - self._usual) * (_UP if counted > self._usual else _DOWN)


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 0.01), 0.99)
    return min(max(math.log(bounded / (1 - bounded)), -_HEARD), _HEARD)
