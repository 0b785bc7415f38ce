"""X-Twilio-Signature, held to the official validator where that is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.twilio.signature import (
    HMAC_SHA1,
    HMAC_SHA256,
    Settings,
    body_hash,
    is_genuine,
    is_genuine_handshake,
    settings,
    sign,
)

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def test_the_example_of_twilios_documentation() -> None:
    # https://www.twilio.com/docs/usage/security
    assert sign(TOKEN, URL, FORM) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_genuine(TOKEN, URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", FORM)


@pytest.mark.parametrize(
    ("url", "signed", "right"),
    [
        ("https://h.example/p", "https://h.example/p", True),
        ("https://h.example/p", "https://h.example:443/p", True),
        ("https://h.example:443/p", "https://h.example/p", True),
        ("https://h.example:8443/p", "https://h.example:8443/p", True),
        ("https://h.example:8443/p", "https://h.example/p", True),
        ("https://h.example/p", "https://h.example:80/p", False),
        ("https://h.example/p", "https://h.example:8443/p", False),
        ("http://h.example/p", "http://h.example:80/p", True),
        ("https://h.example/p", "http://h.example/p", False),
        ("https://h.example/p", "https://h.example/p/", False),
        ("https://h.example/p?", "https://h.example/p?", True),
        ("https://[2001:db8::1]:8443/p", "https://[2001:db8::1]:8443/p", True),
        ("https://[2001:db8::1]:8443/p", "https://[2001:db8::1]/p", True),
        ("https://[2001:db8::1]/p", "https://[2001:db8::1]:443/p", True),
        ("https://me:secret@h.example/p", "https://me:secret@h.example:443/p", True),
        ("https://me:secret@h.example:443/p", "https://me:secret@h.example/p", True),
    ],
)
def test_the_port_of_a_webhooks_url_may_be_there_or_not(url: str, signed: str, right: bool) -> None:
    assert is_genuine(TOKEN, url, sign(TOKEN, signed, FORM), FORM) is right


@pytest.mark.parametrize(
    ("url", "signed", "right"),
    [
        ("wss://h.example/media", "wss://h.example/media", True),
        ("wss://h.example/media", "wss://h.example:443/media", True),  # the SDK says no: it adds port 80
        ("wss://h.example:443/media", "wss://h.example/media", True),
        ("https://h.example/media", "wss://h.example/media", True),
        ("wss://h.example/media", "https://h.example/media", True),
        ("wss://h.example/media", "wss://h.example/media/", True),
        ("wss://h.example/media/", "wss://h.example/media", True),
        ("wss://h.example/media", "https://h.example:443/media/", True),
        ("wss://[2001:db8::1]:8443/m", "wss://[2001:db8::1]:8443/m", True),  # the SDK breaks the URL
        ("ws://127.0.0.1:8080/media", "ws://127.0.0.1:8080/media", True),
        ("wss://h.example/media?a=b&c=d", "wss://h.example/media?a=b&c=d", True),
        ("wss://h.example/media", "wss://h.example:80/media", False),
        ("wss://h.example/media", "ws://h.example/media", False),
        ("wss://h.example/media", "wss://other.example/media", False),
        ("wss://h.example/media", "wss://h.example/other", False),
        ("wss://h.example/media", "wss://h.example/media?a=b", False),
        ("not a url", "wss://h.example/media", False),
        ("wss://h.example:port/media", "wss://h.example/media", False),
    ],
)
def test_a_handshake_is_tried_over_scheme_port_and_slash(url: str, signed: str, right: bool) -> None:
    assert is_genuine_handshake(TOKEN, url, sign(TOKEN, signed)) is right


def test_a_query_of_a_handshake_may_be_signed_as_parameters() -> None:
    signature = sign(TOKEN, "wss://h.example/relay", {"b": "2", "a": "1 & 3"})
    assert is_genuine_handshake(TOKEN, "wss://h.example/relay?a=1%20%26%203&b=2", signature)


def test_a_json_body_is_covered_by_its_hash_in_the_url() -> None:
    body = b'{"a": 1}'
    url = f"https://h.example/p?bodySHA256={body_hash(body)}"
    assert is_genuine(TOKEN, url, sign(TOKEN, url), body=body)
    assert not is_genuine(TOKEN, url, sign(TOKEN, url), body=b'{"a": 2}')
    assert not is_genuine(TOKEN, "https://h.example/p", sign(TOKEN, "https://h.example/p"), body=body)
    assert is_genuine(TOKEN, "https://h.example/p", sign(TOKEN, "https://h.example/p"), body=b"")


def test_several_values_of_a_name_are_signed_in_order_and_once() -> None:
    twice = [("a", "2"), ("a", "1"), ("b", "x"), ("a", "2")]
    assert sign(TOKEN, "u", twice) == sign(TOKEN, "ua1a2bx")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Settings("", HMAC_SHA1)),
        ("", Settings("", HMAC_SHA1)),
        ("key=WK1,algorithm=HMAC_SHA256", Settings("WK1", HMAC_SHA256)),
        (" algorithm = hmac_sha256 , key=WK1", Settings("WK1", HMAC_SHA256)),
        ("algorithm=,key=", Settings("", HMAC_SHA1)),
        ("nonsense", Settings("", HMAC_SHA1)),
        ("algorithm=MD5", Settings("", "MD5")),
    ],
)
def test_the_settings_header(header: str | None, expected: Settings) -> None:
    assert settings(header) == expected


@pytest.mark.parametrize(
    "signature", [None, "", " ", "AAAA", "ä", "\ud800", 5, b"RSOYDt4T1cUTdK1PDd93/VVr8B8=", [], "=" * 10_000]
)
def test_what_is_no_signature_is_not_genuine_and_raises_nothing(signature: object) -> None:
    assert not is_genuine(TOKEN, URL, signature, FORM)  # type: ignore[arg-type]
    assert not is_genuine_handshake(TOKEN, URL, signature)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["", "https://[::1", "https://h:99999/p", "\ud800", None, 5])
def test_what_is_no_url_is_not_genuine_and_raises_nothing(url: object) -> None:
    assert not is_genuine(TOKEN, url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", FORM)  # type: ignore[arg-type]
    assert not is_genuine_handshake(TOKEN, url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")  # type: ignore[arg-type]


def test_an_empty_secret_and_an_unknown_algorithm_let_nobody_in() -> None:
    import hmac
    from base64 import b64encode

    forged = b64encode(hmac.digest(b"", URL.encode(), "sha1")).decode()
    assert not is_genuine("", URL, forged)
    assert not is_genuine(TOKEN, URL, sign(TOKEN, URL), algorithm="HMAC_MD5")
    with pytest.raises(ValueError, match="HMAC_SHA1 or HMAC_SHA256"):
        sign(TOKEN, URL, algorithm="MD5")


HOSTS = st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True)
PORTS = st.sampled_from(["", ":443", ":80", ":8443"])
PATHS = st.text(alphabet="abc/%20.-_~é", max_size=12).map(lambda text: "/" + text)
QUERIES = st.text(alphabet="ab=&%2", max_size=10).map(lambda text: f"?{text}" if text else "")
TEXT = st.text(max_size=8).filter(lambda text: "\x00" not in text and all(not "\ud800" <= c <= "\udfff" for c in text))
FORMS = st.dictionaries(TEXT, TEXT, max_size=5)


@given(
    HOSTS, PORTS, PORTS, PATHS, QUERIES, FORMS, st.sampled_from([HMAC_SHA1, HMAC_SHA256]), st.booleans(), st.booleans()
)
def test_for_webhooks_we_say_what_the_official_validator_says(
    host: str,
    port: str,
    signed_port: str,
    path: str,
    query: str,
    form: dict[str, str],
    algorithm: str,
    secure: bool,
    forge: bool,
) -> None:
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(TOKEN)
    scheme = "https" if secure else "http"
    url = f"{scheme}://{host}{port}{path}{query}"
    signed = f"{scheme}://{host}{signed_port}{path}{query}"
    signature = sign(TOKEN, signed, form, algorithm=algorithm)
    assert signature == validator.compute_signature(signed, form, algorithm)
    if forge:
        signature = sign("another", signed, form, algorithm=algorithm)
    ours = is_genuine(TOKEN, url, signature, form, algorithm=algorithm)
    assert ours == validator.validate(url, form, signature, algorithm)


@given(st.text(max_size=30).filter(lambda text: all(not "\ud800" <= c <= "\udfff" for c in text)), st.booleans())
def test_for_json_bodies_we_say_what_the_official_validator_says(body: str, spoil: bool) -> None:
    validator = pytest.importorskip("twilio.request_validator").RequestValidator(TOKEN)
    url = f"https://h.example/p?bodySHA256={body_hash(body.encode())}"
    sent = body + "!" if spoil else body
    ours = is_genuine(TOKEN, url, sign(TOKEN, url), body=sent.encode())
    assert ours == validator.validate(url, sent, sign(TOKEN, url)) == (not spoil)
