"""The number and the public URL: whether a call that is made now would reach the bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking, wallclock
from voiceloop.doctor.account import check_account
from voiceloop.doctor.address import check_address
from voiceloop.doctor.clock import check_clock
from voiceloop.doctor.finding import Finding
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.services import Services
from voiceloop.sim.twilio import NUMBER, TOKEN, Number, TwilioOptions
from voiceloop.testing import Lexicon, ScriptedSTT, ScriptedTTS, script

Open = Callable[..., AbstractAsyncContextManager[Services]]
PORT = 8080
BASE = f"http://127.0.0.1:{PORT}"
PUBLIC = "https://agent.example.com"
LEXICON = Lexicon()


def bot(call: Call) -> Pipeline:
    ears = [call.transport, EnergyVAD(), ScriptedSTT(LEXICON), TurnTaking()]
    return Pipeline([*ears, LLMAggregator(script("One tea.")), ScriptedTTS(LEXICON), AudioStreamer()])


async def account(base: str = PUBLIC, number: str = "") -> dict[str, Finding]:
    return {finding.what: finding async for finding in check_account(base, number)}


async def address(base: str = BASE, token: str = TOKEN, simulated: bool = True) -> dict[str, Finding]:
    return {finding.what: finding async for finding in check_address(base, token, simulated=simulated)}


# --- the account ------------------------------------------------------------------------------------------------


async def test_a_number_that_leads_to_the_bot_is_well(services: Open) -> None:
    async with services(only=["twilio"]):
        found = await account()
    assert [finding.state for finding in found.values()] == ["ok", "ok"]
    assert found[f"number {NUMBER}"].text == f"its calls go to {PUBLIC}/voice"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"voice_url": "https://old.example.com/voice"},
            f"go to https://old.example.com/voice, expected {PUBLIC}/voice",
        ),
        ({"voice_url": f"{PUBLIC}/voice/"}, f"its calls go to {PUBLIC}/voice/, expected {PUBLIC}/voice: set it"),
        ({"voice_url": ""}, f"it has no webhook: set it to {PUBLIC}/voice in Twilio's console"),
        ({"voice_method": "GET"}, "its webhook is asked by HTTP GET, expected HTTP POST"),
    ],
)
async def test_a_wrong_webhook_is_told_with_the_right_one(
    services: Open, changes: Mapping[str, str], said: str
) -> None:
    async with services(only=["twilio"]) as all_of_them:
        for name, value in changes.items():
            setattr(all_of_them.twilio.numbers[NUMBER], name, value)
        finding = (await account())[f"number {NUMBER}"]
    assert finding.state == "wrong"
    assert said in finding.text


async def test_other_numbers_of_the_account_may_serve_others(services: Open) -> None:
    other = "+15550009999"
    async with services(only=["twilio"]) as all_of_them:
        all_of_them.twilio.numbers[other] = Number(
            other, voice_url="https://shop.example.com/voice", sid="PN" + "9" * 32
        )
        found = await account()
        named = await account(number=other)
    assert f"number {other}" not in found
    assert [finding.state for finding in found.values()] == ["ok", "ok"]
    assert named[f"number {other}"].state == "wrong"


async def test_a_number_that_is_not_the_accounts_is_told(services: Open) -> None:
    async with services(only=["twilio"]):
        finding = (await account(number="+15550008888"))["Twilio number"]
    assert (finding.state, finding.text.partition(":")[0]) == ("wrong", "the account has no number +15550008888")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TWILIO_ACCOUNT_SID": ""}, "set TWILIO_ACCOUNT_SID to the account's SID (AC…)"),
        ({"TWILIO_ACCOUNT_SID": "SK" + "1" * 32}, "that is an API key, which belongs into TWILIO_API_KEY"),
        ({"TWILIO_AUTH_TOKEN": ""}, "set TWILIO_AUTH_TOKEN"),
        ({"TWILIO_AUTH_TOKEN": "f" * 32}, "compare TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN with"),
        ({"TWILIO_API_KEY": "SK" + "1" * 32}, "set TWILIO_API_SECRET"),
        ({"TWILIO_BASE_URL": "http://127.0.0.1:9"}, "no connection to http://127.0.0.1:9"),
    ],
)
async def test_keys_of_twilio_that_are_missing_or_wrong_are_told(
    services: Open, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], said: str
) -> None:
    async with services(only=["twilio"]):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = await account()
    assert list(found) == ["Twilio account"]
    finding = found["Twilio account"]
    assert finding.state == "wrong"
    assert said in finding.text
    assert "f" * 32 not in finding.text


async def test_a_suspended_account_is_told(services: Open) -> None:
    async with services(only=["twilio"], line=TwilioOptions(account_status="suspended")):
        finding = (await account())["Twilio account"]
    assert finding.state == "wrong"
    assert "mostly about the balance" in finding.text


# --- the public URL ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[None]:
    given = {"public_url": BASE, "auth_token": TOKEN} | options
    async with serving_phone(bot, port=PORT, options=PhoneOptions(**given)):
        yield


@asynccontextmanager
async def elsewhere(handler: Any) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", PORT).start()
        yield
    finally:
        await runner.cleanup()


async def test_a_bot_that_is_served_lets_twilio_in_and_keeps_others_out() -> None:
    async with served():
        found = await address()
    assert {what: finding.state for what, finding in found.items()} == {
        "public URL": "ok",
        "webhook of a stranger": "ok",
        "webhook of Twilio": "ok",
        "media stream": "ok",
    }


async def test_also_when_the_sockets_own_signature_must_be_right() -> None:
    async with served(strict=True):
        assert (await address())["media stream"].state == "ok"


@pytest.mark.parametrize("options", [{"auth_token": "f" * 32}, {"public_url": PUBLIC}])
async def test_a_server_with_another_token_or_url_is_told(options: dict[str, str]) -> None:
    async with served(**options):
        finding = (await address())["webhook of Twilio"]
    assert finding.state == "wrong"
    assert "another TWILIO_AUTH_TOKEN or another VOICELOOP_PUBLIC_URL" in finding.text
    assert "f" * 32 not in finding.text


async def test_a_server_that_lets_everybody_in_is_told() -> None:
    async with served(check=False):
        finding = (await address())["webhook of a stranger"]
    assert finding.state == "wrong"
    assert "anybody can start calls at your cost" in finding.text


async def test_looking_at_it_starts_no_call() -> None:
    calls: list[object] = []
    async with served(on_call=calls.append, parameters=lambda incoming: calls.append(incoming) or {}):
        await address()
    assert calls == []


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


async def login(request: web.Request) -> web.Response:
    raise web.HTTPFound("https://tunnel.example.com/login?next=secret")


async def bad_gateway(request: web.Request) -> web.Response:
    raise web.HTTPBadGateway


async def nothing(request: web.Request) -> web.Response:
    raise web.HTTPNotFound


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (hello, "gave status 200: something else than voiceloop answers there"),
        (nothing, "gave status 404: something else than voiceloop answers there"),
        (login, "gave status 302, which leads to https://tunnel.example.com/login: put the address"),
        (bad_gateway, "gave status 502: what stands before the bot, a tunnel or a proxy, does not reach it"),
    ],
)
async def test_an_address_that_leads_elsewhere_is_told(handler: Any, said: str) -> None:
    async with elsewhere(handler):
        found = await address()
    assert list(found) == ["public URL"]
    assert found["public URL"].state == "wrong"
    assert said in found["public URL"].text
    assert "secret" not in found["public URL"].text


async def test_a_proxy_that_lets_no_websocket_pass_is_told() -> None:
    async def proxy(request: web.Request) -> web.Response:
        if request.path == "/healthz":
            return web.Response(text="ok\n")
        if request.path == "/voice" and "X-Twilio-Signature" in request.headers:
            raise web.HTTPBadRequest
        if request.path == "/voice":
            raise web.HTTPForbidden(text="this is not signed by Twilio\n")
        raise web.HTTPNotFound

    async with elsewhere(proxy):
        finding = (await address())["media stream"]
    assert finding.state == "wrong"
    assert "expected 101: a proxy must let WebSockets pass at /media" in finding.text


async def test_an_address_where_nothing_listens_is_told() -> None:
    finding = (await address())["public URL"]
    assert finding.state == "wrong"
    assert f"{BASE} cannot be reached" in finding.text


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def stuck(request: web.Request) -> web.Response:
        import asyncio

        await asyncio.sleep(60)
        return web.Response()

    async with elsewhere(stuck):
        finding = (await address())["public URL"]
    assert finding.state == "wrong"
    assert "did not answer within 10 s" in finding.text


@pytest.mark.parametrize("base", ["https://localhost:8443", "https://192.168.1.7", "https://bot.local"])
async def test_an_address_that_twilio_cannot_reach_is_told(base: str) -> None:
    finding = (await address(base, simulated=False))["public URL"]
    assert finding.state == "wrong"
    assert "which Twilio cannot reach: use a tunnel or a host" in finding.text


# --- the clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "state", "said"),
    [(0.0, "ok", "within 30 s"), (3600.4, "wrong", "is 3600 s ahead"), (-400.4, "wrong", "is 400 s behind")],
)
async def test_a_clock_that_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, skew: float, state: str, said: str
) -> None:
    now = 1_790_000_000

    async def dated(request: web.Request) -> web.Response:
        from email.utils import formatdate

        return web.Response(headers={"Date": formatdate(now, usegmt=True)})

    monkeypatch.setattr(wallclock, "unix", lambda: now + skew)
    async with elsewhere(dated):
        finding = await check_clock(["http://127.0.0.1:9", BASE])
    assert (finding.what, finding.state) == ("clock", state)
    assert said in finding.text


async def test_without_a_server_the_clock_is_not_judged() -> None:
    assert (await check_clock(["http://127.0.0.1:9"])).state == "skipped"
