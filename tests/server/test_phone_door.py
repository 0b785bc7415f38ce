"""Who is let in to the phone server, and what its owner is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from voiceloop import Call, Pipeline
from voiceloop.server.phone import PhoneError, PhoneOptions
from voiceloop.server.serve import Serving, serving_phone
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio import TOKEN, TwilioOptions, TwilioSim
from voiceloop.twilio.signature import SETTINGS_HEADER, SIGNATURE_HEADER, body_hash, sign
from voiceloop.twilio.token import StreamTokens

PUBLIC = "https://agent.example.com"
VOICE = f"{PUBLIC}/voice"
SID = "CA" + "1" * 32
OTHER = "CA" + "2" * 32
FORM = {
    "CallSid": SID,
    "AccountSid": "AC" + "3" * 32,
    "From": "+15550002222",
    "To": "+15550001111",
    "CallStatus": "ringing",
}


FORM_TYPE = "application/x-www-form-urlencoded"


def silent(call: Call) -> Pipeline:
    return Pipeline([call.transport])


@asynccontextmanager
async def server(**options: Any) -> AsyncIterator[tuple[Serving, aiohttp.ClientSession]]:
    settings = PhoneOptions(**{"public_url": PUBLIC, "auth_token": TOKEN, **options})
    async with serving_phone(silent, options=settings) as serving, aiohttp.ClientSession() as session:
        yield serving, session


def post(serving: Serving, session: aiohttp.ClientSession, path: str = "/voice", **request: Any) -> Any:
    return session.post(serving.url + path, **request)


def signed(url: str = VOICE, form: Mapping[str, str] = FORM, token: str = TOKEN, **more: Any) -> dict[str, str]:
    return {SIGNATURE_HEADER: sign(token, url, form, **more)}


# --- webhooks -------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, dict[str, Any], int]] = [
    ("no signature", {"data": FORM}, 403),
    ("empty signature", {"data": FORM, "headers": {SIGNATURE_HEADER: ""}}, 403),
    ("random signature", {"data": FORM, "headers": {SIGNATURE_HEADER: "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}}, 403),
    ("signature that is no base64", {"data": FORM, "headers": {SIGNATURE_HEADER: "§$%"}}, 403),
    ("another token", {"data": FORM, "headers": signed(token="f" * 32)}, 403),
    ("another URL", {"data": FORM, "headers": signed("https://other.example.com/voice")}, 403),
    ("another path", {"data": FORM, "headers": signed(f"{PUBLIC}/status")}, 403),
    ("plain http", {"data": FORM, "headers": signed("http://agent.example.com/voice")}, 403),
    ("a slash at the end", {"data": FORM, "headers": signed(f"{VOICE}/")}, 403),
    ("a changed field", {"data": {**FORM, "From": "+15550006666"}, "headers": signed()}, 403),
    ("a field more", {"data": {**FORM, "Extra": "1"}, "headers": signed()}, 403),
    ("a field less", {"data": {"CallSid": SID}, "headers": signed()}, 403),
    ("a query that is not signed", {"data": FORM, "headers": signed(), "params": {"a": "b"}}, 403),
    ("SHA-256 with the auth token", {
        "data": FORM,
        "headers": {**signed(algorithm="HMAC_SHA256"), SETTINGS_HEADER: "key=WK1,algorithm=HMAC_SHA256"},
    }, 403),
    ("an unknown algorithm", {"data": FORM, "headers": {**signed(), SETTINGS_HEADER: "key=,algorithm=none"}}, 403),
    ("JSON without a hash", {"json": FORM, "headers": signed(form={})}, 403),
    ("a body that is too long", {"data": {**FORM, "x": "y" * 70_000}, "headers": signed()}, 413),
    ("too many fields", {"data": {f"f{i}": "" for i in range(201)}, "headers": signed(form={})}, 400),
    ("no call", {"data": {"From": "+1"}, "headers": signed(form={"From": "+1"})}, 400),
    ("a call that is none", {"data": {"CallSid": "CA1"}, "headers": signed(form={"CallSid": "CA1"})}, 400),
    ("bytes that are no text", {"data": b"CallSid=%ff%fe", "headers": {"Content-Type": FORM_TYPE}}, 400),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
async def test_a_webhook_that_is_not_twilios_is_refused(request_: dict[str, Any], status: int) -> None:
    async with server() as (serving, session):
        async with post(serving, session, **request_) as response:
            assert response.status == status
            assert "<Response>" not in await response.text()
        assert serving.phone.counts["voice.refused"] == 1


@pytest.mark.parametrize(
    ("url", "form"),
    [
        (VOICE, FORM),
        ("https://agent.example.com:443/voice", FORM),
        (VOICE, {**FORM, "CallerName": "José & Søn <x>", "Empty": ""}),
        (f"{VOICE}?tenant=t%2042&x=%C3%A9", FORM),
    ],
)
async def test_a_webhook_of_twilios_is_told_to_open_a_stream(url: str, form: dict[str, str]) -> None:
    async with server() as (serving, session):
        path = url.partition("agent.example.com")[2].removeprefix(":443")
        from yarl import URL

        async with session.post(
            URL(serving.url + path, encoded=True), data=form, headers=signed(url, form)
        ) as response:
            assert response.status == 200
            assert response.content_type == "text/xml"
            text = await response.text()
    assert '<Connect><Stream url="wss://agent.example.com/media">' in text


async def test_a_webhook_signed_with_a_shared_key_is_taken() -> None:
    headers = {SIGNATURE_HEADER: sign("shared secret", VOICE, FORM, algorithm="HMAC_SHA256")}
    headers[SETTINGS_HEADER] = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    keys = {"webhooks_sharedkey_1": "shared secret"}
    async with (
        server(shared_keys=keys) as (serving, session),
        post(serving, session, data=FORM, headers=headers) as response,
    ):
        assert response.status == 200


async def test_a_signed_json_body_is_no_webhook_of_a_call() -> None:
    body = b'{"CallSid": 1}'
    url = f"{VOICE}?bodySHA256={body_hash(body)}"
    async with server() as (serving, session):
        headers = {**signed(url, {}), "Content-Type": "application/json"}
        async with post(
            serving, session, f"/voice?bodySHA256={body_hash(body)}", data=body, headers=headers
        ) as response:
            assert response.status == 400
            assert "application/json" in await response.text()


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async with server() as (serving, _):
        began = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(serving.url.rpartition(":")[2]))
        writer.write(b"POST /voice HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nCallSid")
        answer = await reader.readline()
        assert answer.startswith(b"HTTP/1.1 408")
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.1)
        assert await reader.read()  # to the end: the server does not wait for the rest for ever
        assert asyncio.get_running_loop().time() - began < 7
        writer.close()
        await writer.wait_closed()


async def test_headers_that_never_end_are_not_waited_for() -> None:
    async with server() as (serving, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(serving.url.rpartition(":")[2]))
        writer.write(b"POST /voice HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /voice?" + "x" * 20_000 + " HTTP/1.1\r\nHost: x\r\n", 400),
        ("POST /voice HTTP/1.1\r\nHost: x\r\nX: " + "x" * 20_000 + "\r\n", 400),
        ("POST /voice HTTP/1.1\r\n" + "".join(f"X{i}: 1\r\n" for i in range(500)), 400),
        ("GET /voice HTTP/1.1\r\nHost: x\r\n", 405),
        ("GET /media HTTP/1.1\r\nHost: x\r\n", 426),
        ("PUT /voice HTTP/1.1\r\nHost: x\r\n", 405),
        ("GET /elsewhere HTTP/1.1\r\nHost: x\r\n", 404),
    ],
    ids=["long URL", "long header", "many headers", "GET", "no WebSocket", "PUT", "no such path"],
)
async def test_requests_of_the_wrong_size_or_kind_are_refused(head: str, status: int) -> None:
    async with server() as (serving, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(serving.url.rpartition(":")[2]))
        writer.write(head.encode() + b"\r\n")
        assert (await reader.readline()).split()[1] == str(status).encode()
        writer.close()
        await writer.wait_closed()


# --- streams --------------------------------------------------------------------------------------------------


async def stream(
    serving: Serving, token: str | None, *, call_sid: str = SID, headers: Mapping[str, str] | None = None
) -> tuple[str, int]:
    """Open a stream and see what becomes of it: how it ended within a second, and how many calls there are then."""
    parameters = {"token": token} if token is not None else {}
    headers = {SIGNATURE_HEADER: sign(TOKEN, "wss://agent.example.com/media")} if headers is None else headers
    carrier = Carrier(f"{serving.url}/media", parameters=parameters, call_sid=call_sid, headers=headers)
    async with carrier:
        await asyncio.sleep(1)
        return carrier.end, len(serving.phone.calls)


def tokens(now: float = 0.0, secret: str = TOKEN) -> StreamTokens:
    return StreamTokens(secret, lambda: asyncio.get_running_loop().time() + now)


def spoilt(token: str, at: int) -> str:
    return token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]


TOKENS = {
    "none": lambda: None,
    "empty": lambda: "",
    "a word": lambda: "letmein",
    "of another call": lambda: tokens().make(OTHER),
    "of no call": lambda: tokens().make(""),
    "of another account": lambda: tokens(secret="f" * 32).make(SID),
    "expired": lambda: tokens(-61).make(SID),
    "from the future": lambda: tokens(+61).make(SID),
    "time changed": lambda: spoilt(tokens().make(SID), 0),
    "number changed": lambda: spoilt(tokens().make(SID), tokens().make(SID).index("-") + 1),
    "code changed": lambda: spoilt(tokens().make(SID), -1 + len(tokens().make(SID))),
    "cut": lambda: tokens().make(SID)[:-1],
    "longer": lambda: tokens().make(SID) + "0",
    "in capitals": lambda: tokens().make(SID).upper(),
    "with a blank": lambda: " " + tokens().make(SID),
    "with a newline": lambda: tokens().make(SID) + "\n",
    "digits of another script": lambda: tokens().make(SID).replace("0", "٠").replace("1", "١"),
    "huge": lambda: "0" * 100_000,
    "the auth token": lambda: TOKEN,
}


@pytest.mark.parametrize("make", TOKENS.values(), ids=TOKENS)
async def test_a_stream_without_a_valid_token_is_closed_and_no_bot_is_made(make: Any) -> None:
    async with server() as (serving, _):
        await asyncio.sleep(100)  # so that a token can be old
        end, calls = await stream(serving, make())
        assert (end, calls) == ("closed by the server (1008)", 0)
        assert serving.phone.counts["media.refused"] == 1


async def test_a_token_opens_one_stream_once() -> None:
    async with server() as (serving, _):
        token = tokens().make(SID)
        assert await stream(serving, token) == ("", 1)
        assert await stream(serving, token) == ("closed by the server (1008)", 0)
        assert await stream(serving, token, call_sid=OTHER) == ("closed by the server (1008)", 0)


@pytest.mark.parametrize("signing", ["wss", "https", "port", "slash"])
async def test_whichever_url_of_ours_twilio_signs_the_strict_server_takes_it(signing: Any) -> None:
    async with server(strict=True) as (serving, _):
        sim = TwilioSim(tunnels={PUBLIC: serving.url}, options=TwilioOptions(signing=signing))
        async with sim.listening():
            line = await sim.call(VOICE)
            await line.caller.waits(1)
            assert serving.phone.counts == {"voice": 1, "media": 1}
            await line.hangs_up()


@pytest.mark.parametrize("signing", ["bad", "none"])
async def test_a_wrong_handshake_under_a_valid_token_is_counted_and_refused_only_when_strict(
    signing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for strict in (False, True):
        async with server(strict=strict, returns=0) as (serving, _):
            sim = TwilioSim(tunnels={PUBLIC: serving.url}, options=TwilioOptions(signing=signing))
            async with sim.listening():
                line = await sim.call(VOICE)
                if strict:
                    await line.ended()
                    assert [alert.code for alert in sim.debugger] == [31920]
                    assert serving.phone.counts["media.refused"] == 1
                else:
                    await line.caller.waits(1)
                    assert serving.phone.counts["media.unsigned"] == 1
                    assert len(serving.phone.calls) == 1
                    await line.hangs_up()
    assert "does not match https://agent.example.com/media; its token is valid, so it goes on" in caplog.text


async def test_a_socket_that_says_nothing_is_closed_and_sockets_that_wait_are_counted() -> None:
    async with server(most_handshakes=2) as (serving, session):
        first = await session.ws_connect(f"{serving.url}/media")
        second = await session.ws_connect(f"{serving.url}/media")
        third = await session.ws_connect(f"{serving.url}/media")
        codes = [(await socket.receive()).data for socket in (first, second, third)]
        assert codes == [1013, 1002, 1002], "the one that had waited longest made room"
        assert serving.phone.counts["media.dropped"] == 1
        for socket in (first, second, third):
            await socket.close()


async def test_a_first_message_that_is_huge_closes_the_socket() -> None:
    async with server() as (serving, session):
        socket = await session.ws_connect(f"{serving.url}/media")
        with pytest.raises((ConnectionError, aiohttp.ClientError, AssertionError)):  # noqa: PT012
            await socket.send_str("x" * 3_000_000)
            message = await socket.receive()
            assert message.type is not aiohttp.WSMsgType.CLOSE, "refused, as it should be"
        await socket.close()
        assert serving.phone.calls == {}


async def test_without_checks_everybody_is_let_in() -> None:
    async with server(check=False, auth_token="") as (serving, session):
        async with post(serving, session, data=FORM) as response:
            assert response.status == 200
        assert await stream(serving, None, headers={}) == ("", 1)


# --- what the owner is told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "POST /voice was refused (403): it has no X-Twilio-Signature, so it does not come from Twilio"),
        (
            signed("http://agent.example.com/voice"),
            "it was checked against https://agent.example.com/voice, but Twilio has called http://agent.example.com/voice",
        ),
        (
            {**signed("https://new.example.com/voice"), "Host": "new.example.com"},
            "it was checked against https://agent.example.com/voice, but Twilio has called https://new.example.com/voice",
        ),
        (
            {
                **signed("https://tunnel.example.com/voice"),
                "X-Forwarded-Host": "tunnel.example.com",
                "X-Forwarded-Proto": "https",
            },
            "Twilio has called https://tunnel.example.com/voice. Set VOICELOOP_PUBLIC_URL to what stands before /voice",
        ),
        (
            signed(f"{VOICE}/"),
            "but Twilio has called https://agent.example.com/voice/",
        ),
        (
            signed(token="f" * 32),
            "Or TWILIO_AUTH_TOKEN is not that of the account AC33333333333333333333333333333333",
        ),
        (
            {**signed(), SETTINGS_HEADER: "key=WK9,algorithm=HMAC_SHA256"},
            "it is signed with the shared key 'WK9', which is not among the shared_keys",
        ),
    ],
)  # fmt: skip
async def test_a_log_line_says_why_a_signature_does_not_match(
    headers: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with server() as (serving, session), post(serving, session, data=FORM, headers=headers) as response:
        assert response.status == 403
    assert said in caplog.text
    assert TOKEN not in caplog.text


async def test_refusals_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with server() as (serving, session):
        for _ in range(50):
            async with post(serving, session, data=FORM) as response:
                assert response.status == 403
        assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 10
        await asyncio.sleep(61)
        async with post(serving, session, data=FORM) as response:
            assert response.status == 403
    assert "40 more warnings of this kind were left out" in caplog.text


async def test_forwarded_headers_count_only_when_they_are_trusted() -> None:
    headers = {**signed("https://tunnel.example.com/voice"), "X-Forwarded-Proto": "https, http"}
    headers["X-Forwarded-Host"] = "tunnel.example.com, inner"
    async with server(public_url="", trust_forwarded=True) as (serving, session):
        async with post(serving, session, data=FORM, headers=headers) as response:
            assert response.status == 200
            assert 'url="wss://tunnel.example.com/media"' in await response.text()
        for wrong in ({"X-Forwarded-Host": 'evil"><x'}, {"X-Forwarded-Proto": "gopher"}, {"X-Forwarded-Proto": "http"}):
            async with post(serving, session, data=FORM, headers={**headers, **wrong}) as response:
                assert response.status == 403
    async with server() as (serving, session), post(serving, session, data=FORM, headers=headers) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "Set VOICELOOP_PUBLIC_URL to the https address of your tunnel or host"),
        ("http://agent.example.com", "with https, since Twilio opens streams over TLS only"),
        ("agent.example.com", "did you mean https://agent.example.com?"),
        ("wss://agent.example.com", "with https, since Twilio"),
        ("https://agent.example.com/voice", "what stands before /voice"),
        ("https://agent.example.com/?a=b", "without user, query and fragment"),
        ("https://user:pass@agent.example.com", "without user, query and fragment"),
        ("https://agent.example.com:notaport", "expected a public URL like"),
        ("https://", "expected a public URL like"),
        ("https://a gent", "expected a public URL like"),
    ],
)
async def test_a_public_url_that_twilio_cannot_use_is_told_at_the_start(given: str, said: str) -> None:
    with pytest.raises(PhoneError) as error:
        async with server(public_url=given):
            pass
    assert said in str(error.value)


async def test_a_missing_auth_token_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWILIO_AUTH_TOKEN", raising=False)
    with pytest.raises(PhoneError) as error:
        async with server(auth_token=None):
            pass
    assert "set TWILIO_AUTH_TOKEN" in str(error.value)


async def test_the_environment_says_url_token_and_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICELOOP_PUBLIC_URL", "https://env.example.com/bots/tea/")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "3" * 32)
    monkeypatch.delenv("TWILIO_API_KEY", raising=False)
    async with serving_phone(silent) as serving, aiohttp.ClientSession() as session:
        assert serving.public_url == "https://env.example.com/bots/tea"
        assert repr(serving.phone.options.carrier) == f"<TwilioREST AC{'3' * 32} at https://api.twilio.com>"
        headers = signed("https://env.example.com/bots/tea/voice")
        async with post(serving, session, data=FORM, headers=headers) as response:
            assert 'url="wss://env.example.com/bots/tea/media"' in await response.text()
        assert "  A call comes in:       Webhook, https://env.example.com/bots/tea/voice, HTTP POST\n" in serving.setup
    assert TOKEN not in repr(serving.phone.options)


async def test_a_taken_port_and_a_bot_that_cannot_start_are_told_plainly() -> None:
    async with server() as (serving, _):
        port = int(serving.url.rpartition(":")[2])
        with pytest.raises(PhoneError, match=f"port {port} is in use"):
            async with serving_phone(silent, port=port, options=PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)):
                pass
    from voiceloop import VoiceloopError

    def broken(call: Call) -> Pipeline:
        raise KeyError("menu")

    with pytest.raises(VoiceloopError, match="bot\\(call\\) raised KeyError: 'menu'"):
        async with serving_phone(broken, options=PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)):
            pass


async def test_health_and_readiness() -> None:
    async with server() as (serving, session):
        for path in ("/healthz", "/readyz"):
            async with session.get(serving.url + path) as response:
                assert response.status == 200
        await serving.phone.drain()
        async with session.get(f"{serving.url}/healthz") as response:
            assert response.status == 200
        async with session.get(f"{serving.url}/readyz") as response:
            assert (response.status, await response.text()) == (503, "stopping\n")
