"""What Twilio's messages do to a live call, also when they are handed over by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import CallerAudio, Digit, MarkEcho
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import NotRunning, Processor
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.twilio import handlers
from voiceloop.twilio.connections import ConnectionManager
from voiceloop.twilio.handlers import HANDLERS, handle_dtmf, handle_mark, handle_media, handle_stop
from voiceloop.twilio.messages import Dtmf, MarkEchoed, Media, ProtocolError, Stopped
from voiceloop.twilio.transport import TwilioTransport

SOUND = bytes(range(0x20, 0x40)) * 5


class Ear(Processor):
    """Notes what a call brings, but for the carrier's own silence."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def on_caller_audio(self, audio: CallerAudio) -> None:
        if audio.audio == SOUND:
            self.heard.append(("audio", audio.at))

    def on_mark_echo(self, echo: MarkEcho) -> None:
        self.heard.append(("mark", echo.name, echo.sequence, echo.at))

    def on_digit(self, digit: Digit) -> None:
        self.heard.append(("digit", digit.digit, digit.at))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def bot(ear: Ear) -> Callable[[Call], Pipeline]:
    return lambda call: Pipeline([call.transport, ear, AudioStreamer()])


def message(event: str, connection: TwilioTransport, **content: Any) -> dict[str, Any]:
    inside = {event: content} if content else {}
    return {"event": event, "sequenceNumber": "7", "streamSid": connection.started.stream_sid, **inside}


FORMS: list[Callable[[dict[str, Any]], Any]] = [
    lambda data: data,
    json.dumps,
    lambda data: json.dumps(data).encode(),
]


@pytest.mark.parametrize("form", FORMS, ids=["parsed", "text", "bytes"])
async def test_a_message_can_be_handed_over_as_twilio_wrote_it(
    dial: Any, bot: Any, ear: Ear, form: Callable[[dict[str, Any]], Any]
) -> None:
    async with dial(bot) as caller:
        await caller.waits(1.0)
        connection = caller.call.transport
        now = asyncio.get_running_loop().time()
        payload = base64.b64encode(SOUND).decode()
        handle_media(connection, form(message("media", connection, payload=payload, timestamp="980")))
        handle_mark(connection, form(message("mark", connection, name="mine")))
        handle_dtmf(connection, form(message("dtmf", connection, digit="5")))
        (audio, *others) = ear.heard
        assert audio == ("audio", pytest.approx(now - 0.02, abs=0.021))
        assert others == [("mark", "mine", 7, now), ("digit", "5", now)]
        handle_stop(connection, form(message("stop", connection)))
        report = await caller.report()
    assert report.reason == "caller hung up"
    assert report.faults == []


async def test_a_message_can_be_handed_over_as_an_event_with_the_time_of_its_arrival(
    dial: Any, bot: Any, ear: Ear
) -> None:
    async with dial(bot, carrier=CarrierOptions(delay_to_server=0.1)) as caller:
        await caller.waits(1.0)
        connection = caller.call.transport
        now = asyncio.get_running_loop().time()
        handle_media(connection, Media(SOUND, 880), now - 0.01)
        handle_mark(connection, MarkEchoed("mine", 3), now - 0.02)
        handle_dtmf(connection, Dtmf("#"), now - 0.03)
        assert ear.heard[0][1] <= now - 0.03
        assert ear.heard[1:] == [("mark", "mine", 3, now - 0.02), ("digit", "#", now - 0.03)]
        handle_stop(connection, Stopped())
        assert (await caller.report()).reason == "caller hung up"


async def test_what_means_nothing_does_nothing(dial: Any, bot: Any, ear: Ear) -> None:
    async with dial(bot) as caller:
        await caller.waits(0.1)
        connection = caller.call.transport
        handle_media(connection, message("media", connection, payload="", timestamp="80"))
        handle_media(connection, message("media", connection, payload="AAAA", timestamp="80", track="outbound"))
        assert ear.heard == []
        await caller.hangs_up()


@pytest.mark.parametrize(
    ("handle", "given", "error"),
    [
        (handle_media, {"event": "stop"}, "expected media, came stop"),
        (handle_stop, {"event": "media"}, "expected stop, came media"),
        (handle_mark, "not JSON", "expected mark as JSON, came 'not JSON'"),
        (handle_mark, "[1]", "expected mark, came nothing"),
        (handle_dtmf, {}, "expected dtmf, came nothing"),
        (handle_dtmf, 5, "expected a dtmf message: text, parsed JSON or Dtmf; came 5"),
        (handle_media, Stopped(), "expected a media message: text, parsed JSON or Media; came Stopped()"),
        (handle_media, {"event": "media", "streamSid": "MZ9"}, "media: expected streamSid 'MZ"),
    ],
)
async def test_another_message_is_refused_and_changes_nothing(
    dial: Any, bot: Any, ear: Ear, handle: Any, given: Any, error: str
) -> None:
    async with dial(bot) as caller:
        await caller.waits(0.1)
        with pytest.raises(ProtocolError) as refused:
            handle(caller.call.transport, given)
        assert str(refused.value).startswith(error)
        await caller.presses("1")
        await caller.waits(0.1)
        assert [heard[:2] for heard in ear.heard] == [("digit", "1")]
        report = await caller.hangs_up()
    assert report.reason == "caller hung up"


async def test_after_the_call_a_message_is_an_error(dial: Any, bot: Any) -> None:
    async with dial(bot) as caller:
        await caller.waits(0.1)
        connection = caller.call.transport
        await caller.hangs_up()
        for handle, event in ((handle_media, Media(SOUND, 1)), (handle_dtmf, Dtmf("1")), (handle_stop, Stopped())):
            with pytest.raises(NotRunning):
                handle(connection, event)


async def test_the_transport_itself_works_by_these_handlers(
    dial: Any, bot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[str] = []

    def noting(name: str, handle: Callable[..., None]) -> Callable[..., None]:
        def note(connection: TwilioTransport, event: Any, arrived: float) -> None:
            handled.append(name)
            handle(connection, event, arrived)

        return note

    assert set(HANDLERS.values()) == {getattr(handlers, name) for name in handlers.__all__ if name != "HANDLERS"}
    for event, handle in list(HANDLERS.items()):
        monkeypatch.setitem(HANDLERS, event, noting(handle.__name__, handle))
    async with dial(bot) as caller:
        await caller.waits(0.1)
        await caller.presses("1")
        manager = ConnectionManager()
        manager.connect(caller.call)
        await manager.get_streamer(caller.call.id).queue_audio(SOUND * 10)
        await caller.waits(1.0)
        await caller.hangs_up()
    assert handled.count("handle_media") >= 50
    assert handled.count("handle_dtmf") == 1
    assert handled.count("handle_mark") >= 2
    assert handled[-1] == "handle_stop"
