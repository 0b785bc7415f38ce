"""The short way through a media message says what the full parser says, or leaves it to that."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.twilio.media_shape import MOST_BASE64, shape_of
from voiceloop.twilio.protocol import Media, MediaStream, ProtocolError, Stopped

SID = "MZ0123456789abcdef0123456789abcdef"


def start(sid: str = SID) -> str:
    return json.dumps({"event": "start", "streamSid": sid, "start": {"streamSid": sid, "callSid": "CA1"}})


def media(payload: str = "fn5+", sequence: str = "2", chunk: str = "1", timestamp: str = "20", sid: str = SID) -> str:
    body = f'{{"track":"inbound","chunk":"{chunk}","timestamp":"{timestamp}","payload":"{payload}"}}'
    return f'{{"event":"media","sequenceNumber":"{sequence}","streamSid":{json.dumps(sid)},"media":{body}}}'


def with_id_last(message: str) -> str:
    """The same, with the id of the stream behind the audio, and with blanks."""
    data = json.loads(message)
    return json.dumps({**{key: value for key, value in data.items() if key != "streamSid"}, "streamSid": SID})


def streaming(sid: str = SID) -> MediaStream:
    stream = MediaStream()
    stream.receive(start(sid))
    return stream


def said(stream: MediaStream, message: str) -> Any:
    """What a stream makes of a message: the event, or the words of the error."""
    try:
        return stream.receive(message)
    except ProtocolError as error:
        return str(error)


def full(message: str, sid: str = SID) -> Any:
    """What a stream makes of it that has learnt nothing."""
    return said(streaming(sid), message)


@pytest.mark.parametrize("form", [str, with_id_last], ids=["id first", "id last"])
def test_a_learnt_shape_reads_every_later_message_of_the_stream(form: Any) -> None:
    stream = streaming()
    shape = shape_of(form(media()), SID, stream._receive)
    assert shape is not None
    assert shape.read(form(media("AAAA", "70123", "70121", "1402420"))) == Media(bytes(3), 1402420, 70121, 70123)
    assert shape.read(form(media()).replace(SID, SID[::-1])) is None


@pytest.mark.parametrize(
    "message",
    [
        media(timestamp="1" * 19),
        media(timestamp=""),
        media(timestamp="٣"),
        media(timestamp="+1"),
        media(chunk="1_0"),
        media(sequence="-1"),
        media(""),
        media("A"),
        media("AAA"),
        media("AA=A"),
        media("AAAA===="),
        media("A\\u0041AA"),
        media("AA\nAA"),
        media("é" * 4),
        media(base64.b64encode(bytes(MOST_BASE64)).decode()),
        media("A" * 200_000),
        media(sid="MZ1"),
        media() + " ",
        media() + "}",
        " " + media(),
        media()[:-1],
        media().replace("inbound", "outbound"),
        media().replace('"20"', "20"),
        media().replace('"payload"', '"payload":"AAAA","payload"'),
        media('AAAA","payload":"BBBB'),
        media('AAAA","track":"outbound'),
    ],
)
def test_what_is_not_of_the_shape_is_left_to_the_full_parser(message: str) -> None:
    stream = streaming()
    assert stream.receive(media()) == Media(b"~~~", 20, 1, 2)
    assert said(stream, message) == full(message)


@pytest.mark.parametrize(
    "message",
    [
        # The values are not where they seem to be.
        media()[:-1] + ',"more":{"chunk":"7"}}',
        '{"more":{"chunk":"1"},' + media().replace('"chunk":"1"', '"chun\\u006b":"1"')[1:],
        media().replace('"chunk":"1"', '"chunk":1').replace('{"track"', '{"more":{"chunk":"1"},"track"'),
        '{"media":{"chunk":"8"},' + media()[1:],
        media().replace('"payload":"fn5+"', '"payload":"fn5+","timestamp":"3"'),
        media().replace('"payload":"fn5+"', '"payload":"fn5+","payload":"AAAA"'),
        media().replace('"chunk":"1",', ""),
        media().replace("inbound", "outbound"),
        media().replace('"event":"media"', '"event":"other"'),
        media() + " " * 6000,
        "not JSON",
    ],
)
def test_no_shape_is_learnt_from_a_message_whose_values_are_elsewhere(message: str) -> None:
    assert shape_of(message, SID, streaming()._receive) is None


def test_a_stream_id_may_be_any_word_of_the_message() -> None:
    for sid in ("media", "inbound", "event", "e", "1", "a.c", 'a"b', "\x00", "é"):
        stream = streaming(sid)
        for number in range(2, 6):
            message = media(sequence=str(number), sid=sid)
            assert stream.receive(message) == Media(b"~~~", 20, 1, number)
        assert said(stream, media(sid="abc")) == full(media(sid="abc"), sid)


def test_a_stopped_stream_takes_no_audio_by_its_shape() -> None:
    stream = streaming()
    stream.receive(media())
    assert isinstance(stream.receive(json.dumps({"event": "stop", "streamSid": SID})), Stopped)
    assert said(stream, media()) == "expected nothing: the stream has stopped, came media"
    assert stream.refused == 1


def test_streams_share_the_pattern_of_their_messages() -> None:
    shapes = [shape_of(media(sid=sid), sid, streaming(sid)._receive) for sid in ("MZ1", "MZ2")]
    assert all(shapes)
    assert shapes[0]._match.__self__ is shapes[1]._match.__self__  # type: ignore[union-attr]


_CHANGE = st.tuples(
    st.integers(0, 400),
    st.integers(0, 12),
    st.one_of(st.text(max_size=6), st.sampled_from(['"', "\\", ",", '":"', "0", "=", "}}", '"chunk":"1",', "\\u0031"])),
)


@given(
    first=st.sampled_from([media(), with_id_last(media()), json.dumps(json.loads(media()))]),
    values=st.tuples(st.binary(max_size=40), *[st.integers(0, 10**20)] * 3),
    changes=st.lists(_CHANGE, max_size=3),
)
def test_whatever_is_changed_in_a_message_both_ways_say_the_same(
    first: str, values: tuple[bytes, int, int, int], changes: list[tuple[int, int, str]]
) -> None:
    payload, *numbers = values
    message = media(base64.b64encode(payload).decode(), *map(str, numbers))
    if first != media():
        message = with_id_last(message) if "streamSid" in first[-60:] else json.dumps(json.loads(message))
    for place, length, text in changes:
        place %= len(message) + 1
        message = message[:place] + text + message[place + length :]
    stream = streaming()
    stream.receive(first)
    assert stream._shape is not None
    assert said(stream, message) == full(message)
