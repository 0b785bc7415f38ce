"""The socket as an outsider uses it: nothing that comes in breaks a call, and each refusal says what was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from voiceloop.testing import script
from voiceloop.twilio.messages import MAX_MESSAGE, MAX_PAYLOAD

Raw = Callable[..., Any]
SID = "MZ1"


def media(payload: object, **changes: Any) -> dict[str, Any]:
    """A media message with this payload."""
    return {
        "event": "media",
        "streamSid": SID,
        "media": {"timestamp": "5", "chunk": "1", "payload": payload},
        **changes,
    }


REFUSED = [
    ("not JSON", "expected JSON, came 'not JSON' (Expecting value: line 1 column 1 (char 0))"),
    ("[1, 2]", "expected a JSON object, came [1, 2]"),
    ('{"event": 7}', 'expected a message with an "event" name, came 7'),
    ("{}", 'expected a message with an "event" name, came nothing'),
    (b"\x00\x01\x02", "expected a text frame, came a binary frame of 3 bytes"),
    (media("/w==", streamSid="MZ2"), "media: expected streamSid 'MZ1', came 'MZ2'"),
    ({"event": "connected"}, "expected media, dtmf, mark or stop, came connected"),
    ({"event": "start", "start": {}}, "expected media, dtmf, mark or stop, came start"),
    (
        {"event": "dtmf", "streamSid": SID, "dtmf": {"digit": "12"}},
        "dtmf: expected one digit of 0-9 * # A-D, came '12'",
    ),
    ({"event": "mark", "streamSid": SID, "mark": {}}, "mark: expected a mark with a name, came {}"),
    ({"event": "stop", "streamSid": "MZ2"}, "stop: expected streamSid 'MZ1', came 'MZ2'"),
]


@pytest.mark.parametrize(("message", "error"), REFUSED, ids=[error for _, error in REFUSED])
async def test_a_message_that_is_refused_is_recorded_and_the_caller_is_still_answered(
    raw: Raw, message: Any, error: str
) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.start()
        await line.says("are you", then=0.2)
        await line.send(message)
        await line.says("open today", then=2.0)
        assert line.heard == "Yes, we are."
        report = await line.ends()
    assert line.faults == [error]
    assert [turn.caller for turn in report.turns] == ["are you open today"]
    assert report.reason == "caller hung up"


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("!!!!", "Only base64 data is allowed"),
        ("/w=", "padding"),
        (None, "came nothing"),
        (17, "came 17"),
    ],
)
async def test_audio_that_is_not_base64_is_refused_and_the_call_goes_on(raw: Raw, payload: object, error: str) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.start()
        await line.send(media(payload))
        await line.says("are you open", then=2.0)
        assert line.heard == "Yes, we are."
        await line.ends()
    assert len(line.faults) == 1
    assert line.faults[0].startswith("media: expected base64 ")
    assert error.lower() in line.faults[0].lower()


async def test_a_message_of_the_greatest_length_is_taken_and_one_of_a_character_more_is_refused(raw: Raw) -> None:
    short = '{"event": "other", "pad": ""}'
    async with raw(llm=script("Yes.")) as line:
        await line.start()
        await line.send(short.replace('""', f'"{"x" * (MAX_MESSAGE - len(short))}"'))
        await line.send(short.replace('""', f'"{"x" * (MAX_MESSAGE - len(short) + 1)}"'))
        await line.send(line.media(b"\xff" * MAX_PAYLOAD))
        await line.send(line.media(b"\xff" * (MAX_PAYLOAD + 1)))
        await line.says("are you open", then=2.0)
        assert line.heard == "Yes."
        await line.ends()
    assert line.faults == [
        f"expected a message of at most {MAX_MESSAGE} characters, came {MAX_MESSAGE + 1}",
        f"media: expected at most {MAX_PAYLOAD} bytes of audio, came {MAX_PAYLOAD + 1}",
    ]


async def test_a_message_beyond_what_the_socket_takes_ends_the_call(raw: Raw) -> None:
    async with raw(llm=script("Yes.")) as line:
        await line.start()
        with suppress(ConnectionError):  # it is closed before all of it is read
            await line.send("x" * (5 * 1024 * 1024))
        report = await line.over(5.0)
    assert report.reason == "disconnected"


async def test_unknown_events_and_fields_mean_nothing(raw: Raw) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.start(
            color="blue", mediaFormat={"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1, "x": 1}
        )
        await line.send({"event": "weather", "streamSid": SID, "rain": True})
        await line.says("are you open", then=2.0, language="en")
        assert line.heard == "Yes, we are."
        report = await line.ends()
    assert report.faults == []


@pytest.mark.parametrize("form", [str, int])
@pytest.mark.parametrize("first", [0, 73_000])
async def test_numbers_may_be_texts_or_numbers_and_time_may_begin_anywhere(
    raw: Raw, form: Callable[[object], object], first: int
) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.start()
        line._timestamp = first
        audio = line._lexicon.speak("are you open")[0] + b"\xff" * 16000
        for at in range(0, len(audio) - 159, 160):
            message = line.media(audio[at : at + 160])
            message["media"]["timestamp"] = form(message["media"]["timestamp"])
            message["media"]["chunk"] = form(at // 160 + 1)
            await line.send({**message, "sequenceNumber": form(at // 160 + 2)})
            await asyncio.sleep(0.02)
        assert line.heard == "Yes, we are."
        report = await line.ends()
    assert report.faults == []
    assert report.turns[0].latency is not None
    assert report.turns[0].latency.total == pytest.approx(0.5, abs=0.05)


async def test_frames_in_bunches_are_understood_and_dated_when_they_were_spoken(raw: Raw) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.start()
        audio = line._lexicon.speak("are you open")[0] + b"\xff" * 16000
        frames = [line.media(audio[at : at + 160]) for at in range(0, len(audio) - 159, 160)]
        for at in range(0, len(frames), 10):
            await asyncio.sleep(0.2)
            for frame in frames[at : at + 10]:
                await line.send(frame)
        await line.says("", then=1.0)
        assert line.heard == "Yes, we are."
        report = await line.ends()
    assert report.turns[0].caller == "are you open"
    assert report.turns[0].latency is not None
    assert report.turns[0].latency.total == pytest.approx(0.5, abs=0.25)  # noticed with the next bunch


@pytest.mark.parametrize(
    ("start", "error"),
    [
        ({"mediaFormat": {"encoding": "audio/l16"}}, "start: expected mediaFormat audio/x-mulaw, 8000 Hz, 1 channel"),
        ({"mediaFormat": {"sampleRate": 16000}}, "start: expected mediaFormat audio/x-mulaw, 8000 Hz, 1 channel"),
        ({"mediaFormat": {"sampleRate": "fast"}}, "start: sampleRate: expected a whole number from 0, came 'fast'"),
        ({"mediaFormat": "mulaw"}, "start: expected an object in mediaFormat, came 'mulaw'"),
        ({"streamSid": ""}, "start: expected a streamSid, came ''"),
        ({"customParameters": [1]}, "start: expected an object in customParameters, came [1]"),
    ],
)
async def test_a_start_that_cannot_be_served_is_refused_at_once_with_the_reason(
    raw: Raw, start: dict[str, Any], error: str
) -> None:
    async with raw(llm=script("Yes.")) as line:
        line._reader.cancel()
        await asyncio.wait([line._reader])
        line._reader = asyncio.ensure_future(asyncio.sleep(0))
        body = {"streamSid": SID, "callSid": "CA1", **start}
        await line.send({"event": "start", "start": body})
        message = await line.socket.receive(5.0)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 1002
        assert str(message.extra).startswith(error[:120])
    assert line.calls == []


async def test_media_before_start_is_refused_and_the_start_may_still_come(raw: Raw) -> None:
    async with raw(llm=script("Yes, we are.")) as line:
        await line.send({"event": "connected"})
        await line.send(media("/w=="))
        await line.start()
        await line.says("are you open", then=2.0)
        assert line.heard == "Yes, we are."
        await line.ends()
    assert line.faults == ["expected start, came media", "expected start, came connected"]


@pytest.mark.parametrize("sent", [None, {"event": "connected"}, "rubbish"])
async def test_a_handshake_that_is_never_completed_is_closed_within_its_limit(raw: Raw, sent: Any) -> None:
    async with raw(llm=script("Yes.")) as line:
        before = asyncio.get_running_loop().time()
        if sent is not None:
            await line.send(sent)
        await line._reader
        assert asyncio.get_running_loop().time() - before == pytest.approx(5.0, abs=0.1)
        assert line.socket.close_code == 1002
    assert line.calls == []


async def test_a_stop_before_the_start_ends_the_handshake(raw: Raw) -> None:
    async with raw(llm=script("Yes.")) as line:
        await line.send({"event": "stop", "streamSid": SID})
        async with asyncio.timeout(1.0):
            await line._reader
    assert line.calls == []


async def test_a_flood_of_refused_messages_ends_the_call(raw: Raw) -> None:
    async with raw(llm=script("Yes.")) as line:
        await line.start()
        for _ in range(1100):
            await line.send("rubbish")
        report = await line.over(5.0)
    assert report.reason == "protocol"
    assert len(line.faults) == 10


async def test_a_line_from_which_nothing_comes_is_given_up(raw: Raw) -> None:
    async with raw(llm=script("Yes."), greeting="Hello!") as line:
        line.echoes = False
        await line.start()
        await line.says("", then=1.0)
        await line._reader
        report = await line.over(1.0)
    assert report.reason == "disconnected"
    assert report.duration == pytest.approx(11.0, abs=0.5)
    assert [(f.kind, f.message) for f in report.faults] == [("twilio.silent", "no message from the carrier for 10 s")]
