"""Keeping a conversation within what a model can read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Message
from voiceloop.llm.history import alternating, estimate, fit


def talk(turns: int, length: int = 30) -> list[Message]:
    roles = ("user", "assistant")
    return [Message("system", "Be kind.")] + [
        Message(roles[at % 2], f"{at} ".ljust(length, "x"))  # type: ignore[arg-type]
        for at in range(turns)
    ]


def test_what_fits_stays_as_it_is() -> None:
    messages = talk(5)
    assert fit(messages, 1000) == messages


def test_the_oldest_turns_go_and_the_instructions_stay() -> None:
    messages = talk(41)
    kept = fit(messages, 400)
    assert kept[0] is messages[0]
    assert kept[1:] == messages[-len(kept) + 1 :]
    assert kept[1].role == "user"
    assert estimate(kept) <= 400


def test_half_of_the_room_is_freed_at_once_so_the_beginning_changes_seldom() -> None:
    starts = [fit(talk(turns), 400)[1].text for turns in range(21, 121, 2)]
    assert len(set(starts)) < len(starts) / 3


def test_the_last_message_stays_even_when_it_is_too_long() -> None:
    messages = [Message("system", "s" * 900), Message("user", "old"), Message("user", "u" * 5000)]
    assert fit(messages, 100) == [messages[0], messages[2]]


@given(
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=60)), max_size=20),
    st.integers(0, 600),
)
def test_only_turns_are_left_out_and_only_from_the_front(messages: list[Message], tokens: int) -> None:
    kept = fit(messages, tokens)
    turns = [m for m in messages if m.role != "system"]
    kept_turns = [m for m in kept if m.role != "system"]
    assert [m for m in kept if m.role == "system"] == [m for m in messages if m.role == "system"]
    assert kept_turns == turns[len(turns) - len(kept_turns) :]
    assert bool(kept_turns) == bool(turns)


def roles_and_texts(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages]


def test_a_conversation_that_the_agent_opens_begins_with_the_caller() -> None:
    messages = [Message("system", "Be kind."), Message("assistant", "Corner Coffee, hi!"), Message("user", "Hey.")]
    assert roles_and_texts(alternating(messages)) == [
        ("system", "Be kind."),
        ("user", "Hello?"),
        ("assistant", "Corner Coffee, hi!"),
        ("user", "Hey."),
    ]
    assert roles_and_texts(alternating(messages[:1])) == [("system", "Be kind."), ("user", "Hello?")]


def test_turns_of_the_same_side_become_one_and_empty_ones_go() -> None:
    messages = [
        Message("user", "I want"),
        Message("assistant", ""),
        Message("user", "a latte."),
        Message("system", "x"),
    ]
    assert roles_and_texts(alternating(messages)) == [("system", "x"), ("user", "I want a latte.")]


@given(st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=9)), max_size=20))
def test_whatever_comes_in_the_sides_take_turns_and_no_word_is_lost(messages: list[Message]) -> None:
    turns = [message for message in alternating(messages) if message.role != "system"]
    assert [message.role for message in turns] == [("user", "assistant")[at % 2] for at in range(len(turns))]
    said = " ".join(message.text for message in messages if message.role != "system").split()
    assert " ".join(message.text for message in turns).split() in (said, ["Hello?", *said])
