"""The simulated Anthropic service, judged by the official client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.sim.anthropic import AnthropicSim, Reply, ToolUse

anthropic = pytest.importorskip("anthropic", reason="the extra anthropic is not installed")
httpx2 = pytest.importorskip("httpx2")

ASK: dict[str, Any] = {
    "model": "claude-sim",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "where is order A17?"}],
}
TOOL = {"name": "get_order", "description": "Where an order is.", "input_schema": {"type": "object", "properties": {}}}


@asynccontextmanager
async def client(sim: AnthropicSim, **options: Any) -> AsyncIterator[Any]:
    # The client's own transport sets options of TCP sockets.
    settings = {"api_key": "k", "max_retries": 0, "http_client": httpx2.AsyncClient(trust_env=False)} | options
    async with sim.listening() as base_url, anthropic.AsyncAnthropic(base_url=base_url, **settings) as made:
        yield made


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_stream_helper_reads_text_at_the_set_latency_and_rate() -> None:
    sim = AnthropicSim(["One large mocha."], first=0.3, rate=20)
    got = []
    async with client(sim) as made, made.messages.stream(**ASK) as stream:
        async for text in stream.text_stream:
            got.append((round(now(), 3), text))
        message = await stream.get_final_message()
    assert got == [(0.3, "One"), (0.35, " large"), (0.4, " mocha.")]
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 3)
    assert message.content[0].text == "One large mocha."


async def test_the_stream_helper_reads_thoughts_and_tools() -> None:
    reply = Reply(
        "Let me look.",
        thoughts="An order. I must ask.",
        redacted="c2VjcmV0",
        tools=[ToolUse("get_order", {"order_id": "A17", "deep": [1, {"a": None}]}), ToolUse("get_time")],
    )
    async with client(AnthropicSim([reply])) as made, made.messages.stream(**ASK, tools=[TOOL]) as stream:
        message = await stream.get_final_message()
    thought, hidden, text, order, time = message.content
    assert (thought.thinking, thought.signature[:4]) == ("An order. I must ask.", "sig-")
    assert (hidden.type, hidden.data, text.text) == ("redacted_thinking", "c2VjcmV0", "Let me look.")
    assert (order.name, order.input) == ("get_order", {"order_id": "A17", "deep": [1, {"a": None}]})
    assert (time.name, time.input) == ("get_time", {})
    assert order.id != time.id
    assert message.stop_reason == "tool_use"


async def test_the_raw_stream_has_every_event_in_its_order() -> None:
    sim = AnthropicSim([Reply("Two words", thoughts="Hm", omitted=True, tools=[ToolUse("get_order", {"a": 1})])])
    async with client(sim) as made:
        events = [event async for event in await made.messages.create(**ASK, tools=[TOOL], stream=True)]
    kinds = [event.type.removeprefix("content_block_") for event in events]
    assert kinds == [
        *("message_start", "start", "delta", "stop"),  # thoughts that are kept back: only their signature
        *("start", "delta", "delta", "stop"),
        *("start", "delta", "delta", "stop", "message_delta", "message_stop"),
    ]
    assert [event.delta.type for event in events if event.type == "content_block_delta"] == [
        *("signature_delta", "text_delta", "text_delta", "input_json_delta", "input_json_delta"),
    ]
    assert events[0].message.stop_reason is None


async def test_the_same_answer_comes_as_one_object() -> None:
    reply = Reply("Let me look.", thoughts="I must ask.", tools=[ToolUse("get_order", {"order_id": "A17"})])
    sim = AnthropicSim([reply])
    async with client(sim) as made:
        whole = await made.messages.create(**ASK, tools=[TOOL])
        async with made.messages.stream(**ASK, tools=[TOOL]) as stream:
            streamed = await stream.get_final_message()
    for message in (whole, streamed):
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
        assert message.content[2].input == {"order_id": "A17"}
        assert message.usage.output_tokens == whole.usage.output_tokens
    assert sim.requests[0].complete


async def test_an_answer_is_cut_at_max_tokens() -> None:
    async with client(AnthropicSim(["one two three four"])) as made:
        message = await made.messages.create(**ASK | {"max_tokens": 2})
        assert (message.content[0].text, message.stop_reason) == ("one two", "max_tokens")
        message = await made.messages.create(**ASK | {"max_tokens": 0})
        assert (message.content, message.usage.output_tokens) == ([], 0)


async def test_a_refusal_names_its_category() -> None:
    sim = AnthropicSim([Reply("", stop="refusal", category="bio")])
    async with client(sim) as made:
        message = await made.messages.create(**ASK)
        async with made.messages.stream(**ASK) as stream:
            streamed = await stream.get_final_message()
    for got in (message, streamed):
        assert (got.stop_reason, got.stop_details.category) == ("refusal", "bio")


async def test_models_are_listed_and_looked_up() -> None:
    sim = AnthropicSim(["-"], models=("a", "b/c"))
    async with client(sim) as made:
        assert [model.id async for model in made.models.list()] == ["a", "b/c"]
        assert (await made.models.retrieve("b/c")).lifecycle == "active"
        with pytest.raises(anthropic.NotFoundError, match="model: z"):
            await made.models.retrieve("z")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "PaymentRequiredError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (409, "ConflictError"),
        (413, "ContentTooLargeError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (504, "GatewayTimeoutError"),
        (529, "OverloadedError"),
    ],
)
async def test_scripted_errors_are_the_clients_typed_ones(status: int, error: str) -> None:
    sim = AnthropicSim([Reply(status=status, retry_after=3)])
    async with client(sim) as made:
        with pytest.raises(getattr(anthropic, error)) as caught:
            await made.messages.create(**ASK, stream=True)
    assert type(caught.value).__name__ == error
    assert (caught.value.status_code, caught.value.request_id[:7]) == (status, "req_sim")
    assert caught.value.type.endswith(("_error", "_too_large"))
    assert caught.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
async def test_the_key_is_taken_in_both_headers_and_not_kept(header: str) -> None:
    sim = AnthropicSim(["Yes."], key="right")
    for key, fine in (("right", True), ("wrong", False)):
        sent = {"Authorization": f"Bearer {key}"} if header == "Authorization" else {header: key}
        async with client(sim, api_key="", default_headers={"Authorization": anthropic.omit} | sent) as made:
            if fine:
                await made.messages.create(**ASK)
                continue
            with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
                await made.messages.create(**ASK)
    assert [request.headers[header.lower()] for request in sim.requests] == ["***", "***"]


async def test_an_error_in_mid_stream_a_quiet_cut_and_a_reset_are_what_the_client_knows() -> None:
    faults = [Reply("one two three", fault=fault, after=1) for fault in ("error", "cut", "reset")]
    got: list[Any] = []
    async with client(AnthropicSim(faults)) as made:
        for _ in faults:
            try:
                async with made.messages.stream(**ASK) as stream:
                    got.append("".join([text async for text in stream.text_stream]))
            except Exception as error:
                got.append(error)
    error, cut, reset = got
    assert (error.status_code, error.type) == (200, "overloaded_error")
    assert cut == "one"
    assert isinstance(reset, httpx2.TransportError)


async def test_a_stall_ends_with_the_clients_patience_and_pings_extend_it() -> None:
    sim = AnthropicSim([Reply("one two", fault="stall", after=1), Reply("one two", fault="pings", after=1)])
    async with client(sim, timeout=httpx2.Timeout(5.0)) as made:
        start = now()
        with pytest.raises(httpx2.ReadTimeout):
            async for _ in await made.messages.create(**ASK, stream=True):
                pass
        assert now() - start == pytest.approx(5.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                async for _ in await made.messages.create(**ASK, stream=True):
                    pass
    first, second = sim.requests
    assert first.left_at == pytest.approx(start + 5.0)
    assert second.left_at == pytest.approx(second.at + 60.0)
    assert sim.disconnects == [first.left_at, second.left_at]


async def test_it_notes_when_a_client_leaves_and_what_it_had_written() -> None:
    sim = AnthropicSim([Reply("and so on", repeat=100)], rate=10)
    async with client(sim) as made:
        async with made.messages.stream(**ASK) as stream:
            async for _ in stream.text_stream:
                if now() >= 2.0:
                    break
        assert sim.requests[0].left_at is None
        await asyncio.sleep(0.01)
        assert sim.disconnects == [pytest.approx(2.0, abs=0.02)]
        assert (sim.requests[0].tokens, sim.requests[0].complete) == (21, False)


async def test_what_it_was_asked_reads_as_a_conversation() -> None:
    sim = AnthropicSim(["In the post."])
    messages = [
        *ASK["messages"],
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_order", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "shipped"},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]
    async with client(sim) as made:
        await made.messages.create(**ASK | {"messages": messages, "tools": [TOOL], "system": "Be kind."})
    assert sim.requests[0].said == "Well?"
    assert sim.requests[0].messages == [
        Message("system", "Be kind."),
        Message("user", "where is order A17?"),
        Message("assistant", "", calls=(ToolCall("t1", "get_order", '{"a": 1}'),)),
        Message("tool", "", results=(ToolResult("t1", "shipped"),)),
        Message("user", "Well?"),
    ]


async def test_a_request_that_is_too_large_is_refused() -> None:
    sim = AnthropicSim(["-"], size=2000)
    async with client(sim) as made:
        with pytest.raises(anthropic.ContentTooLargeError):
            await made.messages.create(**ASK | {"messages": [{"role": "user", "content": "x" * 3000}]})


@pytest.mark.realtime
async def test_over_loopback_it_serves_the_client_with_its_own_transport() -> None:
    async with client(AnthropicSim(["One large mocha."]), http_client=None) as made:
        assert (await made.messages.create(**ASK)).content[0].text == "One large mocha."


@pytest.mark.parametrize("wrong", [{"answers": []}, {"fault": "fire"}, {"status": 418}])
def test_a_script_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least one answer|expected fault to be one of|no type of error"):
        AnthropicSim(wrong["answers"]) if "answers" in wrong else Reply(**wrong)
