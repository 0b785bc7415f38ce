"""The agent's words come back over the line and are taken out; what the caller was detected to say stays theirs."""

from __future__ import annotations

import pytest

from voiceloop.conversation import Conversation
from voiceloop.turns.own_words import LASTS, OwnWords
from voiceloop.turns.said import Said


def told(text: str) -> Conversation:
    """The agent has said something."""
    conversation = Conversation()
    conversation.add("assistant", text)
    return conversation


def ended(text: str, *, segment: int = 3, utterance: int | None = 0) -> Said:
    """The caller has said something, and it is a turn."""
    said = Said()
    said.began(1.0)
    said.hear(text, final=False, segment=segment, settled=False, utterance=utterance, open_turn=False)
    assert said.end_turn()[0] == text
    return said


@pytest.mark.parametrize(
    ("heard", "after", "speech", "returns", "left"),
    [
        ("latte", 0.5, False, False, ""),  # nobody spoke: it is the agent's
        ("latte", LASTS + 0.1, False, False, "latte"),
        ("latte", 0.5, True, False, "latte"),
        ("coffee latte and mocha", 0.5, True, False, "coffee latte and mocha"),  # the caller repeats it
        ("coffee latte and mocha", 0.5, True, True, ""),  # but this line echoes
        ("water", 0.5, False, False, "water"),
    ],
)
def test_words_are_the_agents_where_nobody_was_detected_to_speak(
    heard: str, after: float, speech: bool, returns: bool, left: str
) -> None:
    own = OwnWords()
    own.sounds(10.0)
    conversation = told("We have coffee, latte and mocha.")
    assert own.taken_out(heard, 10.0 + after, conversation, speech=speech, returns=returns) == left


def test_a_late_final_is_known_to_be_of_a_turn() -> None:
    said = ended("latte")
    assert said.knows(3, 0)
    assert said.knows(2, 0)
    assert not said.knows(4, 0)
    assert not said.knows(0, 1)


def test_so_it_is_where_nobody_numbers_utterances_until_it_is_final() -> None:
    said = ended("latte", segment=0, utterance=None)
    assert said.knows(0, None)
    assert not said.knows(1, None)
    said.hear("Latte.", final=True, segment=0, settled=False, utterance=None, open_turn=True)
    assert not said.knows(0, None)  # what comes now is of the next utterance


def test_nothing_is_known_of_what_is_in_no_turn_yet() -> None:
    said = Said()
    said.began(1.0)
    said.hear("latte", final=False, segment=0, settled=False, utterance=0, open_turn=False)
    assert not said.knows(0, 0)
