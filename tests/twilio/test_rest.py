"""The REST client against the simulated Twilio, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from voiceloop.sim.twilio import ACCOUNT, NUMBER, TOKEN, Number, Phone, TwilioOptions, TwilioSim
from voiceloop.twilio.rest import RestOptions, TwilioError, TwilioREST
from voiceloop.twilio.twiml import TwimlError, document, hang_up, pause, say

CALLEE = "+15550003333"
LONG_CALL = document(pause(600))
KEY, KEY_SECRET = "SK" + "4" * 32, "key-secret-key-secret"


@asynccontextmanager
async def twilio(
    options: RestOptions | None = None, *, token: str = TOKEN, by_key: bool = False, **sim_options: Any
) -> AsyncIterator[tuple[TwilioSim, TwilioREST]]:
    numbers = sim_options.pop("numbers", (NUMBER,))
    sim = TwilioSim(api_keys={KEY: KEY_SECRET}, numbers=numbers, options=TwilioOptions(**sim_options))
    credentials: dict[str, Any] = {"api_key": KEY, "api_secret": KEY_SECRET} if by_key else {"auth_token": token}
    async with (
        sim.listening() as base_url,
        TwilioREST(ACCOUNT, base_url=base_url, options=options, **credentials) as rest,
    ):
        yield sim, rest


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_call_from_the_order_to_the_hang_up() -> None:
    async with twilio() as (sim, rest):
        info = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        assert (info.status, info.to, info.from_, info.duration) == ("queued", CALLEE, NUMBER, None)
        await asyncio.sleep(1)
        assert (await rest.status(info.sid)).status == "ringing"
        await asyncio.sleep(5)
        assert (await rest.status(info.sid)).status == "in-progress"
        await asyncio.sleep(10)
        await rest.hang_up(info.sid)
        await sim.calls[info.sid].ended()
        info = await rest.status(info.sid)
        assert (info.status, info.ended, info.duration) == ("completed", True, 14)


async def test_hanging_up_while_it_rings_cancels_nothing_else() -> None:
    async with twilio() as (sim, rest):
        info = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        await asyncio.sleep(1)
        await rest.hang_up(info.sid)
        await sim.calls[info.sid].ended()
        assert (await rest.status(info.sid)).duration == 0


async def test_a_redirect_runs_other_twiml() -> None:
    async with twilio() as (sim, rest):
        info = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        await asyncio.sleep(5)
        await rest.redirect(info.sid, document(say("Bye."), hang_up()))
        await sim.calls[info.sid].ended()
        assert sim.calls[info.sid].did == [("pause", "600"), ("say", "Bye."), ("hang up", "")]


async def test_calls_between_two_numbers_are_listed_the_newest_first() -> None:
    async with twilio() as (_, rest):
        first = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        await rest.dial("+15550004444", NUMBER, twiml=LONG_CALL)
        second = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        found = await rest.calls("+1 555 000 3333", NUMBER)
        assert [info.sid for info in found] == [second.sid, first.sid]
        assert await rest.calls(NUMBER, CALLEE) == []
        with pytest.raises(TwimlError):
            await rest.calls("me", NUMBER)


@pytest.mark.parametrize(
    ("trouble", "unclear"), [("lost", True), ("cut", True), ("stall", True), (503, True), ("page", True), (404, False)]
)
async def test_of_a_request_that_fails_it_is_known_whether_it_may_have_been_done(
    trouble: int | str, unclear: bool
) -> None:
    async with twilio() as (sim, rest):
        sim.troubles.append(trouble)
        with pytest.raises(TwilioError) as failed:
            await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        assert failed.value.unclear is unclear
        assert len(sim.calls) == (1 if trouble == "lost" else 0)
    with pytest.raises(TwilioError) as failed:  # nobody listens there any more
        await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
    await rest.aclose()
    assert not failed.value.unclear


async def test_a_transfer_says_for_whom_how_long_and_what_comes_then() -> None:
    async with twilio() as (sim, rest):
        sim.phones["+15550009999"] = Phone("no-answer")
        info = await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        line = sim.calls[info.sid]
        await asyncio.sleep(5)
        await rest.transfer(info.sid, "+15550009999", "One moment.", caller_id=NUMBER, ring=12)
        await line.ended()
        child = line.children[0]
        assert (child.from_, child.status) == (NUMBER, "no-answer")
        assert child.ended_at - child.created_at == pytest.approx(12.2)  # type: ignore[operator]


async def test_what_cannot_be_changed_any_more() -> None:
    async with twilio() as (_, rest):
        info = await rest.dial(CALLEE, NUMBER, twiml=document(hang_up()))
        await asyncio.sleep(10)
        await rest.hang_up(info.sid)
        await rest.hang_up("CA" + "0" * 32)
        for change in (rest.transfer(info.sid, CALLEE), rest.redirect(info.sid, LONG_CALL)):
            with pytest.raises(TwilioError, match="not in progress any more") as error:
                await change
            assert error.value.code == 21220
        with pytest.raises(TwilioError) as error:
            await rest.status("CA" + "0" * 32)
        assert (error.value.code, error.value.status) == (20404, 404)


@pytest.mark.parametrize(
    ("to", "from_", "options", "code", "said"),
    [
        (CALLEE, "+15558887777", {}, 21210, "neither bought from Twilio in this account nor verified"),
        (CALLEE, NUMBER, {"trial": True}, 21219, "a trial account reaches verified numbers only"),
        ("+442071838750", NUMBER, {"blocked": ("+44",)}, 21215, "Geo permissions"),
        ("+15", NUMBER, {}, 21211, "the number to call is not valid"),
        (CALLEE, "+15", {}, 21212, r"the caller's number \(from_\) is not valid"),
        (CALLEE, NUMBER, {"account_status": "suspended"}, 20005, "suspended or closed"),
    ],
)
async def test_a_refusal_says_what_is_wrong_and_how_to_mend_it(
    to: str, from_: str, options: dict[str, Any], code: int, said: str
) -> None:
    async with twilio(**options) as (sim, rest):
        with pytest.raises(TwilioError, match=said) as error:
            await rest.dial(to, from_, twiml=LONG_CALL)
        assert error.value.code == code
        assert f"error {code})" in str(error.value)
        assert sim.calls == {}


async def test_a_wrong_token_is_told_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "fedcba9876543210fedcba9876543210"
    async with twilio(token=wrong) as (_, rest):
        with pytest.raises(TwilioError, match="TWILIO_AUTH_TOKEN") as error:
            await rest.check()
        assert (error.value.code, error.value.status) == (20003, 401)
        assert wrong not in f"{error.value!r} {error.value} {rest!r} {vars(rest)} {vars(rest._client)} {caplog.text}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"to": "5550001111"}, r"like '\+15550001111'"),
        ({"from_": ""}, r"like '\+15550001111'"),
        ({"url": "https://h/voice"}, "one of url and twiml"),
        ({"twiml": ""}, "one of url and twiml"),
        ({"twiml": "x" * 4001}, "at most 4000 bytes, got 4001"),
    ],
)
async def test_what_can_be_seen_here_is_not_sent(wrong: dict[str, str], said: str) -> None:
    async with twilio() as (sim, rest):
        with pytest.raises((TwilioError, TwimlError), match=said):
            await rest.dial(**{"to": CALLEE, "from_": NUMBER, "twiml": LONG_CALL, **wrong})
        for sid in ("", "CA1", "CA" + "0" * 31 + "/", "../../Accounts", None):
            with pytest.raises(TwilioError, match="expected a call's SID"):
                await rest.hang_up(sid)  # type: ignore[arg-type]
        with pytest.raises(TwimlError, match="at most 4000 bytes"):
            await rest.transfer("CA" + "0" * 32, CALLEE, "x" * 4000)
        assert sim.calls == {}


# --- when Twilio is not well ------------------------------------------------------------------------------------


async def test_what_harms_nobody_is_asked_again_with_pauses() -> None:
    async with twilio() as (sim, rest):
        sim.troubles.extend([503, "page"])
        began = now()
        assert (await rest.check()).status == "active"
        assert now() - began == pytest.approx(1.5)  # 0.5 and 1 s


async def test_a_call_is_never_made_twice() -> None:
    for trouble in (503, "cut", "stall", "page"):
        async with twilio() as (sim, rest):
            sim.troubles.append(trouble)
            with pytest.raises(TwilioError):
                await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
            assert sim.calls == {}
            assert not sim.troubles


async def test_a_call_that_was_refused_for_now_is_ordered_again_as_twilio_says() -> None:
    async with twilio() as (sim, rest):
        sim.troubles.append(429)
        began = now()
        await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        assert now() - began == pytest.approx(1.0)  # Retry-After
        assert len(sim.calls) == 1


async def test_it_gives_up_in_the_end() -> None:
    async with twilio() as (sim, rest):
        sim.troubles.extend([429] * 10)
        with pytest.raises(TwilioError, match="too many requests") as error:
            await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        assert (error.value.status, len(sim.troubles)) == (429, 7)


async def test_every_wait_has_a_limit() -> None:
    async with twilio(RestOptions(timeout=3.0, total=20.0)) as (sim, rest):
        sim.troubles.extend(["stall"] * 10)
        began = now()
        with pytest.raises(TwilioError, match=r"no answer from http://127\.0\.0\.1:\d+ within 3 s"):
            await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
        assert now() - began == pytest.approx(3.0)
        began = now()
        with pytest.raises(TwilioError, match="within 3 s"):
            await rest.check()
        assert now() - began == pytest.approx(10.5)
    async with twilio(RestOptions(timeout=30.0, total=8.0)) as (sim, rest):
        sim.troubles.extend(["stall"] * 10)
        began = now()
        with pytest.raises(TwilioError, match="within 8 s"):
            await rest.check()
        assert now() - began == pytest.approx(8.0)


async def test_nobody_there_and_somebody_else_there() -> None:
    rest = TwilioREST(ACCOUNT, TOKEN, base_url="http://127.0.0.1:1")
    with pytest.raises(TwilioError, match=r"no connection to http://127\.0\.0\.1:1"):
        await rest.check()
    await rest.aclose()
    async with twilio() as (sim, rest):
        sim.troubles.extend(["page"] * 3)
        with pytest.raises(TwilioError, match=r"expected JSON from .*\(status 502\): is it Twilio's API\?"):
            await rest.check()


@pytest.mark.parametrize("body", ["[]", "null", '"x"', "{", "[" * 100_000, '{"code": "x", "message": 5}'])
async def test_answers_that_are_not_twilios_raise_nothing_else(body: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json", status=400)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handle_signals=False, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 8899).start()
    try:
        async with TwilioREST(ACCOUNT, TOKEN, base_url="http://127.0.0.1:8899") as rest:
            with pytest.raises(TwilioError):
                await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)
    finally:
        await runner.cleanup()


# --- the account ------------------------------------------------------------------------------------------------


async def test_the_account_and_its_numbers() -> None:
    webhook = Number(NUMBER, voice_url="https://h.example/voice", name="Shop")
    async with twilio(trial=True, numbers=[webhook, *(f"+1555001{i:04}" for i in range(120))]) as (_, rest):
        account = await rest.check()
        assert (account.sid, account.status, account.trial) == (ACCOUNT, "active", True)
        numbers = await rest.numbers()
        assert len(numbers) == 121
        assert (numbers[0].voice_url, numbers[0].voice_method, numbers[0].name) == (
            "https://h.example/voice",
            "POST",
            "Shop",
        )
        assert numbers[1].voice_url == ""
        found = await rest.number("+1 555-001-0119")
        assert found == numbers[-1]
        assert await rest.number("+15559999999") is None


async def test_numbers_are_listed_up_to_a_limit() -> None:
    async with twilio(RestOptions(most_numbers=60), numbers=[f"+1555001{i:04}" for i in range(120)]) as (_, rest):
        assert len(await rest.numbers()) == 60


@pytest.mark.parametrize("status", ["suspended", "closed"])
async def test_an_account_that_is_not_active_is_told(status: str) -> None:
    async with twilio(account_status=status) as (_, rest):
        with pytest.raises(TwilioError, match=f"the account {ACCOUNT} is {status}, not active") as error:
            await rest.check()
        assert error.value.code == 20005


async def test_an_api_key_opens_the_calls_though_it_may_not_read_the_account() -> None:
    async with twilio(by_key=True) as (_, rest):
        account = await rest.check()
        assert (account.sid, account.status) == (ACCOUNT, "")
        assert (await rest.dial(CALLEE, NUMBER, twiml=LONG_CALL)).status == "queued"
        assert KEY_SECRET not in repr(vars(rest._client))


@pytest.mark.parametrize(
    ("account", "credentials", "said"),
    [
        ("", {}, "set TWILIO_ACCOUNT_SID"),
        ("SK" + "1" * 32, {"auth_token": TOKEN}, "that is an API key, which belongs into TWILIO_API_KEY"),
        (TOKEN, {"auth_token": TOKEN}, "expected TWILIO_ACCOUNT_SID to be AC and 32 hexadecimal digits, got '01…'"),
        (ACCOUNT, {"auth_token": ""}, "set TWILIO_AUTH_TOKEN"),
        (ACCOUNT, {"auth_token": "two words"}, "TWILIO_AUTH_TOKEN holds blanks"),
        (ACCOUNT, {"auth_token": "schlüssel"}, "TWILIO_AUTH_TOKEN holds blanks or characters"),
        (ACCOUNT, {"api_key": KEY}, "set TWILIO_API_SECRET"),
        (ACCOUNT, {"api_key": "AC1", "api_secret": "x"}, "expected TWILIO_API_KEY to be SK"),
        (ACCOUNT, {"auth_token": TOKEN, "base_url": "http://api.example.com"}, "not sent over plain http"),
        (ACCOUNT, {"auth_token": TOKEN, "base_url": "api.twilio.com"}, "expected a base URL"),
        (ACCOUNT, {"auth_token": TOKEN, "base_url": "https://me:x@h.example"}, "expected a base URL"),
    ],
)
def test_slips_in_the_credentials_are_told_without_asking(
    account: str, credentials: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "API_SECRET", "BASE_URL"):
        monkeypatch.delenv(f"TWILIO_{name}", raising=False)
    with pytest.raises(TwilioError, match=said) as error:
        TwilioREST(account, **credentials)
    assert TOKEN not in str(error.value)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", f" {ACCOUNT}\n")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("TWILIO_BASE_URL", "http://127.0.0.1:4010/")
    monkeypatch.delenv("TWILIO_API_KEY", raising=False)
    assert repr(TwilioREST()) == f"<TwilioREST {ACCOUNT} at http://127.0.0.1:4010>"
    monkeypatch.setenv("TWILIO_API_KEY", KEY)
    monkeypatch.setenv("TWILIO_API_SECRET", KEY_SECRET)
    assert TwilioREST()._client._credentials.user == KEY
    assert TwilioREST(auth_token=TOKEN)._client._credentials.user == ACCOUNT
