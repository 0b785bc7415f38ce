"""Keys in the turn machine: what ends a turn, what interrupts, and what is waited for meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.turns.events import Action, EndTurn, Interrupt, ModelSilent, Reprompt, TurnOptions
from voiceloop.turns.keys import KeyOptions
from voiceloop.turns.machine import TurnMachine


class Run:
    """A machine with its timer: `at` goes to a time, firing deadlines on the way, then reports an event."""

    def __init__(self, **keys: Any) -> None:
        self.machine = TurnMachine(TurnOptions(speculations=0), keys=KeyOptions(**keys))
        self.log: list[tuple[float, Action]] = []
        self.now = 0.0
        self.note(self.machine.call_started(0.0))

    def note(self, actions: list[Action]) -> None:
        self.log += [(round(self.now, 6), action) for action in actions]

    def to(self, when: float) -> Run:
        while (due := self.machine.deadline()) is not None and due <= when:
            self.now = max(self.now, due)
            self.note(self.machine.tick(self.now))
        self.now = when
        return self

    def at(self, when: float, event: str, *args: Any, **kwargs: Any) -> Run:
        self.to(when)
        self.note(getattr(self.machine, event)(self.now, *args, **kwargs))
        return self

    def keys(self, when: float, pressed: str, gap: float = 0.25, **kwargs: Any) -> Run:
        for place, key in enumerate(pressed):
            self.at(when + place * gap, "digit", key, **kwargs)
        return self

    def says(self, text: str, began: float, ended: float) -> Run:
        """With a detector 0.1 s and a recogniser 0.3 s behind."""
        self.at(began + 0.1, "speech_started", began).at(ended + 0.2, "speech_paused", ended)
        return self.at(ended + 0.3, "transcript", text, final=True, settled=True)

    def turns(self) -> list[tuple[float, str]]:
        return [(at, action.text) for at, action in self.log if isinstance(action, EndTurn)]

    def of(self, kind: Any) -> list[float]:
        return [at for at, action in self.log if isinstance(action, kind)]


def test_the_terminator_ends_the_turn_at_once_and_dates_it_by_the_keys() -> None:
    run = Run().keys(1.0, "12#").to(5.0)
    assert run.turns() == [(1.5, "[keys: 12]")]
    (turn,) = [action for _, action in run.log if isinstance(action, EndTurn)]
    assert (turn.started, turn.ended, turn.silence) == (1.0, 1.5, 0.0)


def test_no_reprompt_comes_while_keys_are_pressed() -> None:
    run = Run(timeout=20.0).keys(6.0, "12", gap=10.0).to(35.9)
    assert run.of(Reprompt) == []
    assert run.to(36.0).turns() == [(36.0, "[keys: 12]")]


def test_words_before_the_keys_wait_for_them() -> None:
    run = Run().says("my number is", 1.0, 2.0).keys(2.4, "12", gap=1.5)
    assert run.turns() == []
    assert run.to(10.0).turns() == [(5.9, "my number is [keys: 12]")]


def test_keys_pressed_soon_after_a_turn_go_on_with_it() -> None:
    run = Run().says("my number is", 1.0, 2.0).at(2.6, "answer_began", 1)
    assert run.turns() == [(2.5, "my number is")]
    run.keys(3.0, "12#").to(4.0)
    assert [action.withdrawn for _, action in run.log if isinstance(action, Interrupt)] == [True]
    assert run.turns()[1:] == [(3.5, "my number is [keys: 12]")]
    assert [action.continued for _, action in run.log if isinstance(action, EndTurn)] == [False, True]


def test_the_recogniser_is_waited_for_after_the_last_key() -> None:
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0).keys(2.3, "1#", gap=0.1)
    assert run.to(3.0).turns() == []
    run.at(3.0, "transcript", "my number is", final=True, settled=True)
    assert run.turns() == [(3.0, "my number is [keys: 1]")]


def test_keys_during_speech_end_with_the_speech() -> None:
    run = Run().at(1.1, "speech_started", 1.0).keys(1.5, "12#").at(3.2, "speech_paused", 3.0)
    run.at(3.3, "transcript", "my number is", final=True, settled=True).to(9.0)
    assert run.turns() == [(3.5, "my number is [keys: 12]")]


@pytest.mark.parametrize(("interrupts", "cut"), [(True, [4.0]), (False, [])])
def test_a_key_cuts_the_agent_short_unless_it_should_not(interrupts: bool, cut: list[float]) -> None:
    run = Run(count=1, interrupts=interrupts).at(1.0, "answer_began", 1).at(1.2, "agent_started", 1, 1.2)
    run.keys(4.0, "1").to(5.0)
    assert run.of(Interrupt) == cut
    run.at(5.0, "agent_finished", 1, 5.0)
    assert [text for _, text in run.turns()] == ["[keys: 1]"]


def test_a_protected_answer_is_not_cut_and_the_keys_are_its_answer() -> None:
    run = Run(count=1).at(1.0, "answer_began", 1, protected=True).at(1.2, "agent_started", 1, 1.2).keys(4.0, "1")
    run.at(6.0, "agent_finished", 1, 6.0)
    assert run.of(Interrupt) == []
    assert run.turns() == [(6.0, "[keys: 1]")]


def test_keys_that_come_to_nothing_are_no_turn() -> None:
    run = Run(clear="*").keys(1.0, "12*").to(4.0)
    assert run.turns() == []
    assert run.to(20.0).of(Reprompt) != []


def test_while_somebody_else_waits_for_keys_nobody_is_asked_anything() -> None:
    run = Run().at(1.0, "keys_awaited", True).to(100.0)
    assert run.log == []
    run.at(100.0, "keys_awaited", False).to(106.9)
    assert run.log == []
    assert run.to(107.0).of(Reprompt) == [107.0]
    run = Run().at(1.0, "answer_began", 1).at(2.0, "keys_awaited", True).to(100.0).at(100.0, "keys_awaited", False)
    assert run.to(111.0).of(ModelSilent) == [110.0]


STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 1.5),
        st.sampled_from(["key", "key", "key", "speech", "pause", "words", "answer", "heard", "over"]),
        st.sampled_from("0123456789*#"),
    ),
    max_size=40,
)


@given(STEPS, st.booleans())
def test_every_key_is_in_one_turn_and_in_its_order(steps: list[tuple[float, str, str]], interrupts: bool) -> None:
    run, answers, at, pressed, speaking = Run(terminator="", interrupts=interrupts), 0, 0.0, "", False

    def done() -> None:
        run.at(at, "speech_paused", at).at(at, "transcript", "word", final=True, settled=True)

    for gap, what, key in steps:
        at += gap
        if what == "key":
            pressed += key
            run.at(at, "digit", key)
        elif what == "speech" and not speaking:
            speaking = True
            run.at(at, "speech_started", at)
        elif what in ("pause", "words") and speaking:
            speaking = False
            done()
        elif what == "answer":
            answers += 1
            run.at(at, "answer_began", answers)
        elif what == "heard" and answers:
            run.at(at, "agent_started", answers, at)
        elif what == "over" and answers:
            run.at(at, "agent_finished", answers, at).at(at, "answer_ended", answers)
    if speaking:
        done()
    for answer in range(1, answers + 1):
        run.at(at, "agent_finished", answer, at).at(at, "answer_ended", answer)
    run.to(at + 6.0)
    kept: list[str] = []
    for _, action in run.log:
        if isinstance(action, EndTurn):
            kept = kept[:-1] if action.continued else kept
            kept.append(action.text)
    kept.append(run.machine.pending)
    digits = "".join(part.split("]")[0] for text in kept for part in text.split("[keys: ")[1:])
    assert digits == pressed
