"""Keeping a conversation within what a model can read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.history import (
    CANCELLED,
    alternating,
    as_remembered,
    estimate,
    estimate_json,
    fit,
    paired,
    remembered,
)


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


# --- tools ----------------------------------------------------------------------------------------------------------

ONE, TWO = ToolCall("t1", "price", '{"drink": "tea"}'), ToolCall("t2", "price", '{"drink": "latte"}')


def used(*results: ToolResult, text: str = "Let me see.") -> list[Message]:
    """A turn in which two prices are asked for."""
    return [
        Message("user", "What are tea and a latte?"),
        Message("assistant", text, calls=(ONE, TWO)),
        Message("tool", "", results=results),
        Message("assistant", "Three and four."),
    ]


def test_chat_templates_are_told_nothing_of_tools() -> None:
    assert roles_and_texts(alternating(used(ToolResult("t1", "3"), ToolResult("t2", "4")))) == [
        ("user", "What are tea and a latte?"),
        ("assistant", "Let me see. Three and four."),
    ]
    assert all(not message.calls and not message.results for message in alternating(used()))


def test_calls_with_their_results_stay_as_they_are() -> None:
    messages = used(ToolResult("t1", "3"), ToolResult("t2", "4"))
    kept = paired(messages)
    assert [id(message) for message in kept] == [id(message) for message in messages]


def test_each_call_has_one_result_right_behind_in_the_order_asked() -> None:
    messages = used(ToolResult("t2", "4"), ToolResult("t9", "whose?"), ToolResult("t1", "3"), ToolResult("t1", "again"))
    assert paired(messages)[2] == Message("tool", "", results=(ToolResult("t1", "3"), ToolResult("t2", "4")))


def test_a_call_without_a_result_was_cancelled() -> None:
    cancelled = ToolResult("t2", CANCELLED, error=True)
    assert paired(used(ToolResult("t1", "3")))[2].results == (ToolResult("t1", "3"), cancelled)
    cut = [Message("assistant", "", calls=(TWO,)), Message("user", "No.")]
    assert paired(cut) == [cut[0], Message("tool", "", results=(cancelled,)), cut[1]]
    assert paired(cut[:1]) == [cut[0], Message("tool", "", results=(cancelled,))]


def test_results_that_nobody_asked_for_and_calls_that_were_made_before_go() -> None:
    messages = [
        Message("tool", "", results=(ToolResult("t1", "3"),)),
        Message("assistant", "", calls=(ONE,)),
        Message("tool", "", results=(ToolResult("t1", "3"),)),
        Message("tool", "", results=(ToolResult("t1", "4"),)),
        Message("assistant", "Again.", calls=(ONE,), echo="as written"),
        Message("tool", "", results=(ToolResult("t1", "5"),)),
    ]
    assert paired(messages) == [messages[1], messages[2], Message("assistant", "Again.")]


tools = st.sampled_from(["t1", "t2", "t3"])
anything = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    st.text(max_size=5),
    calls=st.lists(st.builds(ToolCall, tools, st.just("price")), max_size=2).map(tuple),
    results=st.lists(st.builds(ToolResult, tools, st.text(max_size=5)), max_size=2).map(tuple),
)


def broken_pairs(messages: list[Message]) -> list[Message]:
    """Messages whose calls and results do not match."""
    return [
        message
        for before, message in zip([Message("user", ""), *messages], [*messages, Message("user", "")], strict=True)
        if [call.id for call in before.calls] != [result.id for result in message.results]
    ]


@given(st.lists(anything, max_size=12), st.integers(0, 300), st.integers(0, 4))
def test_neither_pairing_nor_leaving_out_breaks_a_pair(messages: list[Message], tokens: int, fixed: int) -> None:
    whole = paired(messages)
    assert broken_pairs(whole) == []
    fixed = min(fixed, next((at for at, message in enumerate(whole) if message.calls), fixed))
    turns = [message for message in whole if message.role != "system"]
    kept = [message for message in fit(whole, tokens, fixed=fixed) if message.role != "system"]
    assert broken_pairs(kept) == []
    assert kept[:1] == turns[:1] or not fixed or whole[0].role == "system"
    assert kept[-1:] == turns[-1:]


def test_what_a_tool_was_asked_for_stays_with_its_result() -> None:
    old = [Message("user", "x" * 300), Message("assistant", "y" * 300)]
    last = used(ToolResult("t1", "3" * 900), ToolResult("t2", "4"))[:3]
    assert fit([*old, *last], 100) == last


def test_what_never_changes_stays_and_the_oldest_turns_behind_it_go() -> None:
    messages = talk(41)
    kept = fit(messages, 400, fixed=3)
    assert kept[:3] == messages[:3]
    assert kept[3:] == messages[-len(kept) + 3 :]
    assert kept[3].role == "user"
    assert 10 < len(kept) < 41
    assert estimate(kept) <= 400


def test_calls_results_and_echoes_are_counted() -> None:
    plain = [Message(message.role, message.text) for message in used()]
    with_results = used(ToolResult("t1", "3" * 300), ToolResult("t2", "4"))
    assert estimate(with_results) >= estimate(plain) + 100 + 4 * 24
    assert estimate([Message("assistant", "", echo="x" * 300)]) == estimate([Message("assistant", "x" * 300)])
    assert estimate_json([]) == 0
    assert estimate_json({"a": "x" * 291}) == 100


def cut(text: str, unheard: str) -> Message:
    return Message("assistant", text, unheard, interrupted=True)


def test_a_cut_answer_is_remembered_with_a_dash_where_it_was_cut() -> None:
    assert as_remembered(cut("We have coffee, latte,", "and mocha.")) == "We have coffee, latte —"
    assert as_remembered(cut("We have coffee", "and tea.")) == "We have coffee —"
    assert as_remembered(cut("It is open.", "Until six.")) == "It is open. —"
    assert as_remembered(cut("Well …", "yes.")) == "Well —"


def test_what_was_heard_to_its_end_is_remembered_as_it_is() -> None:
    assert as_remembered(cut("It is open.", "")) == "It is open."
    assert as_remembered(cut("It is open.", " …")) == "It is open."
    assert as_remembered(Message("assistant", "Well,", "yes.")) == "Well,"
    assert as_remembered(cut("", "Hello.")) == ""


def test_asides_are_not_given_to_models_and_remembering_twice_changes_nothing() -> None:
    messages = [Message("user", "Hello"), cut("We have,", "tea."), Message("user", "mhm", aside=True)]
    once = remembered(messages)
    assert [message.text for message in once] == ["Hello", "We have —"]
    assert remembered(once) == once
    assert messages[1].text == "We have,"
    assert str(messages[2]) == "user (aside): mhm"
