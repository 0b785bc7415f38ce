"""`PipecatLLM` with Pipecat's real OpenAI service, against the simulator of the endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("pipecat", reason="pipecat-ai is not installed: run .ci/bridges")

from pipecat.services.openai.llm import OpenAILLMService

from voiceloop.bridges.pipecat import PipecatLLM, PipecatOptions
from voiceloop.bridges.pipecat_island import ServiceFailed
from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import ModelError
from voiceloop.llm.base import Item, ToolSpec, Usage
from voiceloop.sim.openai import OpenAISim, Reply

HELLO = [Message("system", "You take orders."), Message("user", "Hi.")]


def service(url: str, **settings: Any) -> OpenAILLMService:
    return OpenAILLMService(
        api_key="k", base_url=url, settings=OpenAILLMService.Settings(model="sim", **settings), retry_on_timeout=False
    )


@pytest.fixture
def talking(serving: Callable[..., Any]) -> Callable[..., Any]:
    """A model whose services ask the simulator."""

    @asynccontextmanager
    async def talk(
        sim: OpenAISim, options: PipecatOptions | None = None, **settings: Any
    ) -> AsyncIterator[tuple[PipecatLLM, list[OpenAILLMService]]]:
        made: list[OpenAILLMService] = []
        async with serving(sim.app) as address:

            def make() -> OpenAILLMService:
                made.append(service(f"http://{address}/v1", **settings))
                return made[-1]

            llm = PipecatLLM(make, options)
            try:
                yield llm, made
            finally:
                await llm.aclose()

    return talk


async def said(llm: PipecatLLM, messages: Sequence[Message] = HELLO, tools: Sequence[ToolSpec] = ()) -> list[Item]:
    return [item async for item in llm.respond(messages, tools)]


async def test_text_comes_as_it_is_written_and_usage_at_the_end(talking: Callable[..., Any]) -> None:
    sim = OpenAISim(["One large mocha."], first=0.3, rate=10)
    async with talking(sim) as (llm, _):
        loop = asyncio.get_running_loop()
        await llm.warm()
        began = loop.time()
        got = [(item, round(loop.time() - began, 3)) async for item in llm.respond(HELLO)]
    assert got == [("One", 0.3), (" large", 0.4), (" mocha.", 0.5), (Usage(4, 3), 0.5)]
    assert sim.requests[0].body["messages"] == [
        {"role": "system", "content": "You take orders."},
        {"role": "user", "content": "Hi."},
    ]


async def test_instructions_of_a_conversation_take_the_place_of_the_services_own_and_leave_no_trace(
    talking: Callable[..., Any],
) -> None:
    sim = OpenAISim(["Yes."])
    async with talking(sim, system_instruction="You are a bore.") as (llm, made):
        await said(llm, [Message("user", "Hi.")])
        await said(llm)
        await said(llm, [Message("user", "Hi.")])
    first = [request.body["messages"][0]["content"] for request in sim.requests]
    assert first == ["You are a bore.", "You take orders.", "You are a bore."]
    assert len(made) == 1


async def test_a_service_error_comes_out_with_its_text_and_the_service_is_replaced(talking: Callable[..., Any]) -> None:
    sim = OpenAISim([Reply(status=400, message="No such thing."), "Yes."])
    async with talking(sim) as (llm, made):
        with pytest.raises(ServiceFailed, match=r"^OpenAILLMService: .*No such thing\."):
            await said(llm)
        assert await said(llm) == ["Yes.", Usage(4, 1)]
    assert len(made) <= 2


async def test_an_error_midway_comes_after_what_was_written(talking: Callable[..., Any]) -> None:
    sim = OpenAISim([Reply("This is a long answer", fault="cut", after=2)])
    got: list[Item] = []

    async def read(llm: PipecatLLM) -> None:
        async for item in llm.respond(HELLO):
            got.append(item)

    async with talking(sim) as (llm, _):
        with pytest.raises(ServiceFailed, match="OpenAILLMService: Error during completion"):
            await read(llm)
    assert got == ["This", " is"]


async def test_an_answer_that_is_left_stops_the_server_and_the_service_goes_on(talking: Callable[..., Any]) -> None:
    sim = OpenAISim([Reply("on and on", repeat=100), "Tea."], rate=10)
    async with talking(sim) as (llm, made):
        async with aclosing(llm.respond(HELLO)) as items:
            async for _ in items:
                break
        await asyncio.sleep(0.1)
        assert sim.requests[0].left_at is not None
        assert sim.requests[0].tokens <= 2
        assert await said(llm) == ["Tea.", Usage(4, 1)]
    assert len(made) == 1


async def test_answers_at_the_same_time_have_a_service_each_and_spare_ones_are_closed(
    talking: Callable[..., Any],
) -> None:
    sim = OpenAISim(lambda messages: f"{messages[-1].text} it is.", first=1.0)
    async with talking(sim, PipecatOptions(spare=2)) as (llm, made):
        loop = asyncio.get_running_loop()
        began = loop.time()
        got = await asyncio.gather(*(said(llm, [Message("user", drink)]) for drink in ("Tea", "Milk", "Juice")))
        assert loop.time() - began == pytest.approx(1.0, abs=0.1)
        assert ["".join(map(str, items[:-1])) for items in got] == ["Tea it is.", "Milk it is.", "Juice it is."]
        assert len(made) == 3
        assert len(llm._pool.islands()) == 2
        await said(llm)
    assert len(made) == 3


async def test_a_single_service_answers_one_after_another(serving: Callable[..., Any]) -> None:
    sim = OpenAISim(lambda messages: f"{messages[-1].text} it is.", first=1.0)
    async with serving(sim.app) as address:
        llm = PipecatLLM(service(f"http://{address}/v1"))
        loop = asyncio.get_running_loop()
        began = loop.time()
        got = await asyncio.gather(*(said(llm, [Message("user", drink)]) for drink in ("Tea", "Milk")))
        assert loop.time() - began == pytest.approx(2.0, abs=0.1)
        assert ["".join(map(str, items[:-1])) for items in got] == ["Tea it is.", "Milk it is."]
        await llm.aclose()
        with pytest.raises(ModelError, match=r"serves once: hand over a function .* lambda: OpenAILLMService"):
            await said(llm)


PRICE = ToolSpec(
    "price",
    "Says what it costs.",
    {"type": "object", "properties": {"drink": {"type": "string"}}, "required": ["drink"]},
)


async def test_tool_calls_are_handed_out_and_their_results_go_back(talking: Callable[..., Any]) -> None:
    asked = [("price", {"drink": "latte"}), ("price", {"drink": "tea"})]
    sim = OpenAISim([Reply("Let me see.", tools=asked), "Four dollars."])
    async with talking(sim) as (llm, made):
        got = await said(llm, tools=[PRICE])
        calls = tuple(item for item in got if isinstance(item, ToolCall))
        results = (ToolResult(calls[0].id, "4 dollars"), ToolResult(calls[1].id, "sold out", error=True))
        more = [Message("assistant", "Let me see.", calls=calls), Message("tool", "", results=results)]
        answer = await said(llm, [*HELLO, *more], [PRICE])
        assert len(made) == 1
    assert [(call.name, json.loads(call.arguments)) for call in calls] == asked
    assert [item for item in got if isinstance(item, str)] == ["Let", " me", " see."]
    assert [item for item in answer if isinstance(item, str)] == ["Four", " dollars."]
    assert sim.requests[0].body["tools"] == [
        {
            "type": "function",
            "function": {"name": "price", "description": "Says what it costs.", "parameters": dict(PRICE.parameters)},
        }
    ]
    assert sim.requests[1].body["messages"][-3:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": call.id, "type": "function", "function": {"name": "price", "arguments": call.arguments}}
                for call in calls
            ],
        },
        {"role": "tool", "tool_call_id": calls[0].id, "content": "4 dollars"},
        {"role": "tool", "tool_call_id": calls[1].id, "content": "Error: sold out"},
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            lambda: "a service",
            r"PipecatLLM takes a Pipecat LLMService, .* makes one; the function made a str",
        ),
        ("a service", r"makes one; got a str\."),
    ],
)
async def test_what_is_no_service_is_refused(source: Any, error: str) -> None:
    with pytest.raises(TypeError, match=error):
        await PipecatLLM(source).warm()
