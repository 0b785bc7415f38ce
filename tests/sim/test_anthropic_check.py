"""What the simulated Anthropic service refuses."""

from __future__ import annotations

from typing import Any

import pytest

from voiceloop.sim.anthropic_check import Invalid, check
from voiceloop.sim.anthropic_wire import signature

SAID = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "price", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "4"}
TOOL = {"name": "price", "input_schema": {"type": "object"}}
MARK = {"type": "ephemeral"}
BODY: dict[str, Any] = {"model": "m", "max_tokens": 10, "messages": [SAID], "tools": [TOOL]}


def answer(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def said(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(what: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": what, **more}


def thought(what: str, vouched: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": what, "signature": vouched}


@pytest.mark.parametrize(
    "messages",
    [
        [SAID],
        [SAID, SAID],  # two of one role are one
        [SAID, answer(text("Hello.")), SAID],
        [SAID, answer(USE), said(RESULT)],
        [SAID, answer(text("Let me see."), USE), said(RESULT, text("Well?"))],
        [SAID, answer(USE), said(RESULT), said(text("Well?"))],
        [SAID, answer(thought("Hm", signature("Hm")), USE), said(RESULT)],
        [SAID, answer(USE), said({"type": "tool_result", "tool_use_id": "t1"})],
    ],
)
def test_what_is_right_passes(messages: list[Any]) -> None:
    check({**BODY, "messages": messages})


@pytest.mark.parametrize(
    ("messages", "refusal"),
    [
        ([], "at least one message is required"),
        ([answer(text("Hi."))], 'first message must use the "user" role'),
        ([SAID, answer(text("Well"))], "does not support assistant message prefill"),
        ([{"role": "system", "content": "x"}], "Unexpected role 'system'"),
        ([{**SAID, "name": "x"}], r"messages.0.name: Extra inputs are not permitted"),
        ([{"role": "user", "content": ""}], "all messages must have non-empty content"),
        ([{"role": "user", "content": []}], "all messages must have non-empty content"),
        ([{"role": "user", "content": " \n"}], "must contain non-whitespace text"),
        ([said(text(""))], "text content blocks must be non-empty"),
        ([said(text(" "))], "must contain non-whitespace text"),
        ([said(USE)], "'tool_use' is not allowed for the role 'user'"),
        ([SAID, answer(USE)], "`tool_use` ids were found without `tool_result` blocks immediately after: t1"),
        ([SAID, answer(USE), SAID], "`tool_use` ids were found without `tool_result` blocks immediately after: t1"),
        ([SAID, answer(USE), said(text("Well?"), RESULT)], "without `tool_result` blocks immediately after: t1"),
        ([SAID, answer(USE, {**USE, "id": "t2"}), said(RESULT)], "immediately after: t2"),
        ([said(RESULT)], "unexpected `tool_use_id` found in `tool_result` blocks: t1"),
        ([SAID, answer(USE), said(RESULT), answer(text("4.")), said(RESULT)], "unexpected `tool_use_id`"),
        ([SAID, answer(USE), said(RESULT, RESULT)], "each tool_use must have a single result"),
        ([SAID, answer(USE), said(RESULT), answer(USE), said(RESULT)], "`tool_use` ids must be unique"),
        ([SAID, answer({**USE, "id": "a b"}), said(RESULT)], r"tool_use.id: String should match pattern"),
        ([SAID, answer({**USE, "input": "{}"}), said(RESULT)], "tool_use.input: Input should be a valid dictionary"),
        ([SAID, answer(USE), said({**RESULT, "content": "", "is_error": True})], "content cannot be empty if"),
        ([SAID, answer(thought("Hm", signature("Other")), text("x")), SAID], "Invalid `signature` in `thinking` block"),
    ],
)
def test_messages_that_are_wrong_are_refused(messages: list[Any], refusal: str) -> None:
    with pytest.raises(Invalid, match=refusal):
        check({**BODY, "messages": messages})


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"max_tokens": -1}, "greater than or equal to 0"),
        ({"max_tokens": True}, "valid integer"),
        ({"max_tokens": "9"}, "valid integer"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"thinking": {"type": "deep"}}, "does not match any of the expected tags"),
        ({"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 512}}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "`max_tokens` must be greater"),
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "should match pattern"),
        ({"tools": [{"name": "a"}]}, "input_schema: Field required"),
        ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "input_schema.type"),
        ({"tools": [{"name": "a", "input_schema": {"type": "object", "oneOf": []}}]}, "does not support oneOf"),
        ({"system": [text(" ")]}, "system: text content blocks must contain non-whitespace text"),
        ({"messages": [SAID, answer(USE), said(RESULT)], "tools": []}, "must define tools"),
        ({"messages": [said(*[text("x", cache_control=MARK)] * 5)]}, "A maximum of 4 blocks with cache_control"),
        (
            {"messages": [said(*[text("x", cache_control=MARK)] * 4)], "cache_control": MARK},
            "A maximum of 4 blocks with cache_control may be provided. Found 5",
        ),
        ({"cache_control": {"type": "eternal"}}, "should be 'ephemeral'"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "should be '5m' or '1h'"),
        (
            {"system": [text("a", cache_control=MARK)], "cache_control": {**MARK, "ttl": "1h"}},
            "must not come after a ttl='5m'",
        ),
    ],
)
def test_requests_that_are_wrong_are_refused(change: dict[str, Any], refusal: str) -> None:
    with pytest.raises(Invalid, match=refusal):
        check({**BODY, **change})


def test_a_model_that_knows_prefill_goes_on_with_the_agents_words() -> None:
    check({**BODY, "messages": [SAID, answer(text("Well"))]}, prefill=True)
