"""The simulated OpenAI-compatible endpoint: the official client reads it, and its faults are what they say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from voiceloop.conversation import Message
from voiceloop.errors import ModelError
from voiceloop.llm.openai import OpenAILLM
from voiceloop.sim.openai import OpenAISim, Reply

openai = pytest.importorskip("openai", reason="the official client is not installed: pip install 'voiceloop[test]'")

pytestmark = pytest.mark.realtime
KEY = "sk-secret-1"
HELLO: list[Any] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello."}]


@asynccontextmanager
async def client(sim: OpenAISim, key: str = KEY) -> AsyncIterator[Any]:
    """The official client at the simulator."""
    async with sim.listening() as url, openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as official:
        yield official


async def streamed(official: Any, **more: Any) -> list[Any]:
    stream = await official.chat.completions.create(model="sim", messages=HELLO, stream=True, **more)
    return [chunk async for chunk in stream]


def text(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def test_the_official_client_streams_an_answer() -> None:
    sim = OpenAISim([Reply("One large mocha.", thoughts="Hm hm", keep_alive=True)], key=KEY)
    async with client(sim) as official:
        chunks = await streamed(official, stream_options={"include_usage": True}, max_tokens=50)
    assert text(chunks) == "One large mocha."
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == ([], 3, 3)


async def test_every_object_has_the_fields_and_types_of_the_official_client() -> None:
    from openai.types import Model
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    sim = OpenAISim([Reply("One large mocha.", thoughts="Hm", tools=[("book", {})])])
    asked = {"model": "sim", "messages": HELLO}
    async with sim.listening() as url, aiohttp.ClientSession() as session:
        streaming = {**asked, "stream": True, "stream_options": {"include_usage": True}}
        async with session.post(f"{url}/chat/completions", json=streaming) as response:
            assert response.content_type == "text/event-stream"
            *events, end = (await response.text()).removesuffix("\n\n").split("\n\n")
        async with session.post(f"{url}/chat/completions", json=asked) as response:
            whole = await response.json()
        async with session.get(f"{url}/models") as response:
            models = await response.json()
    assert end == "data: [DONE]"
    assert len(events) == 9
    for event in events:
        ChatCompletionChunk.model_validate(json.loads(event.removeprefix("data: ")), strict=True)
    assert ChatCompletion.model_validate(whole, strict=True).choices[0].message.content == "One large mocha."
    assert [Model.model_validate(model, strict=True).id for model in models["data"]] == ["sim"]


async def test_without_being_asked_it_sends_no_counts() -> None:
    async with client(OpenAISim(["One."])) as official:
        assert [chunk.usage for chunk in await streamed(official)] == [None, None, None]


async def test_the_official_client_takes_an_answer_as_one_object() -> None:
    async with client(OpenAISim(["One large mocha."])) as official:
        answer = await official.chat.completions.create(model="sim", messages=HELLO, max_completion_tokens=2)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("One large", "length")
    assert answer.usage.completion_tokens == 2


async def test_the_official_client_lists_the_models() -> None:
    async with client(OpenAISim(["-"], models=("a", "b"))) as official:
        assert [model.id async for model in official.models.list()] == ["a", "b"]


@pytest.mark.parametrize(
    ("sim", "error", "code"),
    [
        (OpenAISim(["-"], key="another"), "AuthenticationError", "invalid_api_key"),
        (OpenAISim(["-"], models=("b",)), "NotFoundError", "model_not_found"),
        (OpenAISim(["-"], refuses=("seed",)), "BadRequestError", "unsupported_parameter"),
        (OpenAISim([Reply(status=429, headers={"Retry-After": "7"})]), "RateLimitError", None),
        (OpenAISim([Reply(status=500)]), "InternalServerError", None),
        (OpenAISim([Reply(status=502, page=True)]), "InternalServerError", None),
    ],
)
async def test_the_official_client_knows_each_refusal(sim: OpenAISim, error: str, code: str | None) -> None:
    async with client(sim) as official:
        with pytest.raises(getattr(openai, error)) as raised:
            await streamed(official, seed=7)
    assert raised.value.code == code
    if error == "RateLimitError":
        assert raised.value.response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("fault", "error"), [("cut", "APIConnectionError"), ("error", "APIError"), ("garbage", "JSONDecodeError")]
)
async def test_the_official_client_meets_each_fault(fault: Any, error: str) -> None:
    async with client(OpenAISim([Reply("One two three", fault=fault, after=1)])) as official:
        with pytest.raises(Exception, match=r".") as raised:
            await streamed(official)
    assert type(raised.value).__name__ == error


async def test_a_stream_that_just_ends_the_official_client_takes_for_complete_and_ours_does_not() -> None:
    sim = OpenAISim([Reply("One two three", fault="end", after=2)])
    async with client(sim) as official:
        assert text(await streamed(official)) == "One two"
        llm = OpenAILLM("sim", base_url=sim.base_url)
        answer = llm.respond([Message("user", "Hello.")])
        assert [await anext(answer), await anext(answer)] == ["One", " two"]
        with pytest.raises(ModelError, match="ended before the answer was complete"):
            await anext(answer)
        await llm.aclose()


async def test_ours_and_the_official_client_ask_in_the_same_form() -> None:
    sim = OpenAISim(["Yes."], key=KEY)
    async with client(sim) as official:
        await streamed(official, stream_options={"include_usage": True}, max_tokens=500)
        llm = OpenAILLM("sim", base_url=sim.base_url, api_key=KEY)
        conversation = [Message("system", "Be kind."), Message("user", "Hello.")]
        assert [item async for item in llm.respond(conversation) if isinstance(item, str)] == ["Yes."]
        await llm.aclose()
    official_request, own = sim.requests
    assert own.body == official_request.body
    assert own.headers["Authorization"] == official_request.headers["Authorization"] == "Bearer ***"
    assert own.headers["Content-Type"] == official_request.headers["Content-Type"] == "application/json"
    assert KEY not in repr(sim.requests)


async def test_it_sees_when_the_client_leaves() -> None:
    sim = OpenAISim([Reply("word", repeat=1000)], rate=50)
    async with client(sim) as official:
        stream = await official.chat.completions.create(model="sim", messages=HELLO, stream=True)
        await anext(aiter(stream))
        await stream.close()
        for _ in range(100):
            if sim.requests[0].left_at is not None:
                break
            await asyncio.sleep(0.01)
    assert sim.requests[0].left_at is not None
    assert sim.requests[0].tokens < 60


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "could not parse the JSON body"),
        ("[]", "you must provide a model parameter"),
        ('{"model": "sim"}', "Invalid 'messages'"),
        ('{"model": "sim", "messages": [{"role": "cook", "content": "x"}]}', "Invalid 'messages'"),
        ('{"model": "sim", "messages": [{"role": "user", "content": "x"}], "stream_options": {}}', "only allowed when"),
    ],
)
async def test_a_request_that_is_wrong_is_refused_as_by_openai(body: str, said: str) -> None:
    sim = OpenAISim(["-"])
    async with sim.listening() as url, aiohttp.ClientSession() as session:
        response = await session.post(f"{url}/chat/completions", data=body)
        assert response.status == 400
        assert said in (await response.json())["error"]["message"]


def test_a_script_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        OpenAISim([])
    with pytest.raises(ValueError, match="expected fault to be one of stall, cut"):
        Reply("x", fault="explode")  # type: ignore[arg-type]
