"""What `AnthropicLLM` asks: every conversation becomes a request that the service takes, and keeps its cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.llm.anthropic_request import AnthropicOptions, Blocks, parsed, request
from voiceloop.llm.base import ToolSpec, Usage
from voiceloop.llm.history import estimate, estimate_json
from voiceloop.sim.anthropic import AnthropicSim
from voiceloop.sim.anthropic_cache import PromptCache, marks
from voiceloop.sim.anthropic_check import check
from voiceloop.sim.anthropic_wire import signature

PRICE = ToolSpec("price", "What a drink costs.", {"type": "object", "properties": {"drink": {"type": "string"}}})
HOURS = ToolSpec("hours", "")
MODEL = "claude-sim"

texts = st.one_of(st.sampled_from(["", " ", "\n"]), st.text(max_size=30))
ids = st.sampled_from(["t1", "t2", "t3", "call one", "é", ""])
arguments = st.sampled_from(["", "{}", '{"drink": "latte"}', "[1]", "{cut", '"x"', "null"])
calls = st.builds(ToolCall, ids, st.sampled_from(["price", "no such", ""]), arguments)
results = st.builds(ToolResult, ids, texts, st.booleans())


def block(kind: str) -> dict[str, Any]:
    return {
        "thinking": {"type": "thinking", "thinking": "Hm.", "signature": signature("Hm.")},
        "redacted_thinking": {"type": "redacted_thinking", "data": "c2Vj"},
        "text": {"type": "text", "text": "Let me see."},
        "blank": {"type": "text", "text": ""},
        "tool_use": {"type": "tool_use", "id": "t1", "name": "price", "input": {}},
    }[kind]


kinds = st.lists(st.sampled_from(["thinking", "redacted_thinking", "text", "blank", "tool_use"]), max_size=4)
echoes = st.builds(
    lambda model, found: Blocks(model, tuple(map(block, found))), st.sampled_from([MODEL, "another"]), kinds
)
messages = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    texts,
    calls=st.lists(calls, max_size=3).map(tuple),
    results=st.lists(results, max_size=3).map(tuple),
    echo=st.none() | echoes,
)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A turn as a call makes it: perhaps rounds of tools, perhaps cut at any place."""
    said = [Message("user", draw(texts))]
    for number in range(draw(st.integers(0, 2))):
        asked = tuple(ToolCall(f"t{number}{draw(st.integers(0, 99))}", "price", draw(arguments)) for _ in range(2))
        given_back = tuple(ToolResult(call.id, draw(texts), draw(st.booleans())) for call in asked)
        said.append(Message("assistant", draw(texts), calls=asked))
        said.append(Message("tool", "", results=given_back[: draw(st.integers(0, 2))]))
    said.append(Message("assistant", draw(texts), interrupted=draw(st.booleans())))
    return said[: draw(st.integers(1, len(said)))]


conversations = st.lists(messages, max_size=12) | st.lists(turns(), max_size=8).map(
    lambda found: [message for turn in found for message in turn]
)
options = st.builds(
    AnthropicOptions,
    max_tokens=st.just(50),
    context=st.sampled_from([None, 100, 300, 1000]),
    cache_ttl=st.sampled_from([None, "5m", "1h"]),
)


@given(conversations, options, st.sampled_from([(), (PRICE,), (PRICE, HOURS)]), st.integers(0, 5), st.booleans())
def test_every_conversation_becomes_a_request_that_the_service_takes(
    conversation: list[Message], wanted: AnthropicOptions, tools: tuple[ToolSpec, ...], fixed: int, only_cache: bool
) -> None:
    # What every conversation begins with are instructions and examples.
    beginning = [Message(m.role, m.text) for m in conversation[:fixed] if m.role != "tool"]
    asked = [*beginning, *conversation[fixed:]]
    body = request(wanted, MODEL, asked, tools, fixed=len(beginning), only_cache=only_cache)
    check(json.loads(json.dumps(body)))
    assert bool(marks(body)) == (wanted.cache_ttl is not None)


@given(conversations)
def test_without_a_limit_no_word_is_lost(conversation: list[Message]) -> None:
    body = request(AnthropicOptions(context=None), MODEL, conversation, [PRICE])
    found = json.dumps(body, ensure_ascii=False)
    plain = [m for m in conversation if m.role in ("user", "assistant") and m.text.strip() and m.echo is None]
    for message in plain:
        assert json.dumps(message.text, ensure_ascii=False) in found


# --- in detail ----------------------------------------------------------------------------------------------------


def asked(*conversation: Message, tools: Sequence[ToolSpec] = (PRICE,), fixed: int = 0) -> list[dict[str, Any]]:
    """The messages of a request without marks of the cache."""
    body = request(AnthropicOptions(cache_ttl=None), MODEL, conversation, tools, fixed=fixed)
    found: list[dict[str, Any]] = body["messages"]
    return found


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_two_turns_of_one_side_are_blocks_of_one_message_so_that_the_first_stays_as_it_was_sent() -> None:
    conversation = [Message("user", "A latte."), Message("assistant", ""), Message("user", "Or tea.")]
    assert asked(*conversation) == [{"role": "user", "content": [text("A latte."), text("Or tea.")]}]


def test_a_greeting_is_the_answer_to_a_hello_and_the_last_word_is_the_callers() -> None:
    assert asked(Message("assistant", "Corner Coffee!")) == [
        {"role": "user", "content": [text("Hello?")]},
        {"role": "assistant", "content": [text("Corner Coffee!")]},
        {"role": "user", "content": [text("Hello?")]},
    ]


def test_results_come_first_in_the_message_behind_the_calls_and_in_their_order() -> None:
    one, two = ToolCall("t1", "price", '{"drink": "tea"}'), ToolCall("t2", "price", "{broken")
    conversation = [
        Message("user", "What is tea?"),
        Message("assistant", "", calls=(one, two)),
        Message("tool", "", results=(ToolResult("t2", "", error=True), ToolResult("t1", "3"), ToolResult("t9", "?"))),
        Message("user", "Hello?"),
    ]
    assert asked(*conversation)[1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "price", "input": {"drink": "tea"}},
                {"type": "tool_use", "id": "t2", "name": "price", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "3"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "failed", "is_error": True},
                text("Hello?"),
            ],
        },
    ]


def test_identifiers_that_the_service_refuses_are_sent_as_others_that_stay_apart() -> None:
    made = tuple(ToolCall(name, "price") for name in ("a b", "a_b", "", "a  b"))
    found = asked(Message("user", "Tea?"), Message("assistant", "", calls=made))
    used = [each["id"] for each in found[1]["content"]]
    assert used == ["a_b", "a_b_", "call", "a_b__"]
    assert [each["tool_use_id"] for each in found[2]["content"]] == used


def test_a_model_that_is_offered_no_tools_is_told_of_none() -> None:
    conversation = [
        Message("user", "What is tea?"),
        Message("assistant", "Let me see.", calls=(ToolCall("t1", "price"),)),
        Message("tool", "", results=(ToolResult("t1", "3"),)),
        Message("assistant", "Three dollars."),
        Message("user", "Fine."),
    ]
    assert asked(*conversation, tools=()) == [
        {"role": "user", "content": [text("What is tea?")]},
        {"role": "assistant", "content": [text("Let me see."), text("Three dollars.")]},
        {"role": "user", "content": [text("Fine.")]},
    ]


def test_thoughts_stay_where_what_was_said_has_changed_and_go_where_another_model_wrote_them() -> None:
    call = ToolCall("t1", "price")
    for model, first in ((MODEL, ["thinking", "text", "tool_use"]), ("another", ["text", "tool_use"])):
        echo = Blocks(model, tuple(map(block, ["thinking", "text", "tool_use"])))
        found = asked(Message("user", "Tea?"), Message("assistant", "Let me", calls=(call,), echo=echo))
        assert [each["type"] for each in found[1]["content"]] == first
        assert found[1]["content"][-2] == text("Let me")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("", {}), (" ", {}), ('{"a": 1}', {"a": 1}), ("[1]", None), ("{", None), ("null", None), ('"x"', None)],
)
def test_only_objects_are_arguments(written: str, meant: dict[str, Any] | None) -> None:
    assert parsed(written) == meant


def test_marks_stand_behind_tools_instructions_examples_and_the_last_words() -> None:
    conversation = [
        Message("system", "Be kind."),
        Message("user", "Hi?"),
        Message("assistant", "Hello!"),
        Message("user", "Hey."),
        Message("assistant", "Corner Coffee!"),
        Message("user", "Tea."),
    ]
    body = request(AnthropicOptions(), MODEL, conversation, [PRICE, HOURS], fixed=3)
    found = [each.get("name") or each["text"] for each, _ in marks(body)]
    assert found == ["hours", "Be kind.", "Hello!", "Tea."]


def test_examples_and_instructions_stay_when_turns_go() -> None:
    beginning = [Message("system", "Be kind."), Message("user", "Hi?"), Message("assistant", "Hello!")]
    rest = [Message(("user", "assistant")[at % 2], f"{at} ".ljust(60, "x")) for at in range(41)]  # type: ignore[arg-type]
    body = request(AnthropicOptions(max_tokens=50, context=500), MODEL, [*beginning, *rest], fixed=3)
    first, second, third = (message["content"][0]["text"] for message in body["messages"][:3])
    assert (first, second) == ("Hi?", "Hello!")
    assert third.split()[0] not in ("0", "1")
    assert body["messages"][-1]["content"][-1]["text"].startswith("40 ")


# --- long calls ---------------------------------------------------------------------------------------------------

INSTRUCTIONS = "You take orders on the phone for Corner Coffee. " * 100
EXAMPLES = [Message("user", "Is there tea?"), Message("assistant", "Yes, black and green.")]
BEGINNING = [Message("system", INSTRUCTIONS), *EXAMPLES]


def long_call(length: int) -> Iterator[list[Message]]:
    """The conversation at each turn; every fourth one asks for a tool."""
    conversation = [Message("user", "Hello?"), Message("assistant", "Corner Coffee, hi!")]
    for number in range(length):
        conversation.append(Message("user", f"This is turn {number}, and I would like to know what a latte costs."))
        yield [*BEGINNING, *conversation]
        if number % 4 == 3:
            call = ToolCall(f"t{number}", "price", '{"drink": "latte"}')
            conversation.append(Message("assistant", "Let me see.", calls=(call,)))
            if number % 8 == 3:  # in every other case a barge-in cuts it
                conversation.append(Message("tool", "", results=(ToolResult(call.id, '{"dollars": 4}'),)))
                yield [*BEGINNING, *conversation]
        conversation.append(
            Message("assistant", f"In turn {number} it is four dollars, as it was before. Anything else?")
        )


async def test_a_call_of_two_hundred_turns_stays_within_its_limit_and_reads_most_from_the_cache() -> None:
    wanted = AnthropicOptions(context=8000)
    sim = AnthropicSim(["Four dollars."])
    counts, starts, kept = [], [], 0
    async with sim.listening() as base_url:
        llm = AnthropicLLM(MODEL, base_url=base_url, options=wanted)
        await llm.prepare(BEGINNING, [PRICE])
        for messages in long_call(200):
            async with aclosing(llm.respond(messages, [PRICE])) as items:
                counts += [item async for item in items if isinstance(item, Usage) and item.input_tokens]
        await llm.aclose()
    for each in sim.requests:
        assert each.refusal == ""
        told = each.messages
        kept = max(kept, estimate(told) + estimate_json(each.body["tools"]) + wanted.max_tokens)
        assert told[1:3] == EXAMPLES
        starts.append(told[3].text)
    assert len(counts) == len(sim.requests) == 225
    assert kept <= 8000
    whole = sum(count.input_tokens for count in counts)
    share = sum(count.cached_tokens for count in counts) / whole
    written = sum(count.cache_write_tokens for count in counts) / whole
    trims = sum(before != after for before, after in pairwise(starts))
    print(
        f"\n{len(counts)} requests: {share:.1%} of the input read from the cache, {written:.1%} written, {trims} trims"
    )
    assert share > 0.9
    assert trims <= 8
    assert starts[-1].startswith("This is turn ")


def test_a_limit_that_trims_at_every_turn_would_lose_the_cache() -> None:
    """What trimming in blocks is worth: the same call, trimmed to the last turns that fit."""

    def share(cut: int | None) -> float:
        cache, read, whole = PromptCache(1024), 0, 0
        for now, messages in enumerate(long_call(200)):
            shown = messages if cut is None else [*BEGINNING, *messages[len(BEGINNING) :][-cut:]]
            body = request(AnthropicOptions(context=8000 if cut is None else None), MODEL, shown, [PRICE], fixed=3)
            reading = cache.look_up(body, float(now))
            cache.keep(reading, float(now))
            read, whole = read + reading.read, whole + reading.total
        return read / whole

    assert share(None) > share(80) + 0.1
