"""An answer in the conversation, with rounds of tools between its parts."""

from __future__ import annotations

import pytest

from voiceloop.conversation import Conversation, ToolCall, ToolResult
from voiceloop.spoken_answer import SpokenAnswer

FIRST, SECOND = "Let me look.", "It was shipped today."
TEXT = f"{FIRST} {SECOND}"
CALL = ToolCall("t1", "order", '{"id": 7}')


def after(heard: str, *, interrupted: bool = False) -> list[str]:
    """A conversation in which so much was heard of an answer with one round of tools."""
    conversation = Conversation()
    conversation.add("user", "Where is it?")
    spoken = SpokenAnswer()
    round_ = spoken.add_round(conversation, len(FIRST), (CALL,), None)
    round_.given.results = (ToolResult("t1", "shipped"),)
    spoken.remember(conversation, TEXT, heard, TEXT[len(heard) :].strip(), interrupted)
    return [str(message) for message in conversation][1:]


TOOLS = ['assistant: [order({"id": 7})]', "tool: [shipped]"]


@pytest.mark.parametrize(
    ("heard", "messages"),
    [
        ("", TOOLS),
        ("Let me", ["assistant: Let me [cut: look. It was shipped today.]", *TOOLS]),
        (FIRST, ["assistant: Let me look. [cut: It was shipped today.]", *TOOLS]),
        (f"{FIRST} It was", ["assistant: Let me look.", *TOOLS, "assistant: It was [cut: shipped today.]"]),
        (TEXT, ["assistant: Let me look.", *TOOLS, "assistant: It was shipped today."]),
    ],
)
def test_each_part_stands_where_it_was_said(heard: str, messages: list[str]) -> None:
    assert after(heard) == messages


def test_parts_grow_as_they_are_heard() -> None:
    conversation, spoken = Conversation(), SpokenAnswer()
    spoken.remember(conversation, FIRST, "Let me", "look.", False)
    spoken.add_round(conversation, len(FIRST), (CALL,), None)
    for end in range(len("Let me"), len(TEXT) + 1):
        spoken.remember(conversation, TEXT, TEXT[:end].strip(), TEXT[end:].strip(), False)
    assert [message.text for message in conversation] == [FIRST, "", "", SECOND]
    assert [message.unheard for message in conversation] == ["", "", "", ""]


def test_only_the_part_that_was_cut_says_so() -> None:
    conversation, spoken = Conversation(), SpokenAnswer()
    spoken.add_round(conversation, len(FIRST), (CALL,), None)
    spoken.remember(conversation, TEXT, f"{FIRST} It was", "shipped today.", True)
    assert [message.interrupted for message in conversation] == [False, False, False, True]


def test_while_it_is_written_a_model_is_given_its_own_text_whole() -> None:
    conversation, spoken = Conversation(), SpokenAnswer()
    user = conversation.add("user", "Where is it?")
    made = spoken.add_round(conversation, len(FIRST), (CALL,), {"signed": "thought"})
    spoken.remember(conversation, FIRST, "Let", "me look.", False)
    part = conversation[1]
    assert spoken.as_written(user, FIRST) is user
    assert spoken.as_written(part, FIRST) is None
    written = spoken.as_written(made.asked, FIRST)
    assert written is not None
    assert (written.text, written.calls, written.echo) == (FIRST, (CALL,), {"signed": "thought"})
    assert spoken.as_written(made.given, FIRST) is made.given
