"""Words of the caller that come too late for an answer stand in the conversation, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Conversation
from voiceloop.turns.events import Correct, EndTurn, Interrupt, TurnOptions
from voiceloop.turns.last_words import correct, keep
from voiceloop.turns.machine import TurnMachine
from voiceloop.turns.rules import RULES, Rule, Situation

AT_ONCE = {**RULES, Situation.THINKING: Rule("speech")}


def conversation(*said: str) -> Conversation:
    """``user`` says what has no sign before it, the agent what begins with ``>``."""
    made = Conversation()
    for text in said:
        made.add("assistant" if text.startswith(">") else "user", text.removeprefix(">"))
    return made


def texts(conversation: Conversation) -> list[str]:
    return [f">{message.text}" if message.role == "assistant" else message.text for message in conversation]


@pytest.mark.parametrize(
    ("held", "text", "before", "then"),
    [
        ([], "hello", "", ["hello"]),
        ([">Hi!"], "hello", "", [">Hi!", "hello"]),
        (["a tea", ">Sure."], "a tea", "", ["a tea", ">Sure.", "a tea"]),  # said again: that is another time
        # the caller went on before an answer was heard: the turn before is held already
        (["a tea"], "a tea with milk", "a tea", ["a tea with milk"]),
        (["a tea"], "a tea", "a tea", ["a tea"]),
        (["a", "tea"], "a tea with milk", "a tea", ["a", "tea with milk"]),
        (["a tea", ">One moment."], "a tea with milk", "a tea", ["a tea", ">One moment.", "with milk"]),
        (["a tee"], "a tea with milk", "a tea", ["a tee", "a tea with milk"]),  # not held: nothing is known of it
        # the recogniser has changed its mind
        (["to coffees"], "two coffees please", "to coffees", ["two coffees please"]),
        (["to", ">Yes?", "coffees"], "two coffees", "to coffees", ["to", ">Yes?", "coffees", "two coffees"]),
    ],
)
def test_what_was_said_last_is_kept_once(held: list[str], text: str, before: str, then: list[str]) -> None:
    made = conversation(*held)
    keep(made, text, before)
    assert texts(made) == then


@pytest.mark.parametrize(
    ("held", "before", "text", "then"),
    [
        (["a tea", ">Sure."], "a tea", "a tea please", ["a tea please", ">Sure."]),
        (["a tea", ">Sure.", "a tea"], "a tea", "a tea please", ["a tea", ">Sure.", "a tea please"]),
        (["a", "tea", ">Sure."], "a tea", "a tea please", ["a", "tea please", ">Sure."]),
        (["a", "tea"], "a tea", "the tee", ["a", "the tee"]),
        (["coffee"], "a tea", "a tea please", ["coffee"]),
    ],
)
def test_a_turn_that_was_understood_better_later_is_put_right(
    held: list[str], before: str, text: str, then: list[str]
) -> None:
    made = conversation(*held)
    correct(made, before, text)
    assert texts(made) == then


WORDS = st.lists(st.sampled_from(["a", "tea", "with", "milk"]), max_size=5).map(" ".join)


@given(st.lists(st.tuples(st.booleans(), WORDS), max_size=5), WORDS, WORDS)
def test_no_word_is_lost_and_the_agent_is_never_changed(held: list[tuple[bool, str]], before: str, more: str) -> None:
    made = conversation(*(f">{text}" if agent else text for agent, text in held))
    agent = [message.text for message in made if message.role == "assistant"]
    said = " ".join(message.text for message in made if message.role == "user").split()
    text = f"{before} {more}".strip()
    keep(made, text, before)
    now = " ".join(message.text for message in made if message.role == "user").split()
    assert [message.text for message in made if message.role == "assistant"] == agent
    assert len(said) <= len(now) <= len(said) + len(text.split())
    assert now[: len(said)] == said
    assert " ".join(now).endswith(more)


def turn(machine: TurnMachine, text: str, at: float, segment: int) -> list[object]:
    machine.speech_started(at, at)
    machine.speech_paused(at + 0.5, at + 0.4)
    machine.transcript(at + 0.5, text, segment=segment, utterance=0)
    return [*machine.transcript(at + 0.6, text, segment=segment, utterance=0, settled=True), *machine.tick(at + 1.0)]


def test_late_words_of_any_of_the_last_turns_correct_it_and_are_no_turn() -> None:
    machine = TurnMachine(TurnOptions(speculations=0), rules=AT_ONCE)
    machine.call_started(0.0)
    for number, text in enumerate(("two coffees", "and a cake", "that is all")):
        at = 1.0 + 4 * number
        assert turn(machine, text, at, number)[-1] == EndTurn(text, at, at + 0.4)
        machine.answer_began(at + 1.1, number)
        machine.agent_started(at + 1.2, number, at + 1.2)
        machine.agent_finished(at + 2.0, number, at + 2.0)
    late = machine.transcript(13.0, "Two coffees please.", final=True, segment=0, utterance=0)
    assert late == [Correct("two coffees", "Two coffees please.")]
    assert machine.transcript(13.1, "And a cake.", final=True, segment=1, utterance=0) == []  # only written otherwise
    assert machine.transcript(13.2, "Two coffees.", final=True, segment=0, utterance=0) == []  # a final is not revised
    assert machine.pending == ""


def test_words_of_a_turn_that_was_taken_back_are_no_correction() -> None:
    machine = TurnMachine(TurnOptions(speculations=0), rules=AT_ONCE)
    machine.call_started(0.0)
    turn(machine, "two coffees", 1.0, 0)
    machine.speech_started(2.2, 2.1)
    assert machine.tick(2.3) == [Interrupt((), withdrawn=True)]
    assert machine.transcript(2.4, "Two coffees please.", final=True, segment=0, utterance=0) == []
    assert machine.pending == "Two coffees please."
