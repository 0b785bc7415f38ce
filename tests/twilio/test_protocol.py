"""The Media Streams machine: tables of messages, fixtures as Twilio sends them, and a fuzz."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.twilio.carrier_protocol import CarrierStream, ClearBuffer, PlayAudio, SetMark
from voiceloop.twilio.protocol import (
    MAX_MESSAGE,
    MAX_PAYLOAD,
    Connected,
    Dtmf,
    MarkEchoed,
    Media,
    MediaFormat,
    MediaStream,
    ProtocolError,
    Started,
    State,
    Stopped,
)

SID = "MZ0123456789abcdef0123456789abcdef"
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'
START = (
    '{"event":"start","sequenceNumber":"1","streamSid":"MZ0123456789abcdef0123456789abcdef",'
    '"start":{"streamSid":"MZ0123456789abcdef0123456789abcdef","accountSid":"AC0123456789abcdef0123456789abcdef",'
    '"callSid":"CA0123456789abcdef0123456789abcdef","tracks":["inbound"],'
    '"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{"tenant":"t-42"}}}'
)
MEDIA = (
    '{"event":"media","sequenceNumber":"2","streamSid":"MZ0123456789abcdef0123456789abcdef",'
    '"media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"//////////8="}}'
)
DTMF = (
    '{"event":"dtmf","sequenceNumber":"57","streamSid":"MZ0123456789abcdef0123456789abcdef",'
    '"dtmf":{"track":"inbound_track","digit":"4"}}'
)
MARK = (
    '{"event":"mark","sequenceNumber":"91","streamSid":"MZ0123456789abcdef0123456789abcdef",'
    '"mark":{"name":"utt-3/seg-2"}}'
)
STOP = (
    '{"event":"stop","sequenceNumber":"412","streamSid":"MZ0123456789abcdef0123456789abcdef",'
    '"stop":{"accountSid":"AC0123456789abcdef0123456789abcdef","callSid":"CA0123456789abcdef0123456789abcdef"}}'
)


def streaming() -> MediaStream:
    stream = MediaStream()
    stream.receive(CONNECTED)
    stream.receive(START)
    return stream


def changed(message: str, path: str, value: Any) -> str:
    """`message` with the field at the dotted `path` set, or removed when `value` is `...`."""
    data = json.loads(message)
    *parents, last = path.split(".")
    inner = data
    for parent in parents:
        inner = inner[parent]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(data)


def test_call_as_twilio_sends_it() -> None:
    stream = MediaStream()
    states = [stream.state]
    events = []
    for message in (CONNECTED, START, MEDIA, DTMF, MARK, STOP):
        events.append(stream.receive(message))
        states.append(stream.state)
    assert events == [
        Connected(),
        Started(
            SID,
            "CA0123456789abcdef0123456789abcdef",
            "AC0123456789abcdef0123456789abcdef",
            ("inbound",),
            MediaFormat("audio/x-mulaw", 8000, 1),
            {"tenant": "t-42"},
        ),
        Media(b"\xff" * 8, 20, 1, 2),
        Dtmf("4", 57),
        MarkEchoed("utt-3/seg-2", 91),
        Stopped(),
    ]
    assert states == [
        State.EXPECTING_CONNECTED,
        State.EXPECTING_START,
        *[State.STREAMING] * 4,
        State.STOPPED,
    ]
    assert (stream.ignored, stream.refused) == (0, 0)


def test_connected_may_be_missing() -> None:
    stream = MediaStream()
    assert isinstance(stream.receive(START), Started)
    assert stream.receive(MEDIA) == Media(b"\xff" * 8, 20, 1, 2)


def test_stop_may_come_before_start() -> None:
    stream = MediaStream()
    stream.receive(CONNECTED)
    assert stream.receive(STOP) == Stopped()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (changed(MEDIA, "media.timestamp", "123456"), Media(b"\xff" * 8, 123456, 1, 2)),
        (changed(MEDIA, "media.timestamp", 40), Media(b"\xff" * 8, 40, 1, 2)),
        (changed(changed(MEDIA, "media.chunk", 7), "sequenceNumber", 9), Media(b"\xff" * 8, 20, 7, 9)),
        (changed(changed(MEDIA, "media.chunk", ...), "sequenceNumber", ...), Media(b"\xff" * 8, 20, 0, 0)),
        (changed(MEDIA, "media.track", ...), Media(b"\xff" * 8, 20, 1, 2)),
        (changed(MEDIA, "media.codec", "new"), Media(b"\xff" * 8, 20, 1, 2)),
        (changed(MEDIA, "region", {"a": [1]}), Media(b"\xff" * 8, 20, 1, 2)),
        (json.dumps(dict(reversed(json.loads(MEDIA).items()))), Media(b"\xff" * 8, 20, 1, 2)),
        (f" \n{MEDIA}\r\n", Media(b"\xff" * 8, 20, 1, 2)),
        (changed(DTMF, "dtmf.digit", "#"), Dtmf("#", 57)),
        (changed(DTMF, "sequenceNumber", ...), Dtmf("4", 0)),
        (changed(MARK, "mark.name", "ü\n"), MarkEchoed("ü\n", 91)),
        (changed(STOP, "stop", ...), Stopped()),
    ],
)
def test_what_twilio_may_change_is_survived(message: str, expected: object) -> None:
    stream = streaming()
    assert stream.receive(message) == expected
    assert stream.ignored == 0


@pytest.mark.parametrize(
    "message",
    [
        '{"event":"weather","weather":{}}',
        changed(MEDIA, "media.track", "outbound"),
        changed(MEDIA, "media.payload", ""),
    ],
)
def test_what_means_nothing_is_ignored_and_counted(message: str) -> None:
    stream = streaming()
    assert stream.receive(message) is None
    assert (stream.ignored, stream.refused) == (1, 0)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x00\x01", "expected a text frame, came a binary frame of 2 bytes"),
        ("hello", "expected JSON, came 'hello'"),
        (MEDIA + "}", "expected JSON"),
        ("", "expected JSON, came ''"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "expected JSON"),
        ("[1]", r"expected a JSON object, came \[1\]"),
        ("{}", 'expected a message with an "event" name, came nothing'),
        ('{"event":3}', 'expected a message with an "event" name, came 3'),
        ('{"event":["media"]}', 'with an "event" name'),
        (
            f'{{"event":"media","x":"{"y" * MAX_MESSAGE}"}}',
            "expected a message of at most 262144 characters, came 2621",
        ),
        (changed(MEDIA, "streamSid", "MZother"), f"media: expected streamSid '{SID}', came 'MZother'"),
        (changed(MEDIA, "streamSid", ...), f"media: expected streamSid '{SID}', came nothing"),
        (changed(DTMF, "streamSid", 5), f"dtmf: expected streamSid '{SID}', came 5"),
        (changed(STOP, "streamSid", "MZother"), "stop: expected streamSid"),
        (CONNECTED, "expected media, dtmf, mark or stop, came connected"),
        (START, "expected media, dtmf, mark or stop, came start"),
        (changed(MEDIA, "media", ...), 'media: expected an object in "media", came nothing'),
        (changed(MEDIA, "media.payload", ...), 'media: expected base64 text in "payload", came nothing'),
        (changed(MEDIA, "media.payload", "a"), "media: expected base64 in \"payload\", came 'a'"),
        (changed(MEDIA, "media.payload", "####"), "media: expected base64"),
        (changed(MEDIA, "media.payload", "/w==/w=="), "media: expected base64"),
        (changed(MEDIA, "media.payload", "//////////8=\n"), "media: expected base64"),
        (changed(MEDIA, "media.payload", "é///"), "media: expected base64"),
        (changed(MEDIA, "media.payload", base64.b64encode(bytes(MAX_PAYLOAD + 1)).decode()), "at most 65536 bytes"),
        (changed(MEDIA, "media.payload", "A" * 100_000), "at most 65536 bytes of audio"),
        (changed(MEDIA, "media.timestamp", ...), "media: timestamp: expected a whole number from 0, came nothing"),
        (changed(MEDIA, "media.timestamp", "-20"), "media: timestamp: expected a whole number from 0, came '-20'"),
        (changed(MEDIA, "media.timestamp", "٢٠"), "timestamp: expected a whole number"),
        (changed(MEDIA, "media.timestamp", 20.0), "timestamp: expected a whole number"),
        (changed(MEDIA, "media.timestamp", True), "timestamp: expected a whole number"),
        (changed(MEDIA, "media.timestamp", "9" * 19), "timestamp: expected a whole number"),
        (changed(MEDIA, "media.chunk", "x"), "media: chunk: expected a whole number from 0, came 'x'"),
        (changed(DTMF, "dtmf.digit", "E"), "dtmf: expected one digit of 0-9 \\* # A-D, came 'E'"),
        (changed(DTMF, "dtmf.digit", "12"), "came '12'"),
        (changed(DTMF, "dtmf.digit", ""), "came ''"),
        (changed(DTMF, "dtmf.digit", 4), "came 4"),
        (changed(DTMF, "dtmf", ...), "came nothing"),
        (changed(MARK, "mark.name", ...), "mark: expected a mark with a name, came {}"),
        (changed(MARK, "mark.name", ""), "mark: expected a mark with a name"),
        (changed(MARK, "mark", "name"), "mark: expected a mark with a name, came 'name'"),
    ],
)
def test_what_is_not_allowed_is_refused_in_words_and_the_call_goes_on(message: str | bytes, words: str) -> None:
    stream = streaming()
    with pytest.raises(ProtocolError, match=words) as refusal:
        stream.receive(message)
    assert not refusal.value.fatal
    assert len(str(refusal.value)) < 300
    assert (stream.refused, stream.ignored, stream.state) == (1, 0, State.STREAMING)
    assert stream.receive(MEDIA) == Media(b"\xff" * 8, 20, 1, 2)


def test_largest_payload_is_taken() -> None:
    payload = bytes(MAX_PAYLOAD)
    event = streaming().receive(changed(MEDIA, "media.payload", base64.b64encode(payload).decode()))
    assert event == Media(payload, 20, 1, 2)


@pytest.mark.parametrize("message", [MEDIA, DTMF, MARK])
def test_nothing_flows_before_start_or_after_stop(message: str) -> None:
    stream = MediaStream()
    with pytest.raises(ProtocolError, match="expected connected or start, came"):
        stream.receive(message)
    stream.receive(CONNECTED)
    with pytest.raises(ProtocolError, match="expected start, came") as refusal:
        stream.receive(message)
    assert not refusal.value.fatal
    stream.receive(START)
    stream.receive(STOP)
    with pytest.raises(ProtocolError, match="expected nothing: the stream has stopped, came"):
        stream.receive(message)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("start.mediaFormat.encoding", "audio/l16", "expected mediaFormat audio/x-mulaw, 8000 Hz, 1 channel"),
        ("start.mediaFormat.sampleRate", 16000, "8000 Hz"),
        ("start.mediaFormat.sampleRate", None, "start: sampleRate: expected a whole number"),
        ("start.mediaFormat.channels", 2, "1 channel"),
        ("start.mediaFormat", "mulaw", "expected an object in mediaFormat"),
        ("start", ..., 'expected an object in "start", came nothing'),
        ("start.streamSid", "MZother", "expected the same streamSid twice"),
        ("start.streamSid", "", "expected a streamSid, came ''"),
        ("start.tracks", "inbound", "expected a list of tracks"),
        ("start.customParameters", [], "expected an object in customParameters"),
    ],
)
def test_start_that_cannot_be_used_is_fatal(path: str, value: object, words: str) -> None:
    stream = MediaStream()
    stream.receive(CONNECTED)
    with pytest.raises(ProtocolError, match=words) as refusal:
        stream.receive(changed(START, path, value))
    assert refusal.value.fatal
    assert stream.state is State.EXPECTING_START


@pytest.mark.parametrize("path", ["streamSid", "start.streamSid", "start.mediaFormat", "start.tracks"])
def test_start_may_leave_out_what_is_known_otherwise(path: str) -> None:
    event = MediaStream().receive(changed(START, path, ...))
    assert isinstance(event, Started)
    assert (event.stream_sid, event.tracks, event.media_format) == (SID, ("inbound",), MediaFormat())


def test_start_takes_rate_as_string_and_parameters_as_text() -> None:
    message = changed(changed(START, "start.mediaFormat.sampleRate", "8000"), "start.customParameters.n", 3)
    event = MediaStream().receive(changed(message, "start.callSid", ...))
    assert isinstance(event, Started)
    assert (event.parameters, event.call_sid) == ({"tenant": "t-42", "n": "3"}, "")


def test_what_is_sent_is_exactly_what_twilio_documents() -> None:
    stream = streaming()
    assert stream.media_message(b"\x7f\xff") == f'{{"event":"media","streamSid":"{SID}","media":{{"payload":"f/8="}}}}'
    assert stream.mark_message("utt-3/seg-2") == (
        f'{{"event":"mark","streamSid":"{SID}","mark":{{"name":"utt-3/seg-2"}}}}'
    )
    assert stream.clear_message() == f'{{"event":"clear","streamSid":"{SID}"}}'


def test_sending_before_start_or_after_stop_is_refused_in_words() -> None:
    stream = MediaStream()
    with pytest.raises(
        ProtocolError, match=r"^send media: expected a started stream, but still expecting connected or"
    ):
        stream.media_message(b"\xff")
    stream.receive(CONNECTED)
    with pytest.raises(ProtocolError, match=r"^send a mark: expected a started stream, but still expecting start$"):
        stream.mark_message("m")
    stream.receive(START)
    stream.receive(STOP)
    with pytest.raises(ProtocolError, match=r"^send clear: expected a started stream, but the stream has stopped$"):
        stream.clear_message()


def test_sending_nothing_is_refused() -> None:
    with pytest.raises(ProtocolError, match="at least one byte"):
        streaming().media_message(b"")
    with pytest.raises(ProtocolError, match="expected a name"):
        streaming().mark_message("")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("event", "streamSid", "sequenceNumber", "media", "media.payload", "media.timestamp", "media.track"),
        *("media.chunk", "dtmf", "dtmf.digit", "mark", "mark.name", "start", "start.mediaFormat", "start.streamSid"),
        *("start.tracks", "start.customParameters", "start.mediaFormat.sampleRate", "start.callSid"),
    ]
)


@st.composite
def nearly_right(draw: st.DrawFn) -> str:
    """A real message with one field replaced or removed."""
    message = draw(st.sampled_from([CONNECTED, START, MEDIA, DTMF, MARK]))
    try:
        return changed(message, draw(FIELDS), draw(st.just(...) | JSON))
    except (KeyError, TypeError):
        return message


@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps) | nearly_right(), max_size=6), st.booleans())
def test_whatever_comes_raises_protocol_errors_only_and_the_call_goes_on(
    messages: list[str | bytes], started: bool
) -> None:
    stream = streaming() if started else MediaStream()
    for message in messages:
        with suppress(ProtocolError):
            stream.receive(message)
    if not started and stream.state is not State.STREAMING:
        assert isinstance(stream.receive(START), Started)
    sid = stream.stream_sid
    event = stream.receive(changed(MEDIA, "streamSid", sid))
    assert event == Media(b"\xff" * 8, 20, 1, 2)
    assert json.loads(stream.media_message(b"\xff"))["streamSid"] == sid


# --- with the carrier's half -------------------------------------------------------------------------------------


def pair() -> tuple[CarrierStream, MediaStream]:
    carrier, stream = CarrierStream(SID, "CA1", "AC1"), MediaStream()
    stream.receive(carrier.connected())
    stream.receive(carrier.start({"who": 'a "b"\n'}))
    return carrier, stream


def test_start_round_trip() -> None:
    carrier, stream = CarrierStream(SID, "CA1", "AC1"), MediaStream()
    assert stream.receive(carrier.connected()) == Connected()
    assert stream.receive(carrier.start({"who": 'a "b"\n'})) == Started(
        SID, "CA1", "AC1", ("inbound",), MediaFormat(), {"who": 'a "b"\n'}
    )


@given(
    st.binary(min_size=1, max_size=400), st.integers(0, 10**9), st.text(min_size=1), st.sampled_from("0123456789*#ABCD")
)
def test_round_trip_both_ways(audio: bytes, timestamp: int, name: str, digit: str) -> None:
    carrier, stream = pair()
    assert stream.receive(carrier.media(audio, timestamp)) == Media(audio, timestamp, 1, 2)
    assert stream.receive(carrier.media(audio, timestamp)) == Media(audio, timestamp, 2, 3)
    assert stream.receive(carrier.dtmf(digit)) == Dtmf(digit, 4)
    assert stream.receive(carrier.mark(name)) == MarkEchoed(name, 5)
    assert carrier.receive(stream.media_message(audio)) == PlayAudio(audio)
    assert carrier.receive(stream.mark_message(name)) == SetMark(name)
    assert carrier.receive(stream.clear_message()) == ClearBuffer()
    assert stream.receive(carrier.stop()) == Stopped()
    assert (carrier.dropped, carrier.warnings) == (0, {})


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (b"{}", 31950, "binary frame"),
        ("hello", 31951, "expected JSON"),
        ("[]", 31951, "expected a JSON object"),
        ('{"event":"clear","stream_sid":"' + SID + '"}', 31951, "expected streamSid"),
        ('{"event":"clear","streamSid":"MZother"}', 31951, "expected streamSid"),
        ('{"event":"clear","streamSid":"' + SID + '","x":1}', 31951, "expected the fields"),
        (
            '{"event":"dtmf","streamSid":"' + SID + '","dtmf":{"digit":"1"}}',
            31951,
            "expected event media, mark or clear",
        ),
        ('{"event":"media","streamSid":"' + SID + '"}', 31951, "expected the fields"),
        ('{"event":"media","streamSid":"' + SID + '","media":{"payload":"/w==","track":"outbound"}}', 31951, "fields"),
        ('{"event":"media","streamSid":"' + SID + '","media":{"payload":""}}', 31951, "base64 of audio"),
        ('{"event":"media","streamSid":"' + SID + '","media":{"payload":"?"}}', 31951, "base64 of audio"),
        ('{"event":"mark","streamSid":"' + SID + '","mark":{"name":""}}', 31951, "expected a name"),
        ('{"event":"mark","streamSid":"' + SID + '","mark":"m"}', 31951, "expected an object"),
    ],
)
def test_carrier_drops_what_twilio_drops_and_warns_once(message: str | bytes, code: int, words: str) -> None:
    carrier, stream = pair()
    assert carrier.receive(message) is None
    assert carrier.receive(message) is None
    assert list(carrier.warnings) == [code]
    assert words in carrier.warnings[code]
    assert carrier.dropped == 2
    assert carrier.receive(stream.mark_message("m")) == SetMark("m")


def test_carrier_notices_audio_encoded_twice() -> None:
    carrier, stream = pair()
    twice = base64.b64encode(bytes(range(256))[:160])
    assert carrier.receive(stream.media_message(twice)) is None
    assert "base64 of base64" in carrier.warnings[31951]


def test_carrier_refuses_to_send_out_of_order() -> None:
    carrier = CarrierStream(SID, "CA1", "AC1")
    with pytest.raises(ProtocolError, match="send media: the stream expects to send connected"):
        carrier.media(b"\xff", 0)
    carrier.connected()
    carrier.start()
    carrier.stop()
    with pytest.raises(ProtocolError, match="send mark: the stream expects to send nothing: the stream has stopped"):
        carrier.mark("m")


@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps), max_size=6))
def test_carrier_survives_whatever_comes(messages: list[str | bytes]) -> None:
    carrier, stream = pair()
    for message in messages:
        assert carrier.receive(message) is None
    assert carrier.receive(stream.media_message(b"\xff")) == PlayAudio(b"\xff")
