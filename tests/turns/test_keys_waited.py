"""The wait for more keys is a wait for the end of the turn, and not for the recogniser."""

from __future__ import annotations

import pytest

from tests.turns.run import Run
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.events import EndTurn, TurnOptions
from voiceloop.turns.keys import KeyOptions
from voiceloop.turns.machine import TurnMachine


class Keyed(Run):
    """A run with keys."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = TurnMachine(TurnOptions(speculations=0), None, FixedSilence(), keys=KeyOptions(timeout=2.0))
        self.note(self.machine.call_started(0.0))


def test_the_silence_that_ended_an_entry_is_the_time_in_which_no_key_came():
    run = Keyed().at(1.0, "digit", "7").to(9.0)
    (ended,) = [action for action in run.actions if isinstance(action, EndTurn)]
    assert (ended.text, ended.ended) == ("[keys: 7]", 1.0)
    assert ended.silence == pytest.approx(2.0)


def test_a_turn_that_keys_go_on_from_is_no_backchannel_to_the_next_answer():
    run = Keyed().answer(1, 0.0, 0.0).turn("mhm", 1.0, 1.1)
    run.at(1.5, "agent_finished", 1, 1.5).at(1.5, "answer_ended", 1).to(1.7)
    run.at(1.7, "answer_began", 2).at(1.75, "agent_started", 2, 1.75).at(1.9, "digit", "1")
    run.at(2.1, "answer_began", 3).at(2.2, "agent_started", 3, 2.2).to(5.0)
    run.at(5.0, "agent_finished", 3, 5.0).at(5.0, "answer_ended", 3).to(9.0)
    assert [action.text for action in run.actions if isinstance(action, EndTurn)] == ["mhm", "mhm [keys: 1]"]


def test_an_entry_with_its_last_key_ends_the_turn_without_a_silence():
    run = Keyed().at(1.0, "digit", "7").at(1.2, "digit", "#").to(9.0)
    (ended,) = [action for action in run.actions if isinstance(action, EndTurn)]
    assert (ended.ended, ended.silence) == (1.2, 0.0)
