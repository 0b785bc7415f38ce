"""TwiML, compared with what the official SDK writes."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.twilio import twiml as tw


def same(ours: str, sdk: object) -> None:
    assert ElementTree.canonicalize(ours) == ElementTree.canonicalize(str(sdk))


def response() -> Any:
    return pytest.importorskip("twilio.twiml.voice_response").VoiceResponse()


def test_a_stream_as_the_sdk_writes_it() -> None:
    given = {"token": "a-1-f", "caller": "+15550002222", "what": "\"<Tea> & 'cake'\"", "empty": ""}
    sdk = response()
    connect = sdk.connect(action="https://h.example/after")
    stream = connect.stream(url="wss://h.example/media", name="agent", status_callback="https://h.example/s")
    for name, value in given.items():
        stream.parameter(name=name, value=value)
    ours = tw.connect_stream(
        "wss://h.example/media",
        given,
        name="agent",
        status_callback="https://h.example/s",
        action="https://h.example/after",
    )
    same(tw.document(ours), sdk)


def test_the_other_verbs_as_the_sdk_writes_them() -> None:
    sdk = response()
    sdk.say("Tea & <cake>", voice="alice", language="en-GB")
    sdk.play("https://h.example/a.mp3?x=1&y=2", loop=3)
    sdk.play(digits="1w2#")
    sdk.pause(length=2)
    sdk.dial("+15550009999", caller_id="+15550001111", timeout=20)
    sdk.dial().client("anna")
    sdk.dial().sip("sip:anna@h.example")
    sdk.redirect("https://h.example/voice", method="POST")
    sdk.reject(reason="busy")
    sdk.hangup()
    ours = tw.document(
        tw.say("Tea & <cake>", voice="alice", language="en-GB"),
        tw.play("https://h.example/a.mp3?x=1&y=2", loop=3),
        tw.play_digits("1w2#"),
        tw.pause(2),
        tw.dial("+1 (555) 000-9999", caller_id="+15550001111", timeout=20),
        tw.dial("client:anna"),
        tw.dial("sip:anna@h.example"),
        tw.redirect("https://h.example/voice"),
        tw.reject(busy=True),
        tw.hang_up(),
    )
    same(ours, sdk)


def test_an_empty_document_ends_the_call() -> None:
    assert tw.document() == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
    same(tw.document(), response())


@given(st.text(max_size=40))
def test_any_text_is_read_back_as_it_was_except_for_what_xml_cannot_hold(text: str) -> None:
    verb = tw.connect_stream("wss://h.example/m", {"p": text})
    parameter = ElementTree.fromstring(tw.document(verb).encode("utf-8")).find("Connect/Stream/Parameter")
    said = ElementTree.fromstring(tw.document(tw.say(text)).encode("utf-8")).find("Say")
    assert parameter is not None
    assert said is not None
    ranges = ("\t\n", "\r\r", " \ud7ff", "\ue000\ufffd", "\U00010000\U0010ffff")
    kept = "".join(c for c in text if any(first <= c <= last for first, last in ranges))
    assert parameter.get("value") == kept
    assert (said.text or "") == kept


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://h.example/media", "like 'wss://agent.example.com/media'"),
        ("ws://h.example/media", "like 'wss://agent.example.com/media'"),
        ("wss://h.example/media?token=1", "without a query"),
        ("wss://h.example/media#x", "without a query"),
        ("wss:///media", "like 'wss://agent.example.com/media'"),
        ("", "like 'wss://agent.example.com/media'"),
    ],
)
def test_a_stream_url_that_twilio_refuses(url: str, said: str) -> None:
    with pytest.raises(tw.TwimlError, match=said):
        tw.connect_stream(url)


def test_the_simulator_on_this_machine_needs_no_tls() -> None:
    assert 'url="ws://127.0.0.1:8080/media"' in tw.document(tw.connect_stream("ws://127.0.0.1:8080/media"))


def test_limits_of_parameters() -> None:
    tw.connect_stream("wss://h/m", {"a": "x" * 499})
    with pytest.raises(tw.TwimlError, match="the stream parameter 'a' has 501 characters"):
        tw.connect_stream("wss://h/m", {"a": "x" * 500})
    with pytest.raises(tw.TwimlError, match="at most 50 stream parameters, got 51"):
        tw.connect_stream("wss://h/m", {f"p{i}": "" for i in range(51)})
    with pytest.raises(tw.TwimlError, match="names and values of str"):
        tw.connect_stream("wss://h/m", {"a": 5})  # type: ignore[dict-item]
    with pytest.raises(tw.TwimlError, match="names and values of str"):
        tw.connect_stream("wss://h/m", {"": "x"})


def test_limits_of_a_document() -> None:
    frame = len(tw.document(tw.say("x"))) - 1
    assert len(tw.document(tw.say("x" * (4000 - frame)), limit=tw.MAX_REST)) == 4000
    with pytest.raises(tw.TwimlError, match="at most 4000 bytes, got 4001"):
        tw.document(tw.say("x" * (4001 - frame)), limit=tw.MAX_REST)
    with pytest.raises(tw.TwimlError, match="at most 65536 bytes"):
        tw.document(tw.say("é" * 40_000))


@pytest.mark.parametrize(
    "to", ["+15550001111", "+1 555-000.1111", "(+1) 555 0001111", "client:anna.b@shop", "sip:a@b.example:5060;x=y"]
)
def test_who_can_be_called(to: str) -> None:
    assert tw.callee(to)[0] in "+cs"


NOBODY = ["", "5550001111", "00155500", "+", "+0155", "+1555000111122223", "+1555x", "911", "+1555\u0661", None]
NOBODY += ["client:", "client:a b", "sip:", "sip:a b", "sip:a@b</Sip>", "<Hangup/>"]


@pytest.mark.parametrize("to", NOBODY)
def test_who_cannot_be_called(to: Any) -> None:
    with pytest.raises(tw.TwimlError, match=r"like '\+15550001111'"):
        tw.dial(to)


@pytest.mark.parametrize("digits", ["", "12x", "1 2", "w" * 501, "１"])
def test_keys_that_are_none(digits: str) -> None:
    with pytest.raises(tw.TwimlError, match="expected keys"):
        tw.play_digits(digits)
