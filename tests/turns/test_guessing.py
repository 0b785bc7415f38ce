"""Answers that are begun before it is certain that the caller is done."""

from __future__ import annotations

import pytest

from tests.turns.run import Run
from voiceloop.turns.endpointing import Endpointing, Wait
from voiceloop.turns.events import Discard, EndTurn, Hold, Speculate


class Whole(Endpointing):
    """What ends with "please" is whole."""

    def __init__(self):
        self.pauses = []

    def wait(self, turn, options):
        whole = turn.text.lower().rstrip(".").endswith("please")
        return Wait(options.silence if whole else options.unfinished, whole, "whole" if whole else "more to come")

    def went_on(self, pause):
        self.pauses.append(round(pause, 3))


def run(**options):
    return Run(endpointing=Whole(), **{"speculations": 2, **options})


def spoken(run, text, began, ended):
    """Speech with an interim 0.1 s behind its end; the recogniser settles later."""
    run.at(began + 0.1, "speech_started", began).at(ended + 0.1, "transcript", text)
    return run.at(ended + 0.16, "speech_paused", ended)


def test_the_first_short_silence_after_what_looks_whole_begins_an_answer():
    call = spoken(run(), "tea please", 1.0, 2.0)
    assert call.log == [(2.16, Speculate("tea please", 1.0, 2.0))]
    call.at(2.3, "transcript", "Tea, please.", final=True, settled=True).to(3.0)
    assert call.log[1:] == [(2.5, EndTurn("Tea, please.", 1.0, 2.0))]
    assert call.actions[1].guessed == 2.16
    assert call.actions[1].why == "whole"


def test_what_does_not_look_whole_begins_none():
    call = spoken(run(), "tea and", 1.0, 2.0).at(2.3, "transcript", "tea and", settled=True).to(4.0)
    assert call.log == [(3.6, EndTurn("tea and", 1.0, 2.0))]
    assert call.actions[0].guessed is None


def test_words_that_stand_for_long_enough_begin_an_answer_before_any_silence():
    call = run(stable=0.3).at(1.1, "speech_started", 1.0).at(1.5, "transcript", "tea please")
    call.at(1.6, "transcript", "tea please").to(2.5)
    assert call.log == [(1.8, Speculate("tea please", 1.0, 1.8))]


def test_who_speaks_on_takes_the_guess_back_at_once():
    call = spoken(run(), "tea please", 1.0, 2.0).at(2.4, "speech_started", 2.3)
    assert call.log[1:] == [(2.4, Discard())]


def test_other_words_take_the_guess_back_and_the_next_silence_makes_another():
    call = spoken(run(), "tea please", 1.0, 2.0).at(2.2, "transcript", "two teas please")
    assert call.log[1:] == [(2.2, Discard()), (2.2, Speculate("two teas please", 1.0, 2.0))]


def test_there_are_no_more_guesses_in_a_turn_than_the_option_says_and_as_many_again_in_the_next():
    call = run(speculations=1)
    spoken(call, "tea please", 1.0, 2.0).at(2.2, "transcript", "two teas please", final=True, settled=True).to(3.0)
    assert call.actions == [Speculate("tea please", 1.0, 2.0), Discard(), EndTurn("two teas please", 1.0, 2.0)]
    call.answer(1, 3.0, 3.2, 4.0)
    spoken(call, "one more please", 5.0, 6.0)
    assert call.actions[3:] == [Speculate("one more please", 5.0, 6.0)]


def test_with_none_there_is_never_one():
    call = spoken(run(speculations=0), "tea please", 1.0, 2.0).at(2.2, "transcript", "tea please", settled=True)
    assert call.to(5.0).actions == [EndTurn("tea please", 1.0, 2.0)]


def test_nothing_is_guessed_while_the_agent_has_the_floor():
    call = run().answer(1, 0.0, 0.2, protected=True)
    spoken(call, "tea please", 1.0, 2.0).at(2.3, "transcript", "tea please", settled=True).to(3.0)
    assert call.actions == []
    call.at(3.0, "agent_finished", 1, 3.0)
    assert call.actions == [EndTurn("tea please", 1.0, 2.0)]


def test_a_turn_that_goes_on_is_guessed_with_all_of_it():
    call = spoken(run(), "tea please", 1.0, 2.0).at(2.3, "transcript", "tea please", settled=True, final=True).to(2.6)
    call.answer(1, 2.6).at(2.8, "speech_started", 2.7).at(3.3, "transcript", "with milk please", segment=1)
    call.at(3.5, "speech_paused", 3.4)
    assert call.held == [(2.82, Hold((1,)))]
    assert call.actions[-1] == Speculate("tea please with milk please", 1.0, 3.4, continued=True)


# --- what the endpointing is told ---


def test_the_endpointing_learns_of_a_pause_inside_a_turn_once_words_have_followed_it():
    call = spoken(run(speculations=0), "tea and", 1.0, 2.0).at(2.9, "speech_started", 2.8)
    assert call.machine.heard.endpointing.pauses == []
    call.at(3.2, "transcript", "tea and cake")
    assert call.machine.heard.endpointing.pauses == [0.8]


def test_a_noise_in_a_pause_teaches_it_nothing():
    call = spoken(run(speculations=0), "tea and", 1.0, 2.0).at(2.9, "speech_started", 2.8)
    call.at(3.1, "speech_paused", 2.95).at(3.2, "transcript", "tea and", settled=True).to(6.0)
    assert call.machine.heard.endpointing.pauses == []


def test_it_learns_of_a_turn_that_was_ended_too_soon():
    call = spoken(run(), "tea please", 1.0, 2.0).at(2.3, "transcript", "tea please", settled=True, final=True).to(2.6)
    call.answer(1, 2.6).at(2.8, "speech_started", 2.7).at(3.3, "transcript", "with milk", segment=1)
    assert call.machine.heard.endpointing.pauses == [pytest.approx(0.7)]


def test_what_the_sound_says_is_asked_again_for_each_pause():
    seen = []

    class Listening(Whole):
        def wait(self, turn, options):
            seen.append(turn.judged)
            return Wait(0.3 if turn.judged and turn.judged > 0.5 else 1.0)

    call = Run(endpointing=Listening())
    call.at(1.1, "speech_started", 1.0).at(2.16, "speech_paused", 2.0).at(2.2, "transcript", "tea", settled=True)
    call.at(2.25, "judged", 0.9).to(2.4)
    assert call.log == [(2.3, EndTurn("tea", 1.0, 2.0))]
    assert set(seen) == {None, 0.9}
    seen.clear()
    call.answer(1, 2.4, 2.5, 3.0).turn("milk", 4.0, 5.0, segment=1).to(7.0)
    assert call.log[1:] == [(6.0, EndTurn("milk", 4.0, 5.0))]
    assert set(seen) == {None}
