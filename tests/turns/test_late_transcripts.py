"""Transcripts that come late: each belongs to the utterance it says, and is never a turn of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.turns.events import Action, Correct, EndTurn, Interrupt, TurnOptions
from voiceloop.turns.machine import TurnMachine
from voiceloop.turns.speech import Speech


class Run:
    """A machine with its timer."""

    def __init__(self) -> None:
        self.machine = TurnMachine(TurnOptions(speculations=0))
        self.actions: list[Action] = []
        self.machine.call_started(0.0)

    def at(self, when: float, event: str, *args: Any, **kwargs: Any) -> Run:
        self.to(when)
        self.actions += getattr(self.machine, event)(when, *args, **kwargs)
        return self

    def to(self, when: float) -> Run:
        while (due := self.machine.deadline()) is not None and due <= when:
            self.actions += self.machine.tick(due)
        return self

    def hears(self, when: float, text: str, segment: int, *, final: bool = False, settled: bool = False) -> Run:
        return self.at(when, "transcript", text, final=final, segment=segment, settled=settled, utterance=0)

    @property
    def turns(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, EndTurn)]


def asked() -> Run:
    """The caller has said "two coffees", a turn from an interim of segment 3, and it is being answered."""
    run = Run().at(1.1, "speech_started", 1.0).at(2.2, "speech_paused", 2.0)
    return run.hears(2.3, "two coffees", 3).hears(2.3, "two coffees", 3, settled=True).to(2.5)


def heard() -> Run:
    """And the answer is heard."""
    return asked().at(2.6, "answer_began", 1).at(2.7, "agent_started", 1, 2.7)


@pytest.mark.parametrize("text", ["two coffees", "Two coffees.", "Two coffees please."])
def test_a_final_of_a_turn_whose_answer_is_heard_changes_nothing(text: str) -> None:
    run = heard().hears(2.9, text, 3, final=True).at(4.0, "agent_finished", 1, 4.0).to(9.0)
    assert run.turns == ["two coffees"]


def test_a_final_that_only_writes_the_words_otherwise_does_not_ask_anew() -> None:
    run = asked().hears(2.9, "Two coffees!", 3, final=True).to(4.0)
    assert run.actions == [EndTurn("two coffees", 1.0, 2.0)]


def test_a_final_with_other_words_asks_anew_while_nothing_was_heard() -> None:
    run = asked().hears(2.9, "Two coffees please.", 3, final=True).to(4.0)
    assert run.actions[1:] == [Interrupt((), True), EndTurn("Two coffees please.", 1.0, 2.0, True)]


def test_a_final_that_comes_while_the_caller_says_something_new_is_not_repeated_there() -> None:
    run = heard().at(4.0, "agent_finished", 1, 4.0).at(4.0, "answer_ended", 1)
    run.at(5.1, "speech_started", 5.0).hears(5.2, "Two coffees please.", 3, final=True)
    run.at(6.2, "speech_paused", 6.0).hears(6.3, "and a cake", 4).hears(6.3, "and a cake", 4, settled=True).to(9.0)
    assert run.turns == ["two coffees", "and a cake"]


def test_a_final_of_the_part_before_when_the_caller_goes_on_takes_its_place() -> None:
    run = asked().at(2.75, "speech_started", 2.65).hears(2.9, "Two coffees,", 3, final=True)
    run.at(4.2, "speech_paused", 4.0).hears(4.3, "and a cake", 4).hears(4.3, "and a cake", 4, settled=True).to(9.0)
    assert run.turns == ["two coffees", "Two coffees, and a cake"]


def test_a_flush_that_is_answered_with_an_old_segment_settles_the_pause() -> None:
    run = heard().at(4.0, "agent_finished", 1, 4.0).at(4.0, "answer_ended", 1)
    run.at(5.1, "speech_started", 5.0).at(5.4, "speech_paused", 5.2).hears(5.5, "two coffees", 3, settled=True).to(6.0)
    assert run.turns == ["two coffees"]
    assert run.machine.pending == ""


def test_words_of_a_new_utterance_begin_with_segment_0_again() -> None:
    run = Run()
    for number, start in enumerate((1.0, 6.0)):
        run.at(start + 0.1, "speech_started", start).at(start + 1.2, "speech_paused", start + 1)
        run.at(start + 1.3, "transcript", f"turn {number}", final=True, settled=True, utterance=number)
        run.to(start + 1.6).at(start + 1.7, "answer_began", number).at(
            start + 1.8, "agent_started", number, start + 1.8
        )
        run.at(start + 2.5, "agent_finished", number, start + 2.5).at(start + 2.5, "answer_ended", number)
    assert run.turns == ["turn 0", "turn 1"]


@given(st.permutations([(u, s) for u in range(3) for s in range(3)]), st.data())
def test_texts_stand_in_the_order_of_utterances_and_segments(order: list[tuple[int, int]], data: st.DataObject) -> None:
    speech = Speech()
    for utterance, segment in order:
        for text in data.draw(st.sampled_from([[""], ["x"], ["x", "y"]])):
            speech.hear(text, final=False, segment=segment, utterance=utterance)
        speech.hear(f"{utterance}{segment}", final=True, segment=segment, utterance=utterance)
        speech.hear("later", final=True, segment=segment, utterance=utterance)
    assert speech.text == "00 01 02 10 11 12 20 21 22"
    assert speech.last == (2, 2)


# --- words that come between a turn and its answer ----------------------------------------------------------


def test_words_that_come_while_an_answer_is_made_are_on_record_when_it_is_heard() -> None:
    run = asked().hears(2.55, "two coffees and a tea", 3).at(2.6, "answer_began", 1)
    assert [action for action in run.actions if isinstance(action, Correct)] == []  # it may still be asked anew
    run.at(2.7, "agent_started", 1, 2.7).at(4.0, "agent_finished", 1, 4.0)
    assert run.turns == ["two coffees"]
    assert run.actions[1:] == [Correct("two coffees", "two coffees and a tea")]
    run.hears(4.1, "Two coffees and a green tea.", 3, final=True)
    assert run.actions[2:] == [Correct("two coffees and a tea", "Two coffees and a green tea.")]


def test_words_that_come_while_an_answer_is_made_are_on_record_when_the_call_ends() -> None:
    run = asked().hears(2.55, "two coffees and a tea", 3).at(2.6, "answer_began", 1)
    assert run.machine.call_ended() == [Correct("two coffees", "two coffees and a tea")]
    assert run.machine.call_ended() == []


# --- an utterance that is recognised a second time --------------------------------------------------------------


@pytest.mark.parametrize("segments", [1, 2])
def test_an_utterance_recognised_anew_takes_the_place_of_what_was_final(segments: int) -> None:
    run = Run().at(1.1, "speech_started", 1.0)
    for segment, text in enumerate(("Two coffees.", "And tea.")[:segments]):
        run.hears(2.0, text, segment, final=True)
    run.at(3.2, "speech_paused", 3.0)
    run.at(3.4, "transcript", "Two coffees and tea please.", segment=0, utterance=0, anew=True)
    run.hears(3.4, "Two coffees and tea please.", 0, settled=True).to(4.0)
    assert run.turns == ["Two coffees and tea please."]


def test_a_turn_recognised_anew_when_its_answer_is_heard_is_put_right() -> None:
    run = heard().hears(2.9, "two coffees.", 3, final=True)
    run.at(3.0, "transcript", "Two coffees please.", segment=0, utterance=0, anew=True, final=True)
    assert run.actions[1:] == [Correct("two coffees", "Two coffees please.")]
    assert run.turns == ["two coffees"]
