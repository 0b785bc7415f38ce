"""An agent that is paused is let go on, whatever comes in between; and late words are not lost."""

from __future__ import annotations

from tests.turns.run import Run
from voiceloop.turns.events import EndTurn, Hold, Interrupt, Release, SetAside
from voiceloop.turns.machine import Agent
from voiceloop.turns.rules import Rule, Situation, rules_with


def speaking(**options):
    """The agent speaks since 0.2."""
    return Run(**options).answer(1, 0.0, 0.2)


def test_the_last_words_of_a_call_that_ends_meanwhile_are_let_go_on():
    run = speaking().at(1.1, "speech_started", 1.0).to(1.2)
    run.machine.ending = True
    run.to(1.3)
    assert run.held == [(1.12, Hold((1,))), (1.2, Release((1,)))]
    assert run.machine.agent is Agent.SPEAKING


def test_an_agent_that_was_paused_goes_on_when_a_tool_begins_that_nothing_interrupts():
    run = speaking(rules=rules_with({Situation.TOOL: Rule("nothing")})).at(1.1, "speech_started", 1.0).to(1.2)
    run.machine.floor.tool_runs = True
    run.note(run.machine.tick(1.2))
    assert run.held == [(1.12, Hold((1,))), (1.2, Release((1,)))]


def test_an_agent_that_was_paused_goes_on_after_a_noise_where_speech_would_have_interrupted_it():
    run = speaking(rules=rules_with({Situation.TOOL: Rule("speech")})).at(1.1, "speech_started", 1.0)
    run.at(1.5, "speech_paused", 1.3)
    run.machine.floor.tool_runs = True
    run.note(run.machine.tick(1.5))
    assert run.held == [(1.12, Hold((1,))), (1.5, Release((1,)))]
    assert run.log == []


def test_what_is_paused_behind_what_may_not_be_interrupted_stays_paused_until_that_is_over():
    run = Run().answer(1, 0.0, protected=True).answer(2, 0.1).at(0.2, "speech_started", 0.1).to(0.3)
    assert run.held == [(0.22, Hold((2,)))]
    run.at(0.4, "agent_started", 1, 0.4).at(0.6, "speech_paused", 0.5).to(3.0)
    assert run.held == [(0.22, Hold((2,)))]
    run.at(3.0, "agent_finished", 1, 3.0)
    assert run.held == [(0.22, Hold((2,))), (3.0, Release((2,)))]


def test_a_backchannel_is_not_set_aside_while_the_recogniser_may_find_more_in_it():
    run = speaking().at(1.1, "speech_started", 1.0).at(1.4, "speech_paused", 1.2)
    run.at(1.7, "speech_started", 1.5).at(2.1, "speech_paused", 1.9)
    run.at(2.6, "transcript", "mhm", settled=False)  # it is slow: this is of the first part
    run.at(3.8, "transcript", "mhm a latte", final=True, settled=True).to(5.0)
    assert run.log == [(3.8, Interrupt((1,))), (3.8, EndTurn("mhm a latte", 1.0, 1.9))]


def test_a_recogniser_that_never_settles_lets_a_backchannel_be_set_aside_at_its_limit():
    run = speaking().at(1.1, "speech_started", 1.0).at(1.4, "speech_paused", 1.2)
    run.at(1.6, "transcript", "mhm").to(6.0)
    assert run.log == [(3.2, SetAside("mhm", 1.0, 1.2))]
