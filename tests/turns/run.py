"""A turn machine with its timer, for tests."""

from __future__ import annotations

from voiceloop.languages import LANGUAGES
from voiceloop.turns.events import Hold, Release, TurnOptions
from voiceloop.turns.machine import TurnMachine


class Run:
    """A machine with its timer: `at` goes to a time, firing deadlines on the way, then reports an event."""

    def __init__(self, *, endpointing=None, rules=None, **options):
        chosen = TurnOptions(**{"speculations": 0, **options})
        given = {} if rules is None else {"rules": rules}
        self.machine = TurnMachine(chosen, LANGUAGES["en"].cues, endpointing, **given)
        self.log = []  # (when, action), but for what holds the agent and lets it go on
        self.held = []  # (when, Hold or Release)
        self.now = 0.0
        self.note(self.machine.call_started(0.0))

    def note(self, actions):
        for action in actions:
            kept = self.held if isinstance(action, Hold | Release) else self.log
            kept.append((round(self.now, 6), action))

    def to(self, when):
        while (due := self.machine.deadline()) is not None and due <= when:
            self.now = max(self.now, due)
            self.note(self.machine.tick(self.now))
            assert self.machine.deadline() is None or self.machine.deadline() > self.now
        self.now = when
        return self

    def at(self, when, event, *args, **kwargs):
        self.to(when)
        self.note(getattr(self.machine, event)(self.now, *args, **kwargs))
        return self

    def turn(self, text, began, ended, settled=None, **transcript):
        """The caller speaks, with a detector 0.1 s and a recogniser 0.3 s behind."""
        self.at(began + 0.1, "speech_started", began).at(ended + 0.2, "speech_paused", ended)
        return self.at(settled or ended + 0.3, "transcript", text, final=True, settled=True, **transcript)

    def answer(self, number, began, started=None, finished=None, **options):
        self.at(began, "answer_began", number, **options)
        if started is not None:
            self.at(started, "agent_started", number, started)
        if finished is not None:
            self.at(finished, "agent_finished", number, finished).at(finished, "answer_ended", number)
        return self

    @property
    def actions(self):
        return [action for _, action in self.log]
