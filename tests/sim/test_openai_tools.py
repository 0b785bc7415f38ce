"""The simulated OpenAI-compatible endpoint and tools: the official client reads its calls, its checks are strict."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from voiceloop.sim.openai import OpenAISim, Reply

openai = pytest.importorskip("openai", reason="the official client is not installed: pip install 'voiceloop[test]'")

pytestmark = pytest.mark.realtime
HELLO: list[Any] = [{"role": "user", "content": "What is a latte?"}]
LATTE = ("price", {"drink": "latte"})
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "What a drink costs.",
        "parameters": {"type": "object", "properties": {"drink": {"type": "string"}}, "required": ["drink"]},
    },
}


@asynccontextmanager
async def client(sim: OpenAISim) -> AsyncIterator[Any]:
    """The official client at the simulator."""
    async with sim.listening() as url, openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as official:
        yield official


async def test_the_official_client_puts_streamed_calls_together_and_gives_their_results_back() -> None:
    sim = OpenAISim([Reply("Let me look.", tools=[LATTE, ("hours", {})]), "Four dollars."])
    async with client(sim) as official:
        async with official.chat.completions.stream(model="sim", messages=HELLO, tools=[TOOL]) as stream:
            kinds = [event.type async for event in stream]
            message = (await stream.get_final_completion()).choices[0].message
        calls = message.tool_calls
        results = [{"role": "tool", "tool_call_id": call.id, "content": "4"} for call in calls]
        later = [*HELLO, message.to_dict(), *results]
        second = await official.chat.completions.create(model="sim", messages=later, tools=[TOOL])
    assert message.content == "Let me look."
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == [
        ("call_sim1", "price", '{"drink": "latte"}'),
        ("call_sim2", "hours", "{}"),
    ]
    assert kinds.count("tool_calls.function.arguments.delta") > 4
    assert kinds.count("tool_calls.function.arguments.done") == 2
    assert second.choices[0].message.content == "Four dollars."
    assert (sim.requests[0].tools, [len(m.results) for m in sim.requests[1].messages]) == (["price"], [0, 0, 1, 1])
    assert sim.requests[1].messages[1].calls[0].name == "price"


@pytest.mark.parametrize("form", ["pieces", "whole"])
async def test_every_chunk_has_the_types_of_the_official_client(form: Any) -> None:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    sim = OpenAISim([Reply("", tools=[LATTE], form=form)])
    asked = {"model": "sim", "messages": HELLO, "tools": [TOOL]}
    async with sim.listening() as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/chat/completions", json={**asked, "stream": True}) as response:
            *events, end = (await response.text()).removesuffix("\n\n").split("\n\n")
        async with session.post(f"{url}/chat/completions", json=asked) as response:
            whole = ChatCompletion.model_validate(await response.json(), strict=True)
    assert end == "data: [DONE]"
    for event in events:
        ChatCompletionChunk.model_validate(json.loads(event.removeprefix("data: ")), strict=True)
    (choice,) = whole.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert [call.function.arguments for call in choice.message.tool_calls] == ['{"drink": "latte"}']  # type: ignore


def asks(*ids: str, name: str = "price") -> dict[str, Any]:
    calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def gives(id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "4"}


def function(**parts: Any) -> dict[str, Any]:
    return {"type": "function", "function": {**TOOL["function"], **parts}}


@pytest.mark.parametrize(
    ("messages", "more", "said"),
    [
        ([*HELLO, asks("a", "b"), gives("a")], {}, "The following tool_call_ids did not have response messages: b"),
        ([*HELLO, asks("a"), *HELLO, gives("a")], {}, "did not have response messages: a"),
        ([*HELLO, gives("a")], {}, "must be a response to a preceeding message with 'tool_calls'"),
        ([*HELLO, asks("a"), gives("a"), gives("a")], {}, "must be a response to a preceeding message"),
        ([*HELLO, asks("a", "a"), gives("a")], {}, "Duplicate value for 'tool_call_id' of 'a'"),
        ([*HELLO, {"role": "assistant", "content": None}], {}, "Invalid 'messages'"),
        ([*HELLO, {**asks("a"), "tool_calls": []}], {}, "Invalid 'messages'"),
        (
            [*HELLO, {**asks("a"), "tool_calls": [{"id": "a"}]}, gives("a")],
            {},
            "Invalid type for 'messages.[1].tool_calls'",
        ),
        ([*HELLO, asks("a"), {"role": "tool", "content": "4"}], {}, "Invalid 'messages'"),
        ([*HELLO, asks("a", name="a.b"), gives("a")], {}, "Invalid 'messages.[1].tool_calls.function.name'"),
        (HELLO, {"tools": []}, "Invalid 'tools'"),
        (HELLO, {"tools": [{"name": "price"}]}, "Missing required parameter: 'tools[0].function'"),
        (HELLO, {"tools": [function(name="what it costs")]}, "Invalid 'tools[0].function.name': string does not match"),
        (HELLO, {"tools": [function(parameters={"type": "array"})]}, "Invalid schema for function 'price'"),
        (HELLO, {"tool_choice": "auto"}, "'tool_choice' is only allowed when 'tools' are specified"),
    ],
)
async def test_a_round_that_openai_refuses_is_refused(messages: list[Any], more: dict[str, Any], said: str) -> None:
    async with client(OpenAISim(["Yes."])) as official:
        with pytest.raises(openai.BadRequestError) as raised:
            await official.chat.completions.create(model="sim", messages=messages, extra_body=more)
    assert said in raised.value.message


async def test_rounds_in_order_are_taken() -> None:
    rounds = [*HELLO, asks("a", "b"), gives("b"), gives("a"), asks("c"), gives("c"), *HELLO]
    async with client(OpenAISim(["Yes."])) as official:
        done = await official.chat.completions.create(model="sim", messages=rounds)
    assert done.choices[0].message.content == "Yes."


def test_a_form_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="expected form to be one of pieces, whole, bare, got 'half'"):
        Reply("x", form="half")  # type: ignore[arg-type]
