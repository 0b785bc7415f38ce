"""`OpenAILLM` against llama.cpp's own server, which the embedded engine opens on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from voiceloop.conversation import Message
from voiceloop.errors import ModelError, VoiceloopError, require
from voiceloop.llm.base import Usage
from voiceloop.llm.openai import OpenAILLM, OpenAIOptions
from voiceloop.weights import SMOLLM2_135M, available, fetch

pytestmark = [pytest.mark.models, pytest.mark.realtime]
KEY = "sk-of-this-test"
ASK = [Message("system", "Answer in one short sentence."), Message("user", "What is the capital of France?")]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
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
    for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
        cpu.n_threads = 1
    parameters.hostnames, parameters.port, parameters.api_keys = ["127.0.0.1"], 0, [KEY]
    server: Any = llama.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server  # which ends it


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
