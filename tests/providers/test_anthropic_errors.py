"""What `AnthropicLLM` says when something is wrong: what it is, and what to do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from voiceloop.conversation import Message
from voiceloop.errors import ModelError
from voiceloop.llm.anthropic import AnthropicLLM, AnthropicOptions
from voiceloop.llm.anthropic_endpoint import Endpoint
from voiceloop.llm.anthropic_errors import Retries, of_status
from voiceloop.llm.base import ToolSpec
from voiceloop.sim.anthropic import AnthropicSim, Reply

pytest.importorskip("anthropic", reason="the extra anthropic is not installed")

KEY = "sk-ant-api03-secret"
ASKED = [Message("system", "Be kind."), Message("user", "A latte please.")]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def failure(llm: AnthropicLLM, *, warming: bool = False) -> str:
    """What it says when it is warmed or asked."""

    async def use() -> None:
        if warming:
            await llm.warm()
        async with aclosing(llm.respond(ASKED, [ToolSpec("price", "")])) as items:
            async for _ in items:
                pass

    try:
        with pytest.raises(ModelError) as caught:
            await use()
    finally:
        await llm.aclose()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


async def of(sim: AnthropicSim, *, warming: bool = False, model: str = "claude-sim", **options: Any) -> str:
    """The same of a model behind this service, without its address."""
    async with sim.listening() as base_url:
        llm = AnthropicLLM(model, base_url=base_url, api_key=KEY, options=AnthropicOptions(**options))
        said = await failure(llm, warming=warming)
    assert said.startswith(f"{base_url}: ")
    assert KEY not in said
    return said.removeprefix(f"{base_url}: ")


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(status=400, message="max_tokens: too many"),
            "the service refused the request (400): max_tokens: too many",
        ),
        (Reply(status=400, message="Your credit balance is too low."), "there is no credit left (400): buy some under"),
        (Reply(status=402), "there is no credit left (402): buy some under Billing in the Anthropic Console: Your"),
        (Reply(status=403), "access is denied (403): the key may not use 'claude-sim', or not from here: Your API key"),
        (Reply(status=404), "the path /v1/messages is not there (404): base_url ends before /v1; is it right?: Not"),
        (Reply(status=413), "the conversation is too large (413): lower context in the options: Request exceeds"),
        (Reply(status=429, retry_after=7), "too many requests or tokens (429): This request would exceed your"),
        (Reply(status=429, retry_after=7), "it asks to wait 7 s; a caller does not wait so long (retry=2 s)"),
        (Reply(status=500), "the service failed (500): Internal server error; asked 4 times in 2 s"),
        (Reply(status=504), "the service took too long (504)"),
        (Reply(status=529), "the service is overloaded (529): Overloaded; asked 4 times in 2 s"),
        (Reply(status=503, kind="api_error", message="Down."), "the service failed (503): Down."),
        (Reply(status=502, page=True), "the service failed (502)"),
        (Reply(status=200, page=True), "a web page came where an answer was expected: is this the right base_url?"),
        (Reply(status=403, page=True), "access is denied (403)"),
        (Reply("One.", fault="error", after=0), "the service is overloaded (while it answered): Overloaded; asked"),
        (Reply("Two w", fault="error", after=1), "the service is overloaded (while it answered): Overloaded"),
        (Reply("Two w", fault="error", after=1, kind="x_error", message="Y."), "broke off the answer (x_error): Y."),
        (Reply("Two w", fault="cut", after=1), "the connection ended before the answer was complete (no message_stop)"),
        (Reply("Two w", fault="reset", after=1), "the connection ended before the answer was complete"),
        (Reply("Two w", fault="stall", after=1), "the answer stalled: nothing more of it came within 10 s"),
        (Reply("Two w", fault="pings", after=1), "the answer stalled: nothing more of it came within 10 s"),
        (Reply("Two w", fault="garbage", after=1), "expected JSON in the stream, got '{cut sho'"),
        (Reply("Two w", fault="line", after=1), "the server sent an event of more than 256 KiB"),
        (Reply("", stop="refusal"), "the model refused to answer"),
        (Reply("Well.", stop="refusal", category="bio"), "the model refused to answer (bio)"),
        (Reply("", stop="max_tokens"), "the model reached max_tokens before it wrote anything: raise max_tokens"),
        (
            Reply("", thoughts="H m", stop="max_tokens"),
            "only thought, and reached max_tokens: raise max_tokens, or turn",
        ),
        (Reply("", thoughts="H m"), "the model only thought, and then stopped: turn thinking off"),
        (Reply("", stop="model_context_window_exceeded"), "longer than the model can read: lower context"),
        (Reply("", stop="pause_turn"), "paused for a tool of the service itself"),
    ],
    ids=str,
)
async def test_what_goes_wrong_with_an_answer_is_told(reply: Reply, message: str) -> None:
    assert message in await of(AnthropicSim([reply]))


@pytest.mark.parametrize("warming", [True, False])
async def test_a_wrong_key_is_told_and_not_said_back(warming: bool) -> None:
    said = await of(AnthropicSim(["-"], key="right"), warming=warming)
    assert said == "the key is not accepted (401): invalid x-api-key; was it revoked, or copied in part?"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sk-ant-admin01-x", "this is an admin key"),
        ("sk-ant-oat01-x", "the token of a login"),
        ("sk-proj-x", "this looks like a key of OpenAI"),
        ("sk-or-v1-x", "this looks like a key of OpenRouter"),
        ("sk_car_x", "this looks like a key of Cartesia"),
        ("AIzaSy", "this looks like a key of Google"),
        ("hello-world", "keys of Anthropic begin with sk-ant-"),
    ],
)
async def test_a_key_of_another_kind_is_recognised(key: str, hint: str) -> None:
    sim = AnthropicSim(["-"], key="right")
    async with sim.listening() as base_url:
        said = await failure(AnthropicLLM("claude-sim", base_url=base_url, api_key=key), warming=True)
    assert hint in said
    assert key not in said


async def test_a_gateway_on_this_machine_that_wants_a_key_and_gets_none_is_told() -> None:
    sim = AnthropicSim(["-"], key="right")
    async with sim.listening() as base_url:
        said = await failure(AnthropicLLM("claude-sim", base_url=base_url))
    assert "(401): x-api-key header is required; set the environment variable ANTHROPIC_API_KEY, or pass" in said
    assert "authorization" not in sim.requests[0].headers


@pytest.mark.parametrize("warming", [True, False])
async def test_an_unknown_model_is_named(warming: bool) -> None:
    said = await of(AnthropicSim(["-"]), model="claude-haiku-9", warming=warming)
    assert said.startswith("there is no model 'claude-haiku-9' (404), or the key may not use it: check its name")


async def test_a_gateway_without_a_list_of_models_is_warmed_all_the_same() -> None:
    sim = AnthropicSim(["-"], lists=False)
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url)
        await llm.warm()
        await llm.aclose()
    assert sim.lookups == 1


@pytest.mark.parametrize("warming", [True, False])
async def test_no_key_is_told_before_anything_is_sent(warming: bool) -> None:
    said = await failure(AnthropicLLM("claude-sim"), warming=warming)
    assert said == (
        "https://api.anthropic.com: no key: set the environment variable ANTHROPIC_API_KEY, or pass api_key"
    )


async def test_a_slip_in_copying_the_key_is_told() -> None:
    said = await failure(AnthropicLLM("claude-sim", api_key="sk-ant-\tsecret"))
    assert "the key holds blanks or characters that no key has" in said
    assert "secret" not in said


async def test_the_key_of_the_environment_is_not_sent_over_plain_http_to_another_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    said = await failure(AnthropicLLM("claude-sim", base_url="http://gateway.example.com"))
    assert "ANTHROPIC_API_KEY is not sent over plain http to another network: use https, or pass api_key" in said


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("api.anthropic.com", "expected base_url like 'https://api.anthropic.com', got 'api.anthropic.com'"),
        ("ftp://x.example.com", "expected base_url like"),
        ("https://api.anthropic.com/v1", "base_url ends before /v1, which is added to it"),
        ("https://api.anthropic.com/v1/messages/", "base_url ends before /v1, which is added to it"),
        ("https://me:secret@x.example.com", "base_url holds a user name or password"),
        ("https://x.example.com?key=secret", "base_url holds a query"),
    ],
)
async def test_an_address_that_cannot_be_is_refused(
    base_url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        AnthropicLLM("claude-sim", base_url=base_url)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
    said = await failure(AnthropicLLM("claude-sim", api_key=KEY))
    assert f"the environment variable ANTHROPIC_BASE_URL is wrong: {message}" in said


@pytest.mark.parametrize("warming", [True, False])
async def test_where_nothing_listens_it_says_so(warming: bool) -> None:
    llm = AnthropicLLM("claude-sim", base_url="http://127.0.0.1:9")
    assert "no connection: " in (said := await failure(llm, warming=warming))
    assert "check base_url and the network" in said


@pytest.mark.realtime
async def test_tls_to_a_plain_server_is_explained() -> None:
    sim = AnthropicSim(["-"])
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url.replace("http:", "https:"))
        said = await failure(llm, warming=True)
    assert "no TLS connection can be made: does the server speak plain http? Then base_url begins with http://" in said


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_redirect_is_not_followed_and_the_key_stays_here() -> None:
    seen = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": f"http://{request.host}/else?key=1"})

    async with server(elsewhere) as base_url:
        said = await failure(AnthropicLLM("claude-sim", base_url=base_url, api_key=KEY))
    assert f"it redirects to {base_url}/else (307), and redirects are not followed: make that the base_url" in said
    assert seen == ["/v1/messages"]


async def test_an_error_that_does_not_end_is_given_up() -> None:
    async def dribble(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while True:
            await response.write(b"Oops ")
            await asyncio.sleep(1)

    async with server(dribble) as base_url:
        start = asyncio.get_running_loop().time()
        said = await failure(AnthropicLLM("claude-sim", base_url=base_url))
        assert asyncio.get_running_loop().time() - start == pytest.approx(12.0)
    assert "no answer began within 12 s" in said


async def test_a_page_of_another_server_is_told() -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(status=418, text="<html>teapot</html>", content_type="text/html")

    async with server(page) as base_url:
        said = await failure(AnthropicLLM("claude-sim", base_url=base_url))
    assert said == f"{base_url}: no answer of Anthropic's came (status 418): is this the right base_url?"


@pytest.mark.parametrize(
    "event",
    [
        "[]",
        '{"type": 5}',
        '{"type": "message_start", "message": [], "usage": 1}',
        '{"type": "content_block_start", "index": "x", "content_block": null}',
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": {"a": 1}}}',
        '{"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "lost"}}',
        '{"type": "content_block_stop"}',
        '{"type": "message_delta", "delta": {"stop_reason": 5}, "usage": {"output_tokens": "x"}}',
        '{"type": "tomorrow", "more": true}',
    ],
)
async def test_strange_events_end_in_an_error_of_ours(event: str) -> None:
    async def strange(request: web.Request) -> web.StreamResponse:
        text = f"event: x\ndata: {event}\n\n"
        return web.Response(body=text.encode(), headers={"Content-Type": "text/event-stream"})

    async with server(strange) as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url, options=AnthropicOptions(retry=0))
        said = await failure(llm)
    assert "no message_stop" in said or "expected an event of an answer, got '[]'" in said


async def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sim = AnthropicSim([Reply(status=500, message=f"You sent {KEY}")], key=KEY)
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url, api_key=KEY)
        await llm.warm()
        said = await failure(llm)
    assert "You sent ***" in said
    assert "asking again in 0.2 s" in caplog.text
    assert KEY not in caplog.text


def test_the_waits_of_the_service_are_read_in_each_form() -> None:
    def wait(**headers: str) -> float | None:
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        return of_status(429, "rate_limit_error", "", found, "m", "").wait

    assert wait(retry_after="3") == 3.0
    assert wait(retry_after="30", retry_after_ms="250") == 0.25
    assert wait(retry_after="-1") == 0.0
    for nonsense in ("", "soon", "inf", "nan", "Fri, 31 Dec 2027 23:59:59 GMT"):
        assert wait(retry_after=nonsense) is None


def test_pauses_grow_until_the_budget_is_spent() -> None:
    retries, failed, now, pauses = Retries(2.5, 0.0), of_status(529, "", "", {}, "m", ""), 0.0, []
    while (pause := retries.pause(failed, now)) is not None:
        pauses.append(pause)
        now += pause
    assert pauses == [0.2, 0.4, 0.8]


@pytest.mark.parametrize("name", ["Authorization", "authorization", "x-api-key"])
async def test_a_header_of_the_users_own_is_sent_as_the_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    sim = AnthropicSim(["Yes."], key="right-secret")
    headers = {name: "right-secret" if name == "x-api-key" else "Bearer right-secret"}
    async with sim.listening() as base_url:
        llm = AnthropicLLM("claude-sim", base_url=base_url, options=AnthropicOptions(headers=headers))
        assert [item async for item in llm.respond(ASKED) if isinstance(item, str)] == ["Yes."]
        await llm.aclose()
    assert {"authorization", "x-api-key"} & set(sim.requests[0].headers) == {name.lower()}


def test_a_gateways_own_header_for_the_key_takes_the_place_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    endpoint = Endpoint("https://gateway.example.com/anthropic", None, {"x-api-key": "gateway-secret"})
    endpoint.unlock()
    assert endpoint.key is None
    assert endpoint.headers()["x-api-key"] == "gateway-secret"
    assert endpoint.scrubbed("you sent gateway-secret") == "you sent ***"
    assert str(endpoint) == "https://gateway.example.com/anthropic"
