"""The caller's side of a call: what they do, what they have said, and how long they are waited for. Pure."""

from __future__ import annotations

from enum import Enum

from voiceloop.language import Cues
from voiceloop.turns.endpointing import Endpointing, SoFar, Wait
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.expect import Expect
from voiceloop.turns.keys import Keyed, KeyOptions, Keys
from voiceloop.turns.said import Said

__all__ = ["Caller", "Listening"]


class Caller(Enum):
    """What the caller does."""

    SILENT = "silent"
    """Does not speak, and all that was said is dealt with."""
    SPEAKING = "speaking"
    PAUSED = "paused"
    """Does not speak, and what was said is not dealt with yet: it may go on, and the recogniser may still answer."""


class Listening:
    """What is heard of the caller. All times are seconds.

    Args:
        options: silences and limits.
        cues: words of the language that tell something.
        endpointing: how long a silence ends a turn.
        keys: when what is entered on the keys is complete; None: it is in no turn.
    """

    def __init__(
        self, options: TurnOptions, cues: Cues, endpointing: Endpointing, keys: KeyOptions | None = None
    ) -> None:
        self.options = options
        self.cues = cues
        self.endpointing = endpointing
        self.caller = Caller.SILENT
        self.said = Said()
        self.keys = None if keys is None else Keys(keys)
        self.entered = False
        """Nothing was said since an entry on the keys was complete: so the turn is."""
        self.asked = ""
        """What the agent said last."""
        self.expected: Expect | None = None
        """What the bot said would come."""
        self.over_agent = False
        """What is in no turn was spoken while the agent had the floor."""
        self.spoke = 0.0
        """First sample of the speech that goes on."""
        self.ended: float | None = None
        """Last sample of speech."""
        self.worded = 0.0
        """Since when the words stand as they do."""
        self.settled = False
        """The recogniser has answered for all audio."""
        self.waiting = 0.0
        """Since when it is waited for."""
        self._turn_ended = 0.0  # last sample of the last turn
        self._gap: float | None = None  # the pause before the speech that goes on
        self._judged: float | None = None
        self._look: tuple[SoFar, Wait] | None = None

    @property
    def pending(self) -> str:
        """What was said and is in no turn yet."""
        return self.said.text

    @property
    def last(self) -> float:
        """The last sample of speech; while the caller speaks, the first of that."""
        return self.ended if self._paused and self.ended is not None else self.spoke

    @property
    def lasted(self) -> float:
        """How long what is in no turn was spoken, from its first sample to the last one known; pauses included."""
        return self._since_began(self.ended if self._paused and self.ended is not None else self.worded)

    @property
    def _paused(self) -> bool:
        return self.caller is Caller.PAUSED

    def _since_began(self, last: float) -> float:
        return max(0.0, last - (last if self.said.started is None else self.said.started))

    # --- what happens ---

    def speech_started(self, at: float, *, over_agent: bool) -> None:
        """Voice activity began; `at` is its first sample."""
        self._gap = at - self.ended if self.caller is Caller.PAUSED and self.ended is not None else None
        if self.caller is Caller.PAUSED and self.settled and not self.pending and not self.entering:
            self.said.nothing()  # what sounded before was a noise: no turn begins with it
        self.said.began(at)
        self.spoke, self._judged, self.over_agent, self.entered = at, None, over_agent, False
        self.caller = Caller.SPEAKING

    def speech_paused(self, at: float) -> None:
        """A first short silence; `at` is the last sample of speech."""
        self.said.sounded(at)
        self.ended = self.waiting = at
        self.settled = False
        self.caller = Caller.PAUSED

    @property
    def entering(self) -> bool:
        """Keys were pressed that are not a complete entry yet."""
        return self.keys is not None and self.keys.going_on

    def press(self, now: float, key: str, *, secret: bool) -> None:
        """A key was pressed that is a part of the turn."""
        if self.keys is None:
            return
        self.keys_tick(now)
        if not self.entering:
            self.said.pressed(now)
        for entry in self.keys.press(now, key, secret=secret):
            self._keyed(entry)

    def keys_tick(self, now: float) -> None:
        """Time passes: an entry may be complete."""
        if self.keys is not None and (entry := self.keys.tick(now)) is not None:
            self._keyed(entry)

    def keys_end(self) -> None:
        """The call is over: so is an entry."""
        if self.keys is not None and self.keys.going_on:
            self._keyed(self.keys.end(0.0, "call"))

    def _keyed(self, entry: Keyed) -> None:
        self.said.keyed(entry.text)
        if not entry.text:
            return
        self.worded = max(self.worded, entry.ended)
        if self.caller is Caller.SPEAKING:
            return  # the turn is over when they have spoken
        if self.caller is Caller.SILENT:
            self.caller, self.settled, self.over_agent, self.ended = Caller.PAUSED, True, False, entry.ended
        self.entered, self.ended = True, max(entry.ended, self.ended or 0.0)

    def judged(self, done: float) -> None:
        """What `Endpointing.judge` says of the pause that lasts."""
        if self.caller is Caller.PAUSED:
            self._judged = done

    def transcript(
        self,
        now: float,
        text: str,
        *,
        final: bool,
        segment: int,
        settled: bool,
        utterance: int | None,
        anew: bool,
        open_turn: bool,
    ) -> bool:
        """The recogniser gave words (see `frames.Transcript`, and `Said.hear`). Returns whether those in no turn are
        others now."""
        before = self.pending
        fresh = self.said.hear(
            text,
            final=final,
            segment=segment,
            settled=settled,
            utterance=utterance,
            open_turn=open_turn,
            anew=anew,
        )
        if fresh and self.caller is Caller.SILENT and self.pending:  # late, or of speech too faint for the detector
            self.said.sounded(now)
            self.ended = now if self.ended is None else self.ended
            self.waiting = now
            self.settled = self.over_agent = False
            self.caller = Caller.PAUSED
        if fresh and self.caller is Caller.PAUSED:
            self.settled = self.settled or settled
        if self.pending == before:
            return False
        self.worded = now
        if self._gap is not None:  # only words tell that it was more than a noise
            self.endpointing.went_on(self._gap)
            self._gap = None
        return True

    # --- what follows ---

    def wait(self) -> Wait:
        """How long a silence ends the turn, by what was said so far."""
        if self.entered:
            return Wait(0.0, True, "entered on the keys")
        spoken = self._since_began(self.last)
        so_far = SoFar(self.pending, self.asked, self.expected, self.cues, spoken, self._judged)
        if self._look is None or self._look[0] != so_far:
            self._look = so_far, self.endpointing.wait(so_far, self.options)
        return self._look[1]

    def turn_over(self) -> float:
        """When the turn is over, unless more comes."""
        assert self.ended is not None
        silent = self.ended + self.wait().seconds
        return silent if self.settled else max(silent, self.waiting + self.options.settle_limit)

    def aside_over(self) -> float:
        """When what only shows that the caller listens is set aside. The recogniser may still find more in it."""
        over = max(self.ended or 0.0, self.worded) + self.options.aside
        return over if self.settled else max(over, self.waiting + self.options.settle_limit)

    def end_turn(self) -> tuple[str, float, bool]:
        """It is over: see `Said.end_turn`."""
        assert self.ended is not None
        self._turn_ended, self.expected, self._gap = self.ended, None, None
        self.over_agent = self.entered = False
        return self.said.end_turn()

    def take_back(self, cut: tuple[int, ...]) -> None:
        """The last turn was no whole one: see `Said.take_back`."""
        if self.caller is Caller.SPEAKING:
            self.endpointing.went_on(max(0.0, self.spoke - self._turn_ended))
        self.said.take_back(cut)
        if self.caller is Caller.SILENT:
            self.caller, self.settled = Caller.PAUSED, True

    def set_aside(self, now: float) -> tuple[str, float, float]:
        """What was said takes no turn: its text, first and last sample."""
        started, ended = self.said.started, now if self.ended is None else self.ended
        self.caller, self.over_agent = Caller.SILENT, False
        return self.said.set_aside(), ended if started is None else min(started, ended), ended
