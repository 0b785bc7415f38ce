"""What an OpenAI-compatible server refuses, and what is said about it: clear, bounded, and never a key."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from voiceloop.conversation import Message
from voiceloop.errors import ModelError
from voiceloop.llm.base import Usage
from voiceloop.llm.openai import OpenAILLM, OpenAIOptions
from voiceloop.llm.openai_endpoint import Endpoint, explained
from voiceloop.sim.openai import OpenAISim, Reply

HELLO = [Message("user", "Hello.")]
KEY = "sk-very-secret-123456"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


async def failure(llm: OpenAILLM, *, warming: bool = False) -> str:
    """What `respond` or `warm` raises."""
    try:
        with pytest.raises(ModelError) as raised:
            await (llm.warm() if warming else _drained(llm))
    finally:
        await llm.aclose()
    assert KEY not in "".join(traceback.format_exception(raised.value))
    return str(raised.value)


async def _drained(llm: OpenAILLM) -> None:
    async for _ in llm.respond(HELLO):
        pass


async def of(sim: OpenAISim, *, model: str | None = "sim", key: str | None = None, warming: bool = False) -> str:
    async with sim.listening() as base_url:
        llm = OpenAILLM(model, base_url=base_url, api_key=key, connector=sim.connector)
        return (await failure(llm, warming=warming)).removeprefix(f"{base_url}: ")


@asynccontextmanager
async def server(handler: Any, path: str = "/v1/chat/completions") -> AsyncIterator[OpenAILLM]:
    """A model at a server with a way of its own."""
    app = web.Application()
    app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.0, handler_cancellation=True)
    await runner.setup()
    await web.UnixSite(runner, "other").start()
    try:
        yield OpenAILLM(
            "m", base_url="http://other/v1", api_key=KEY, connector=lambda: aiohttp.UnixConnector(path="other")
        )
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(status=429, message="Rate limit reached.", headers={"Retry-After": "7"}),
            "try again in 7 s: Rate limit",
        ),
        (Reply(status=429, message="No credit."), "try again later: No credit."),
        (Reply(status=429, headers={"Retry-After": "soon"}), "try again later"),
        (
            Reply(status=403, message="Not here."),
            "access is denied (403): the key may not use 'sim', or not from here: N",
        ),
        (Reply(status=500, message="Oops."), "the server failed (status 500): Oops."),
        (
            Reply(status=503, page=True),
            "a web page came (status 503) where JSON was expected: is this the right base_url",
        ),
        (Reply(page=True), "a web page came where an answer was expected: is this the right base_url?"),
        (Reply(status=400, message="Too long."), "the server refused the request (status 400): Too long."),
        (Reply(status=418, message="x" * 5000), f"(status 418): {'x' * 199}…"),
    ],
)
async def test_each_refusal_says_what_it_means_in_the_servers_words(reply: Reply, message: str) -> None:
    assert message in await of(OpenAISim([reply]))


@pytest.mark.parametrize("warming", [True, False])
async def test_a_missing_and_a_wrong_key_are_told_apart(warming: bool) -> None:
    missing = await of(OpenAISim(["-"], key="right"), warming=warming)
    assert missing.startswith("it wants a key: set the environment variable OPENAI_API_KEY, or pass api_key (401)")
    wrong = await of(OpenAISim(["-"], key="right"), key=KEY, warming=warming)
    assert wrong == "it does not accept the key (401): Incorrect API key provided: ***."


async def test_without_a_key_openai_is_not_even_asked() -> None:
    for warming in (True, False):
        said = await failure(OpenAILLM("gpt-5"), warming=warming)
        assert said == (
            "https://api.openai.com/v1: no key: set the environment variable OPENAI_API_KEY, or pass api_key"
        )


@pytest.mark.parametrize("key", ["sk two", "sk-schlüssel", "sk\nX: y"])
async def test_a_key_that_cannot_be_one_is_refused_unseen(key: str) -> None:
    said = await failure(OpenAILLM("gpt-5", api_key=key), warming=True)
    assert "the key holds blanks or characters that no key has" in said
    assert key not in said


async def test_the_key_of_the_environment_is_sent_and_forgotten_when_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    sim = OpenAISim(["Yes."], key=KEY)
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, connector=sim.connector)
        assert [item async for item in llm.respond(HELLO)] == ["Yes.", Usage(1, 1)]
        await llm.aclose()
        monkeypatch.setenv("OPENAI_API_KEY", "another")
        assert "does not accept the key (401)" in await failure(llm)
    assert KEY not in repr(llm)


async def test_the_key_of_the_environment_does_not_go_over_plain_http_to_another_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sim = OpenAISim(["-"], key=KEY)
    async with sim.listening() as base_url:
        there = URL(base_url).authority  # a name in memory, for an address that is elsewhere
        llm = OpenAILLM(
            "sim", base_url="http://llm.example.com/v1", connector=lambda: aiohttp.UnixConnector(path=there)
        )
        said = await failure(llm)
    assert "it wants a key, and OPENAI_API_KEY is not sent over plain http to another network: use https" in said
    assert "Authorization" not in sim.requests[0].headers


async def test_a_header_of_ones_own_takes_the_place_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    sim = OpenAISim([Reply(status=500, message=f"You sent {KEY}")])
    async with sim.listening() as base_url:
        options = OpenAIOptions(headers={"api-key": KEY})
        llm = OpenAILLM("sim", base_url=base_url, options=options, connector=sim.connector)
        said = await failure(llm)
    assert said.endswith("You sent ***")
    assert sim.requests[0].headers["api-key"] == KEY
    assert "Authorization" not in sim.requests[0].headers
    assert KEY not in repr(options) + repr(llm)


async def test_a_model_that_is_not_there_is_answered_with_those_that_are() -> None:
    said = await of(OpenAISim(["-"], models=("qwen3:8b", "llama3.2")), model="qwen")
    assert said == "it has no model 'qwen' (404); it offers qwen3:8b, llama3.2"
    many = await of(OpenAISim(["-"], models=[f"m{n}" for n in range(30)]), model="qwen")
    assert many.endswith("m8, m9 and 20 more")
    silent = await of(OpenAISim(["-"], lists=False), model="qwen")
    assert silent.startswith("the model 'qwen' or the path /v1/chat/completions is not there (404): The model `qwen`")


async def test_an_address_without_v1_is_suspected() -> None:
    sim = OpenAISim(["-"])
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url.removesuffix("/v1"), connector=sim.connector)
        assert "the path /chat/completions is not there (404); most addresses end in /v1" in await failure(llm)


async def test_when_other_words_are_no_help_the_first_refusal_is_told() -> None:
    refusals = iter(["Too long: shorten the messages or max_tokens.", "Unknown field max_completion_tokens."])
    said = await of(OpenAISim(lambda messages: Reply(status=400, message=next(refusals))))
    assert said.endswith("Too long: shorten the messages or max_tokens.")


@pytest.mark.parametrize(
    ("models", "message"),
    [(("a", "b"), "no model is named, and the server offers a, b: name one"), ((), "does not say what it offers")],
)
async def test_a_model_that_is_not_named_must_be_the_only_one(models: tuple[str, ...], message: str) -> None:
    for warming in (True, False):
        assert message in await of(OpenAISim(["-"], models=models), model=None, warming=warming)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_stays_here(status: int) -> None:
    followed = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        if request.path != "/v1/chat/completions":
            followed.append(request.headers.get("Authorization"))
        return web.Response(status=status, headers={"Location": "http://other/else?key=1"})

    async with server(elsewhere, "/{path:.*}") as llm:
        said = await failure(llm)
    assert f"it redirects to http://other/else ({status}), and redirects are not followed: make that" in said
    assert followed == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "expected JSON, got '{'"),
        (b"[1]", "expected a chunk of an answer, got [1]"),
        (b'{"id": 1}', "expected an answer, got {"),
        (b'{"error": {"message": "Model is loading"}}', "the server reports an error: Model is loading"),
        (b'{"x": "' + b"y" * 500_000 + b'"}', "an object of more than 256 KiB"),
        (b"", "the connection ended before the answer was complete"),
        (b"\n \n", "the connection ended before the answer was complete"),
    ],
)
async def test_what_is_no_answer_is_refused(body: bytes, message: str) -> None:
    async def complete(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body)

    async with server(complete) as llm:
        assert message in await failure(llm)


async def test_an_error_that_does_not_end_is_read_for_three_seconds() -> None:
    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        await response.write(b"Oops")
        await asyncio.sleep(3600)
        return response

    async with server(complete) as llm:
        start = asyncio.get_running_loop().time()
        assert "the server failed (status 500)" in await failure(llm)
        assert asyncio.get_running_loop().time() - start == pytest.approx(3.0)


@pytest.mark.parametrize("warming", [True, False])
async def test_where_nothing_listens_it_says_what_to_start(warming: bool) -> None:
    llm = OpenAILLM("m", base_url="http://gone/v1", connector=lambda: aiohttp.UnixConnector(path="gone"))
    said = await failure(llm, warming=warming)
    assert said.startswith("http://gone/v1: nothing listens there: start the server (such as `ollama serve`, `vllm")


@pytest.mark.realtime
@pytest.mark.parametrize("warming", [True, False])
async def test_where_nothing_listens_on_loopback_it_says_the_same(warming: bool) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        said = await failure(OpenAILLM("m", base_url=f"http://127.0.0.1:{port}/v1"), warming=warming)
    assert "nothing listens there: start the server" in said


@pytest.mark.realtime
async def test_tls_to_a_plain_server_is_explained() -> None:
    sim = OpenAISim(["-"])
    async with sim.listening() as base_url:
        said = await failure(OpenAILLM("sim", base_url=base_url.replace("http:", "https:")))
    assert "no TLS connection can be made: does the server speak plain http? Then base_url begins with http://" in said


async def test_a_server_that_cannot_list_its_models_is_warmed_all_the_same() -> None:
    sim = OpenAISim(["Yes."], lists=False)
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, connector=sim.connector)
        await llm.warm()
        assert sim.connections == 1
        await llm.aclose()


async def test_a_server_that_never_lists_its_models_costs_ten_seconds_at_most() -> None:
    async def models(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3600)
        return web.Response()

    async with server(models, "/v1/models") as llm:
        start = asyncio.get_running_loop().time()
        await llm.warm()
        assert asyncio.get_running_loop().time() - start <= 10.0
        await llm.aclose()


async def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sim = OpenAISim([Reply(status=500, message=f"You sent {KEY}")], key="right")
    async with sim.listening() as base_url:
        llm = OpenAILLM("sim", base_url=base_url, api_key=KEY, connector=sim.connector)
        llm._warm = True  # past the check of the key, so that reading ahead meets the refusal
        llm._client._open()
        await llm.prepare([Message("system", "Be kind.")])
        await asyncio.sleep(1)
        await llm.aclose()
    assert "reading instructions ahead: " in caplog.text
    assert "Incorrect API key provided: ***" in caplog.text
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("host", "nearby"),
    [
        ("localhost", True),
        ("ollama", True),
        ("gpu.local", True),
        ("host.docker.internal", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("192.168.1.4", True),
        ("8.8.8.8", False),
        ("api.openai.com", False),
        ("localhost.example.com", False),
    ],
)
def test_which_servers_are_nearby(host: str, nearby: bool) -> None:
    assert Endpoint(f"http://{host}:8000/v1", None, {}).nearby is nearby


def test_the_query_of_a_gateway_goes_along_and_is_not_told() -> None:
    endpoint = Endpoint("https://x.example.com/openai/deployments/d/?api-version=1&sig=secret-7", None, {})
    assert str(endpoint.url("chat/completions")).endswith("/d/chat/completions?api-version=1&sig=secret-7")
    assert str(endpoint) == "https://x.example.com/openai/deployments/d"
    assert endpoint.scrubbed("sig is secret-7") == "sig is ***"


def test_what_went_wrong_on_the_way_is_explained() -> None:
    from aiohttp.client_reqrep import ConnectionKey

    key = ConnectionKey("h", 443, True, True, None, None, None)
    certificate = ssl.SSLCertVerificationError(1, "self-signed certificate")
    said = {
        "no host of this name": aiohttp.ClientConnectorDNSError(key, OSError(-2, "Name or service not known")),
        "no connection: No route to host": aiohttp.ClientConnectorError(key, OSError(113, "No route to host")),
        "its certificate is not trusted: ": aiohttp.ClientConnectorCertificateError(key, certificate),
        "no connection within 5 s": aiohttp.ConnectionTimeoutError("Connection timeout to host"),
        "the connection ended before": ConnectionResetError(104, "Connection reset by peer"),
    }
    assert [text for text, error in said.items() if not explained(error, 5.0).startswith(text)] == []
