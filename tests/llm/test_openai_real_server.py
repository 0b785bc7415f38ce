"""`OpenAILLM` against llama.cpp's own server, which the embedded engine opens on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from voiceloop.conversation import Message, ToolCall, ToolResult
from voiceloop.errors import ModelError, VoiceloopError, require
from voiceloop.llm.base import ToolSpec, Usage
from voiceloop.llm.openai import OpenAILLM, OpenAIOptions
from voiceloop.weights import SMOLLM2_135M, available, fetch

pytestmark = [pytest.mark.models, pytest.mark.realtime]
KEY = "sk-of-this-test"
PRICE = ToolSpec("price", "What a drink costs.", {"type": "object", "properties": {"drink": {"type": "string"}}})
ASK = [Message("system", "Answer in one short sentence."), Message("user", "What is the capital of France?")]


def serve(jinja: bool) -> Any:
    """A server; `jinja`: whether it renders the model's own chat template, without which it takes no tools."""
    if not available(SMOLLM2_135M):
        pytest.skip("the weights of SmolLM2 are not in the cache: run voiceloop demo once")
    try:
        llama = require("xllamacpp", "local")
    except VoiceloopError as error:
        pytest.skip(str(error))
    parameters = llama.CommonParams()
    parameters.model.path = str(next(iter(fetch(SMOLLM2_135M).values())))
    parameters.n_parallel, parameters.n_ctx, parameters.verbosity = 2, 1024, -1
    parameters.kv_unified = parameters.warmup = parameters.fit_params = False
    parameters.use_jinja = jinja
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = 1
    parameters.hostnames, parameters.port, parameters.api_keys = ["127.0.0.1"], 0, [KEY]
    return llama.Server(parameters)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = serve(jinja=False)
    yield f"{server.listening_address}/v1"
    del server  # which ends it


@pytest.fixture(scope="module")
def tools_url() -> Iterator[str]:
    server = serve(jinja=True)
    yield f"{server.listening_address}/v1"
    del server


def model(base_url: str, name: str | None = None, key: str = KEY, **options: Any) -> OpenAILLM:
    settings: dict[str, Any] = {"max_tokens": 20, "temperature": 0.0, **options}
    return OpenAILLM(name, base_url=base_url, api_key=key, options=OpenAIOptions(**settings))


async def test_it_answers_in_pieces_and_counts(base_url: str) -> None:
    llm = model(base_url)
    await llm.warm()
    await llm.prepare(ASK[:1])
    items = [item async for item in llm.respond(ASK)]
    await llm.aclose()
    pieces = [item for item in items if isinstance(item, str)]
    (usage,) = (item for item in items if isinstance(item, Usage))
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 3
    assert usage.input_tokens > 15
    assert len(pieces) <= usage.output_tokens + 1 <= 21


async def test_an_answer_that_is_left_gives_its_place_to_the_next(base_url: str) -> None:
    llm = model(base_url, max_tokens=400)
    for _ in range(4):  # there are places for two
        async with aclosing(llm.respond([Message("user", "Tell me a very long story.")])) as items:
            assert isinstance(await anext(items), str)
    assert "Paris" in "".join([item async for item in llm.respond(ASK) if isinstance(item, str)])
    await llm.aclose()


async def test_its_refusals_are_understood(base_url: str) -> None:
    for name, key, messages, said in (
        ("any", "sk-of-another", ASK, r"it does not accept the key \(401\)"),
        ("any", KEY, [Message("user", "word " * 3000)], r"the server refused the request \(status 400\): .*context"),
    ):
        llm = model(base_url, name, key)
        with pytest.raises(ModelError, match=said) as raised:
            await anext(llm.respond(messages))
        assert key not in str(raised.value)
        await llm.aclose()


async def test_without_templates_it_refuses_tools_and_that_is_understood(base_url: str) -> None:
    llm = model(base_url, "any")
    with pytest.raises(ModelError, match=r"'any' cannot be offered tools \(price; status 500\): .*--jinja.* Take a"):
        await anext(llm.respond(ASK, [PRICE]))
    await llm.aclose()


async def test_it_takes_tools_and_what_became_of_them(tools_url: str) -> None:
    llm = model(tools_url)
    call = ToolCall("call_1", "price", '{"drink": "latte"}')
    lost = ToolCall("call_2", "price", '{"drink": "tea"}')
    conversation = [
        *ASK,
        Message("assistant", "Let me see.", calls=(call,)),
        Message("tool", "", results=(ToolResult("call_1", "4.5"),)),
        Message("assistant", "Paris. And a latte is", calls=(lost,)),
        *ASK[1:],
    ]
    for messages in (ASK, conversation[:4], conversation):
        items = [item async for item in llm.respond(messages, [PRICE])]
        assert any(isinstance(item, str | ToolCall) for item in items)
    await llm.aclose()
