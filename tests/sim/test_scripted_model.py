"""A simulated model that follows a conversation, or repeats what it hears."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.sim.scripted_model import LOST, ScriptedModel, ScriptError, exchanges_of, lines_of, repeating

CONVERSATION = [
    ["How much is a latte?", ["One second.", ["price", {"drink": "latte"}]], "It is $4.50."],
    ["- One mocha, please.", "One mocha."],
]


def test_a_conversation_is_read_from_json() -> None:
    exchanges = exchanges_of(json.dumps(CONVERSATION))
    assert lines_of(exchanges) == [("How much is a latte?", False), ("One mocha, please.", True)]
    model = ScriptedModel(exchanges)
    asked = [Message("user", "how much is a latte")]
    first = model(asked)
    assert (first.text, [(tool.name, tool.input) for tool in first.tools]) == (
        "One second.",
        [("price", {"drink": "latte"})],
    )
    assert model([*asked, Message("tool", "")]).text == "It is $4.50."
    assert model([Message("user", "One mocha, please.")]).text == "One mocha."
    assert model([Message("user", "something quite different")]).text == LOST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a conversation as JSON"),
        ("[" * 100_000, "expected a conversation as JSON"),
        ("[]", "a list that is not empty"),
        ('{"a": 1}', "a list that is not empty"),
        ('["How much?"]', "exchange 1: expected what the caller says, then answers"),
        ('[["How much?", "Four."], ["And?"]]', "exchange 2"),
        ('[["How much?", 4]]', "exchange 1"),
        ('[["How much?", ["One.", ["price"]]]]', "exchange 1"),
        ('[["How much?", ["One.", ["price", 4]]]]', "exchange 1"),
    ],
)
def test_what_is_no_conversation_is_refused(text: str, said: str) -> None:
    with pytest.raises(ScriptError) as error:
        exchanges_of(text)
    assert said in str(error.value)


def test_without_a_conversation_it_repeats_the_caller() -> None:
    said: list[Any] = [Message("user", "A tea."), Message("assistant", "Okay."), Message("user", "Two teas.")]
    assert repeating(said).text == "You said: Two teas."
    assert repeating([]).text == LOST
