"""Speech over the agent: what pauses it, what interrupts it, and what lets it go on."""

from __future__ import annotations

import pytest

from tests.turns.run import Run
from voiceloop.turns.events import Correct, EndTurn, Hold, Interrupt, Release, SetAside
from voiceloop.turns.machine import Agent, Caller
from voiceloop.turns.rules import RULES, Rule, Situation, rules_with


def speaking(**options):
    """The agent speaks since 0.2."""
    return Run(**options).answer(1, 0.0, 0.2)


def test_a_cough_pauses_the_agent_and_it_goes_on_when_the_recogniser_has_heard_nothing():
    run = speaking().turn("", 1.0, 1.3)
    assert run.held == [(1.12, Hold((1,))), (1.6, Release((1,)))]
    assert run.actions == []
    assert run.machine.agent is Agent.SPEAKING


def test_a_recogniser_that_says_nothing_is_waited_for_no_longer_than_the_limit():
    run = speaking(confirm=0.8).at(1.1, "speech_started", 1.0).at(1.5, "speech_paused", 1.3).to(3.0)
    assert run.held == [(1.12, Hold((1,))), (2.1, Release((1,)))]


def test_words_that_come_after_the_agent_went_on_interrupt_it_all_the_same():
    run = speaking().at(1.1, "speech_started", 1.0).at(1.7, "speech_paused", 1.5).to(2.4)
    run.at(2.5, "transcript", "no coffee for me", final=True, settled=True).to(3.0)
    assert run.held == [(1.12, Hold((1,))), (2.3, Release((1,)))]
    assert run.log == [(2.5, Interrupt((1,))), (2.5, EndTurn("no coffee for me", 1.0, 1.5))]


@pytest.mark.parametrize("word", ["stop", "wait", "no", "Stop.", "hang on"])
def test_a_word_meant_to_stop_the_agent_interrupts_as_soon_as_it_is_recognised(word):
    run = speaking().at(1.1, "speech_started", 1.0).at(1.4, "transcript", word)
    assert run.log == [(1.4, Interrupt((1,)))]


def test_a_word_that_is_no_backchannel_interrupts_as_soon_as_it_is_recognised():
    run = speaking().at(1.1, "speech_started", 1.0).at(1.3, "transcript", "what")
    assert run.log == [(1.3, Interrupt((1,)))]


@pytest.mark.parametrize("word", ["mhm", "Yeah.", "okay", "uh-huh", "right", "yeah yeah"])
def test_a_backchannel_lets_the_agent_go_on_and_stays_on_record(word):
    run = speaking().turn(word, 1.0, 1.4).to(9.0)
    assert run.held == [(1.12, Hold((1,))), (1.7, Release((1,)))]
    assert run.log == [(2.7, SetAside(word, 1.0, 1.4))]
    assert run.machine.caller is Caller.SILENT


def test_a_backchannel_right_before_the_agent_is_done_is_an_answer():
    run = speaking().turn("yes", 1.0, 1.4).at(2.0, "agent_finished", 1, 2.0).at(2.0, "answer_ended", 1).to(3.0)
    assert run.log == [(2.0, EndTurn("yes", 1.0, 1.4))]


def test_a_backchannel_that_goes_on_to_say_something_interrupts_with_all_of_it():
    run = speaking().turn("yeah", 1.0, 1.4).at(1.9, "speech_started", 1.8)
    run.at(2.5, "transcript", "but I want tea", segment=1).at(2.9, "speech_paused", 2.7)
    run.at(3.0, "transcript", "but I want tea", segment=1, final=True, settled=True).to(4.0)
    assert run.log == [(2.5, Interrupt((1,))), (3.2, EndTurn("yeah but I want tea", 1.0, 2.7))]


def test_backchannels_do_not_wear_the_interruption_out():
    run = speaking().turn("mhm", 1.0, 1.3).turn("mhm", 4.0, 4.3, segment=1).turn("tea", 7.0, 7.5, segment=2)
    assert [when for when, action in run.held if isinstance(action, Hold)] == [1.12, 4.12, 7.12]


def test_noises_must_last_longer_and_longer_to_pause_the_agent_again():
    run = speaking()
    for start in (1.0, 3.0, 5.0, 7.0):  # up to four times as long
        run.turn("", start, start + 0.45)
    assert [when for when, action in run.held if isinstance(action, Hold)] == [1.12, 3.24, 5.48, 7.48]


def test_an_agent_is_held_no_longer_than_a_speech_that_interrupts_plus_the_time_to_confirm():
    run = speaking(certain=1.0, confirm=0.8)
    for start in (1.0, 1.4, 1.8, 2.2, 2.6, 3.0):  # a dog
        run.at(start + 0.1, "speech_started", start).at(start + 0.35, "speech_paused", start + 0.2)
    run.to(5.0)
    assert run.held[:2] == [(1.12, Hold((1,))), (pytest.approx(2.92), Release((1,)))]


def test_what_was_said_before_and_during_an_interruption_is_one_turn():
    run = Run().turn("I would like", 1.0, 2.0).answer(1, 2.6)
    run.at(2.75, "speech_started", 2.7).at(2.8, "agent_started", 1, 2.7)
    run.at(3.3, "transcript", "a coffee", segment=1).at(3.5, "speech_paused", 3.3)
    run.at(3.6, "transcript", "a coffee", segment=1, final=True, settled=True).to(4.0)
    turns = [action for action in run.actions if isinstance(action, EndTurn)]
    assert turns == [EndTurn("I would like", 1.0, 2.0), EndTurn("I would like a coffee", 1.0, 3.3, continued=True)]


def test_when_both_start_at_once_the_agent_yields_within_the_barge_in_time():
    run = Run().turn("hello", 1.0, 2.0).answer(1, 2.6)
    run.at(3.06, "speech_started", 3.0).at(3.1, "agent_started", 1, 3.0).to(3.5)
    assert run.held == [(3.12, Hold((1,)))]


def test_when_both_fall_silent_the_agent_goes_on():
    run = Run().turn("hello", 1.0, 2.0).answer(1, 2.6)
    run.at(3.06, "speech_started", 3.0).at(3.1, "agent_started", 1, 3.0).at(3.4, "speech_paused", 3.2)
    run.to(5.0)
    assert run.held[1:] == [(4.0, Release((1,)))]


def test_an_answer_that_begins_while_the_agent_is_held_is_held_too():
    run = Run().turn("a tea", 1.0, 2.0).to(2.55).at(2.7, "speech_started", 2.6).answer(1, 2.9)
    assert run.held == [(2.72, Hold(())), (2.9, Hold((1,)))]
    run.at(3.0, "speech_paused", 2.8).at(3.1, "transcript", "", final=True, settled=True, segment=1)
    assert run.held[2:] == [(3.1, Release((1,)))]


def test_while_it_is_held_the_model_is_not_held_to_be_silent():
    run = Run(model_limit=1.0, certain=5.0, confirm=3.0).turn("a tea", 1.0, 2.0).answer(1, 2.6)
    run.at(2.8, "speech_started", 2.7).at(3.0, "speech_paused", 2.9).to(5.8)
    assert run.log == [(2.5, EndTurn("a tea", 1.0, 2.0))]
    run.to(8.0)
    assert run.held[-1] == (5.9, Release((1,)))
    assert run.log[-1][0] == 6.9  # its second counts anew


def test_an_answer_that_ends_while_it_is_held_gives_the_floor_back():
    run = speaking().at(1.1, "speech_started", 1.0).to(1.2).at(1.3, "agent_finished", 1, 1.25)
    run.at(1.3, "answer_ended", 1)
    assert run.machine.agent is Agent.IDLE
    run.at(1.7, "speech_paused", 1.5).at(1.8, "transcript", "yes", final=True, settled=True).to(3.0)
    assert run.log == [(2.0, EndTurn("yes", 1.0, 1.5))]


# --- by what the agent is doing ---


def test_speech_over_what_is_protected_neither_pauses_nor_interrupts_it_and_is_answered_afterwards():
    run = Run().answer(1, 0.0, 0.2, protected=True).turn("stop it", 1.0, 1.5).to(3.0)
    assert (run.held, run.log) == ([], [])
    run.at(4.0, "agent_finished", 1, 4.0)
    assert run.log == [(4.0, EndTurn("stop it", 1.0, 1.5))]


def test_hello_over_the_greeting_is_no_interruption_and_over_any_other_answer_it_is():
    run = Run().at(0.0, "answer_began", 1, greeting=True).at(0.2, "agent_started", 1, 0.2).turn("hello?", 1.0, 1.4)
    assert run.to(9.0).log == [(2.7, SetAside("hello?", 1.0, 1.4))]
    assert speaking().turn("hello?", 1.0, 1.4).log == [(1.7, Interrupt((1,)))]


def test_while_a_tool_runs_no_noise_however_long_takes_the_answer_back():
    run = Run().turn("book it", 1.0, 2.0).answer(1, 2.6)
    run.machine.floor.tool_runs = True
    run.at(3.1, "speech_started", 3.0).to(9.0)
    assert run.actions == [EndTurn("book it", 1.0, 2.0)]
    assert run.held == [(3.12, Hold((1,))), (pytest.approx(4.92), Release((1,)))]
    assert run.at(9.0, "transcript", "for eight", segment=1).actions[1:] == [Interrupt((1,), withdrawn=True)]


def test_a_rule_may_let_speech_interrupt_at_once():
    rules = rules_with({Situation.SPEAKING: Rule("speech")})
    run = speaking(rules=rules).at(1.1, "speech_started", 1.0).to(2.0)
    assert run.log == [(1.12, Interrupt((1,)))]
    assert run.held == []


def test_a_rule_may_let_backchannels_interrupt():
    rules = rules_with({Situation.SPEAKING: Rule("long speech", backchannels=True)})
    assert speaking(rules=rules).turn("mhm", 1.0, 1.3).log == [(1.6, Interrupt((1,)))]


def test_rules_are_changed_one_by_one_and_a_wrong_one_is_refused():
    assert rules_with(None) == RULES
    assert rules_with({Situation.TOOL: Rule("nothing")})[Situation.TOOL] == Rule("nothing")
    with pytest.raises(TypeError, match="Situation"):
        rules_with({"tool running": Rule("nothing")})
    with pytest.raises(ValueError, match="long speech"):
        Rule("loud speech")


def test_a_noise_long_before_does_not_make_a_backchannel_long():
    run = speaking().turn("", 1.0, 1.3).turn("mhm", 4.0, 4.3).to(6.0)
    assert run.log == [(5.6, SetAside("mhm", 4.0, 4.3))]


def test_words_that_come_for_what_was_set_aside_put_the_record_right():
    run = speaking().at(1.1, "speech_started", 1.0).at(1.5, "transcript", "okay", utterance=0)
    run.at(1.7, "speech_paused", 1.5).to(5.0)
    assert run.log == [(3.5, SetAside("okay", 1.0, 1.5))]  # the recogniser never settled
    run.at(5.1, "transcript", "okay bring a cake", final=True, settled=True, utterance=0)
    assert run.log[1:] == [(5.1, Correct("okay", "okay bring a cake"))]
