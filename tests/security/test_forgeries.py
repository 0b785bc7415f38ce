"""A table of what is forged, replayed or too late: all of it is refused, and what is genuine passes."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from multidict import MultiDict

from tests.security.asking import (
    CONNECTED,
    FORM,
    HOST,
    MEDIA,
    OTHER,
    PUBLIC,
    SID,
    VOICE,
    Ask,
    ask,
    encoded,
    genuine,
    handshake,
    server,
    start,
    stream,
    token_of,
)
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.twilio import ACCOUNT, TOKEN
from voiceloop.twilio.signature import SETTINGS_HEADER, SIGNATURE_HEADER, body_hash, sign
from voiceloop.twilio.token import StreamTokens

SHARED = "shared-secret-of-a-test"
SHARED_KEYS = {"WK1": SHARED}
PAIRS = list(FORM.items())
REAL = genuine()


def settled(setting: str, secret: str = TOKEN, algorithm: str = "HMAC_SHA256", form: Any = FORM) -> Ask:
    """A webhook with this setting, signed with this secret."""
    return genuine(form=form, token=secret, algorithm=algorithm).and_(SETTINGS_HEADER, setting)


def with_empty_key(algorithm: str = "sha1") -> str:
    text = VOICE + "".join(name + value for name, value in sorted(PAIRS))
    return b64encode(hmac.digest(b"", text.encode(), algorithm)).decode()


def as_json(body: bytes, given: str) -> Ask:
    url = f"{VOICE}?bodySHA256={given}"
    signature = sign(TOKEN, url)
    return Ask(f"/voice?bodySHA256={given}", body=body, content_type="application/json").signed(signature)


JSON = json.dumps(FORM).encode()

FORGED: dict[str, tuple[Ask, int]] = {
    # The signature.
    "no signature": (REAL.but(headers=()), 403),
    "an empty signature": (REAL.signed(""), 403),
    "a signature of blanks": (REAL.signed("   "), 403),
    "no base64": (REAL.signed("§$%&"), 403),
    "a signature cut": (REAL.signed(REAL.signature[:-1]), 403),
    "a signature and more": (REAL.signed(REAL.signature + "A"), 403),
    "a signature in small letters": (REAL.signed(REAL.signature.lower()), 403),
    "a list of signatures": (REAL.signed(f"{'A' * 27}=, {REAL.signature}"), 403),
    "the wrong signature before the right one": (
        REAL.but(headers=((SIGNATURE_HEADER, "A" * 27 + "="), *REAL.headers)), 403,
    ),
    "the signature under another name": (REAL.but(headers=(("X-Signature", REAL.signature),)), 403),
    "the signature in the query": (REAL.but(headers=(), target=f"/voice?{SIGNATURE_HEADER}={REAL.signature}"), 403),
    "the signature of a status callback": (REAL.signed(genuine(f"{PUBLIC}/status").signature), 403),
    "the signature of the WebSocket": (REAL.signed(sign(TOKEN, MEDIA)), 403),
    "the signature of another call": (REAL.signed(genuine(form={**FORM, "CallSid": OTHER}).signature), 403),
    "a signature of the URL alone": (REAL.signed(sign(TOKEN, VOICE)), 403),
    # The key.
    "another account's token": (genuine(token="f" * 32), 403),
    "an empty key": (REAL.signed(with_empty_key()), 403),
    "the account's SID as the key": (genuine(token=ACCOUNT), 403),
    "the token in capitals": (genuine(token=TOKEN.upper()), 403),
    "a shared key as the token": (genuine(token=SHARED), 403),
    "a shared key that is unknown": (settled("key=WK2,algorithm=HMAC_SHA256", SHARED), 403),
    "an unknown shared key and an empty secret": (
        REAL.signed(with_empty_key("sha256")).and_(SETTINGS_HEADER, "key=WK2,algorithm=HMAC_SHA256"), 403,
    ),
    "a shared key, signed with another secret": (settled("key=WK1,algorithm=HMAC_SHA256", TOKEN), 403),
    "a shared key's name in small letters": (settled("key=wk1,algorithm=HMAC_SHA256", SHARED), 403),
    # The algorithm.
    "SHA-256 that nobody has announced": (genuine(algorithm="HMAC_SHA256"), 403),
    "SHA-1, announced as SHA-256": (settled("key=WK1,algorithm=HMAC_SHA256", SHARED, "HMAC_SHA1"), 403),
    "no algorithm": (settled("key=,algorithm=none", TOKEN, "HMAC_SHA1"), 403),
    "MD5": (settled("key=WK1,algorithm=HMAC_MD5", SHARED), 403),
    # The URL.
    "another host": (genuine(VOICE.replace(HOST, "other.example.com")).but(target="/voice"), 403),
    "a host with a dot at its end": (genuine(VOICE.replace(HOST, f"{HOST}.")).but(target="/voice"), 403),
    "a host in capitals": (genuine(VOICE.replace(HOST, HOST.upper())).but(target="/voice"), 403),
    "another host that a proxy is said to have": (
        genuine("https://evil.example.com/voice").but(target="/voice", host="evil.example.com")
        .and_("X-Forwarded-Host", "evil.example.com").and_("X-Forwarded-Proto", "https"), 403,
    ),
    "http for https": (genuine(VOICE.replace("https", "http")), 403),
    "wss for https": (genuine(VOICE.replace("https", "wss")), 403),
    "the port of http": (genuine(f"https://{HOST}:80/voice").but(target="/voice"), 403),
    "another port": (genuine(f"https://{HOST}:8443/voice").but(target="/voice"), 403),
    "a slash more": (genuine(f"{VOICE}/").but(target="/voice"), 403),
    "a query that is not signed": (REAL.but(target="/voice?again=1"), 403),
    "a signed query left out": (genuine(f"{VOICE}?a=1").but(target="/voice"), 403),
    "a query in another order": (genuine(f"{VOICE}?a=1&b=2").but(target="/voice?b=2&a=1"), 403),
    "a query in another coding": (genuine(f"{VOICE}?a=%2B").but(target="/voice?a=+"), 403),
    "a field of the query more": (genuine(f"{VOICE}?a=1").but(target="/voice?a=1&a=2"), 403),
    # The fields.
    "a field changed": (REAL.but(body=encoded({**FORM, "From": "+15550006666"})), 403),
    "another call": (REAL.but(body=encoded({**FORM, "CallSid": OTHER})), 403),
    "a field more": (REAL.but(body=encoded({**FORM, "Digits": "1"})), 403),
    "an empty field more": (REAL.but(body=encoded({**FORM, "Digits": ""})), 403),
    "a field less": (REAL.but(body=encoded({k: v for k, v in FORM.items() if k != "Direction"})), 403),
    "a field twice, first another": (REAL.but(body=encoded([("CallSid", OTHER), *PAIRS])), 403),
    "a field twice, then another": (REAL.but(body=encoded([*PAIRS, ("CallSid", OTHER)])), 403),
    "a name in capitals": (REAL.but(body=encoded({**FORM, "From": ""} | {"FROM": FORM["From"]})), 403),
    "a value with a blank": (REAL.but(body=encoded({**FORM, "From": FORM["From"] + " "})), 403),
    "a value with a NUL": (REAL.but(body=encoded({**FORM, "From": FORM["From"] + "\0"})), 403),
    "letters composed in another way": (
        REAL.but(body=encoded({**FORM, "CallerName": unicodedata.normalize("NFD", FORM["CallerName"])})), 403,
    ),
    "letters in another coding": (REAL.but(body=encoded(FORM).replace(b"%C3%A9", b"%E9")), 400),
    "raw letters that are not encoded": (REAL.but(body=encoded(FORM).replace(b"%C3%A9", b"\xc3\xa9")), 400),
    "fields with semicolons": (REAL.but(body=encoded(FORM).replace(b"&", b";")), 403),
    "no body": (REAL.but(bare=True), 403),
    "another account": (genuine(form={**FORM, "AccountSid": "AC" + "9" * 32}), 403),
    "no account": (genuine(form={k: v for k, v in FORM.items() if k != "AccountSid"}), 403),
    "no call": (genuine(form={k: v for k, v in FORM.items() if k != "CallSid"}), 400),
    "a call that is none": (genuine(form={**FORM, "CallSid": "CA" + "g" * 32}), 400),
    "a call in digits of another script": (genuine(form={**FORM, "CallSid": "CA" + "١" * 32}), 400),
    # The kind of body.
    "the form, said to be JSON": (REAL.but(content_type="application/json"), 403),
    "the form, said to be text": (REAL.but(content_type="text/plain"), 403),
    "the form, said to be of parts": (REAL.but(content_type="multipart/form-data; boundary=x"), 403),
    "the form, of no kind": (REAL.but(content_type=""), 403),
    "JSON without a hash": (Ask(body=JSON, content_type="application/json").signed(sign(TOKEN, VOICE)), 403),
    "JSON with a wrong hash": (as_json(JSON, body_hash(JSON + b" ")), 403),
    "JSON with an empty hash": (as_json(JSON, ""), 403),
    "JSON whose hash is right, which is no call": (as_json(JSON, body_hash(JSON)), 400),
    "no JSON, with its signature": (
        Ask(body=b"", content_type="application/json").signed(sign(TOKEN, VOICE)), 400,
    ),
    "a compressed body, which is not unpacked": (
        REAL.but(body=gzip.compress(b"x" * 10_000_000)).and_("Content-Encoding", "gzip"), 400,
    ),
    "a body with two lengths": (REAL.and_("Content-Length", "5"), 400),
    "a body with a length and in pieces": (REAL.and_("Transfer-Encoding", "chunked"), 400),
    # The method and the path.
    "GET": (REAL.but(method="GET"), 405),
    "HEAD": (REAL.but(method="HEAD"), 405),
    "PUT": (REAL.but(method="PUT"), 405),
    "DELETE": (REAL.but(method="DELETE"), 405),
    "OPTIONS": (REAL.but(method="OPTIONS"), 405),
    "GET that is said to be POST": (REAL.but(method="GET").and_("X-HTTP-Method-Override", "POST"), 405),
    "two slashes": (REAL.but(target="//voice"), 404),
    "a slash at the end": (REAL.but(target="/voice/"), 404),
    "a path in capitals": (REAL.but(target="/VOICE"), 404),
    "a letter of the path encoded": (REAL.but(target="/%76oice"), 403),
    "a way round": (REAL.but(target="/media/../voice"), 404),
    "an encoded slash": (REAL.but(target="/x%2f..%2fvoice"), 404),
    "a parameter of the path": (REAL.but(target="/voice;a=b"), 404),
    "a whole URL of another host": (REAL.but(target="https://evil.example.com/voice"), 403),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), FORGED.values(), ids=FORGED)
async def test_a_forged_webhook_is_refused_and_gets_no_token(request_: Ask, status: int) -> None:
    async with server(shared_keys=SHARED_KEYS) as serving:
        answered, text = await ask(serving, request_)
        assert answered == status
        assert "<Response>" not in text
        assert serving.phone.counts["voice"] == serving.phone.counts["voice.refused"] or status in (404, 405)


def checked_by_the_sdk(request: Ask) -> bool:
    """Whether the official validator has an answer: to a form that is signed with the auth token."""
    return (
        request.target.startswith("/voice")
        and request.content_type.startswith("application/x-www-form")
        and SETTINGS_HEADER not in dict(request.headers)
    )


SIGNED_WRONG = [
    name for name, (request, status) in FORGED.items()
    if status == 403 and checked_by_the_sdk(request) and name not in ("another account", "no account")
]  # fmt: skip


@pytest.mark.parametrize("name", SIGNED_WRONG)
def test_the_official_validator_refuses_the_same(name: str) -> None:
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(TOKEN)
    request, _ = FORGED[name]
    fields = MultiDict(parse_qsl("" if request.bare else request.body.decode(), keep_blank_values=True))
    signatures = [value for header, value in request.headers if header == SIGNATURE_HEADER]
    assert not validator.validate(PUBLIC + request.target, fields, signatures[0] if signatures else "")


def test_most_of_the_table_is_checked_by_the_official_validator_too() -> None:
    assert len(SIGNED_WRONG) >= 40


GENUINE: dict[str, tuple[Ask, str]] = {
    "as it is": (REAL, VOICE),
    "signed with the port": (genuine(f"https://{HOST}:443/voice"), VOICE),
    "with a query": (genuine(f"{VOICE}?tenant=t%2042&x=%C3%A9"), f"{VOICE}?tenant=t%2042&x=%C3%A9"),
    "with an empty query": (REAL.but(target="/voice?"), f"{VOICE}?"),
    "in pieces": (REAL.but(chunked=True), VOICE),
    "fields in another order": (REAL.but(body=encoded(PAIRS[::-1])), VOICE),
    "a content type with a charset": (REAL.but(content_type="application/x-www-form-urlencoded; charset=UTF-8"), VOICE),
    "a content type in capitals": (REAL.but(content_type="Application/X-WWW-Form-URLEncoded"), VOICE),
    "through a proxy with another host": (REAL.but(host="10.0.0.7:8080"), VOICE),
    "empty and strange fields": (genuine(form={**FORM, "Ünï": "☎ &=%+", "Empty": ""}), VOICE),
    "an outgoing call": (genuine(form={**FORM, "Direction": "outbound-api", "CallStatus": "in-progress"}), VOICE),
}
FIELDS = {
    "empty and strange fields": {**FORM, "Ünï": "☎ &=%+", "Empty": ""},
    "an outgoing call": {**FORM, "Direction": "outbound-api", "CallStatus": "in-progress"},
}


@pytest.mark.parametrize("name", GENUINE)
async def test_a_genuine_webhook_passes_as_the_official_validator_has_it(name: str) -> None:
    request, url = GENUINE[name]
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(TOKEN)
    assert validator.validate(url, FIELDS.get(name, FORM), request.signature)
    async with server() as serving:
        status, text = await ask(serving, request)
        assert (status, text.count("<Stream ")) == (200, 1)
        assert await stream(serving, CONNECTED, start(token_of(text))) == 0
        assert len(serving.phone.calls) == 1


async def test_a_webhook_that_is_signed_with_a_shared_key_passes() -> None:
    async with server(shared_keys=SHARED_KEYS) as serving:
        status, _ = await ask(serving, settled("key=WK1,algorithm=HMAC_SHA256", SHARED))
        assert status == 200


async def test_where_no_account_is_said_any_is_taken() -> None:
    async with server(account_sid="") as serving:
        status, text = await ask(serving, genuine(form={**FORM, "AccountSid": "AC" + "9" * 32}))
        assert status == 200
        assert await stream(serving, CONNECTED, start(token_of(text), accountSid="AC" + "9" * 32)) == 0


# --- replayed -------------------------------------------------------------------------------------------------


async def test_a_webhook_that_twilio_sends_twice_is_answered_twice() -> None:
    async with server() as serving:
        first = await ask(serving, REAL)
        await asyncio.sleep(14)
        second = await ask(serving, REAL)
        assert (first[0], second[0]) == (200, 200)
        assert token_of(first[1]) != token_of(second[1])


async def test_a_webhook_that_is_replayed_later_gets_no_token() -> None:
    async with server() as serving:
        assert (await ask(serving, REAL))[0] == 200
        for later in (16, 1000):
            await asyncio.sleep(later)
            status, text = await ask(serving, REAL)
            assert (status, token_of(text)) == (403, "")
        assert serving.phone.counts["voice.replayed"] == 2


async def test_a_webhook_is_answered_three_times_at_most() -> None:
    async with server() as serving:
        assert [(await ask(serving, REAL))[0] for _ in range(5)] == [200, 200, 200, 403, 403]


async def test_a_replayed_webhook_cannot_take_over_a_live_call_nor_one_that_has_ended() -> None:
    async with server() as serving:
        _, text = await ask(serving, REAL)
        token = {"token": token_of(text)}
        async with Carrier(f"{serving.url}/media", parameters=token, call_sid=SID, account_sid=ACCOUNT) as carrier:
            await asyncio.sleep(20)
            assert (await ask(serving, REAL))[0] == 403
            assert [call.id for call in serving.phone.calls.values()] == [SID]
            assert carrier.end == ""
        await asyncio.sleep(1)
        assert serving.phone.calls == {}
        assert (await ask(serving, REAL))[0] == 403


async def test_a_call_that_asks_anew_is_no_replay() -> None:
    async with server() as serving:
        assert (await ask(serving, REAL))[0] == 200
        await asyncio.sleep(60)
        back = {**FORM, "CallStatus": "in-progress", "DialCallStatus": "busy"}
        assert (await ask(serving, genuine(form=back)))[0] == 200
        assert (await ask(serving, genuine(f"{VOICE}?again=1", {**FORM, "CallStatus": "in-progress"})))[0] == 200


async def test_another_call_cannot_be_made_of_a_signed_one_by_moving_the_border_between_two_fields() -> None:
    named = {**FORM, "CallerName": f"CallSid{OTHER}"}
    request = genuine(form=named)
    moved = {k: v for k, v in named.items() if k not in ("CallSid", "CallStatus", "CallerName")}
    moved |= {"Ca": f"llSid{SID}CallStatusringingCallerName", "CallSid": OTHER}
    forged = request.but(body=encoded(moved))
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(TOKEN)
    assert validator.validate(VOICE, moved, request.signature), "the signature itself does not tell them apart"
    async with server() as serving:
        assert (await ask(serving, request))[0] == 200
        assert (await ask(serving, forged))[0] == 403


async def test_workers_of_one_machine_know_what_the_others_have_answered_and_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICELOOP_WORKERS_DIR", str(tmp_path))
    async with server() as one, server() as two:
        _, text = await ask(one, REAL)
        assert await stream(two, CONNECTED, start(token_of(text))) == 0, "whichever worker gets the stream"
        assert await stream(one, CONNECTED, start(token_of(text))) == 1008
        assert await stream(two, CONNECTED, start(token_of(text))) == 1008
        assert (await ask(two, REAL))[0] == 200
        await asyncio.sleep(16)
        assert [(await ask(worker, REAL))[0] for worker in (one, two)] == [403, 403]


# --- streams --------------------------------------------------------------------------------------------------


def made(now: float = 0.0, secret: str = TOKEN, call: str = SID) -> str:
    return StreamTokens(secret, lambda: asyncio.get_running_loop().time() + now).make(call)


def spoilt(token: str, at: int) -> str:
    return token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]


STREAMS: dict[str, tuple[Callable[[], list[Any]], int]] = {
    "no token": (lambda: [CONNECTED, start(None)], 1008),
    "an empty token": (lambda: [CONNECTED, start("")], 1008),
    "a word": (lambda: [CONNECTED, start("letmein")], 1008),
    "the auth token": (lambda: [CONNECTED, start(TOKEN)], 1008),
    "a forged token": (lambda: [CONNECTED, start(f"1-1-{'0' * 64}")], 1008),
    "of another secret": (lambda: [CONNECTED, start(made(secret="f" * 32))], 1008),
    "of another call": (lambda: [CONNECTED, start(made(call=OTHER))], 1008),
    "of no call": (lambda: [CONNECTED, start(made(call=""), callSid="")], 1008),
    "under the SID of another call": (lambda: [CONNECTED, start(made(), callSid=OTHER)], 1008),
    "without a call": (lambda: [CONNECTED, start(made(), callSid="")], 1008),
    "expired": (lambda: [CONNECTED, start(made(-61))], 1008),
    "from the future": (lambda: [CONNECTED, start(made(+61))], 1008),
    "its time changed": (lambda: [CONNECTED, start(spoilt(made(), 0))], 1008),
    "its code changed": (lambda: [CONNECTED, start(spoilt(made(), len(made()) - 1))], 1008),
    "cut": (lambda: [CONNECTED, start(made()[:-1])], 1008),
    "longer": (lambda: [CONNECTED, start(made() + "0")], 1008),
    "in capitals": (lambda: [CONNECTED, start(made().upper())], 1008),
    "with a newline": (lambda: [CONNECTED, start(made() + "\n")], 1008),
    "digits of another script": (lambda: [CONNECTED, start(made().replace("0", "٠"))], 1008),
    "huge": (lambda: [CONNECTED, start("0" * 100_000)], 1008),
    "under another name": (lambda: [CONNECTED, start(None, customParameters={"Token": made()})], 1008),
    "a list of tokens": (lambda: [CONNECTED, start(None, customParameters={"token": [made()]})], 1008),
    "of another account": (lambda: [CONNECTED, start(made(), accountSid="AC" + "9" * 32)], 1008),
    "of no account": (lambda: [CONNECTED, start(made(), accountSid="")], 1008),
    "audio that nobody hears": (lambda: [CONNECTED, start(made(), mediaFormat={"encoding": "audio/opus"})], 1002),
    "a stop before the start": (lambda: [CONNECTED, {"event": "stop", "streamSid": "MZ1", "stop": {}}], 1002),
    "nothing but rubbish": (lambda: ["[" * 1000] * 20, 1002),
    "nothing but connected": (lambda: [CONNECTED] * 20, 1002),
    "silence": (lambda: [], 1002),
}


@pytest.mark.parametrize(("messages", "code"), STREAMS.values(), ids=STREAMS)
async def test_a_forged_stream_is_closed_and_no_bot_is_made(messages: Callable[[], list[Any]], code: int) -> None:
    async with server() as serving:
        await asyncio.sleep(100)  # so that a token can be old
        assert await stream(serving, *messages(), wait=6.0) == code
        assert serving.phone.calls == {}
        assert serving.phone.counts["media.refused"] == 1


async def test_a_token_opens_one_stream_and_no_second_one() -> None:
    async with server() as serving:
        token = token_of((await ask(serving, REAL))[1])
        assert await stream(serving, CONNECTED, start(token)) == 0
        assert await stream(serving, CONNECTED, start(token)) == 1008
        assert await stream(serving, CONNECTED, start(token), headers={}) == 1008


async def test_a_token_is_good_for_a_minute() -> None:
    async with server() as serving:
        old, young = [token_of((await ask(serving, REAL))[1]) for _ in range(2)]
        await asyncio.sleep(59)
        assert await stream(serving, CONNECTED, start(young)) == 0
        await asyncio.sleep(1)
        assert await stream(serving, CONNECTED, start(old)) == 1008


async def test_a_stream_may_leave_out_connected_and_a_second_start_changes_nothing() -> None:
    async with server() as serving:
        hook = {"bot": None}
        serving.phone.on_call.append(lambda call: hook.update(bot=call.id))
        token = token_of((await ask(serving, REAL))[1])
        assert await stream(serving, start(token), start(made(call=OTHER), callSid=OTHER)) == 0
        assert hook == {"bot": SID}


HANDSHAKES: dict[str, dict[str, str]] = {
    "unsigned": {"Host": HOST},
    "an empty signature": {"Host": HOST, SIGNATURE_HEADER: ""},
    "another token": handshake("f" * 32),
    "another host": handshake(url="wss://other.example.com/media"),
    "no TLS": handshake(url=f"ws://{HOST}/media"),
    "another port": handshake(url=f"wss://{HOST}:8443/media"),
    "another path": handshake(url=f"wss://{HOST}/voice"),
    "a query": handshake(url=f"{MEDIA}?a=b"),
    "a webhook's": {"Host": HOST, SIGNATURE_HEADER: REAL.signature},
    "an unknown shared key": {**handshake(SHARED), SETTINGS_HEADER: "key=WK2,algorithm=HMAC_SHA1"},
    "an unknown algorithm": {**handshake(), SETTINGS_HEADER: "key=,algorithm=none"},
}


@pytest.mark.parametrize("headers", HANDSHAKES.values(), ids=HANDSHAKES)
async def test_a_handshake_that_is_not_twilios_is_refused_when_strict(headers: dict[str, str]) -> None:
    async with server(strict=True) as serving:
        assert await stream(serving, CONNECTED, start(made()), headers=headers) == 403
        assert await stream(serving, CONNECTED, start(made()), path="/media?a=b") == 403


@pytest.mark.parametrize("url", [MEDIA, f"https://{HOST}/media", f"wss://{HOST}:443/media", f"{MEDIA}/"])
async def test_a_handshake_of_twilios_passes_whichever_url_it_has_signed(url: str) -> None:
    async with server(strict=True) as serving:
        token = token_of((await ask(serving, REAL))[1])
        assert await stream(serving, CONNECTED, start(token), headers=handshake(url=url)) == 0


def test_the_table_is_long_enough() -> None:
    assert len(FORGED) + len(STREAMS) + len(HANDSHAKES) >= 40
