"""What each message of Twilio's does to a call: a thin layer between the protocol machine and the pipeline.

`TwilioTransport` hands every message that its socket brings to these functions. They can be called by hand, too, with
a message that came another way: as Twilio wrote it, parsed, or as the event that `MediaStream.receive` made of it.
``connected`` and ``start`` have no handler: they come before there is a call (`TwilioTransport.accept`).

Each takes the connection of a call that has begun: `ConnectionManager.get_connection(call_sid)`, or
``call.transport``. Each raises

- `ProtocolError` when the message is not allowed here, or is another one than the handler is for,
- `NotRunning` when the call is over.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from voiceloop.frames import CallerAudio, Digit, MarkEcho
from voiceloop.twilio.messages import Dtmf, Event, MarkEchoed, Media, ProtocolError, Stopped, shown

if TYPE_CHECKING:
    from voiceloop.twilio.transport import TwilioTransport

__all__ = ["HANDLERS", "handle_dtmf", "handle_mark", "handle_media", "handle_stop"]

RATE = 8000

E = TypeVar("E", Media, MarkEchoed, Dtmf, Stopped)
Raw = str | bytes | Mapping[str, Any]
"""A message as Twilio wrote it, or its JSON parsed."""


def handle_media(connection: TwilioTransport, message: Media | Raw, arrived: float | None = None) -> None:
    """The caller's audio: push it as `CallerAudio`, dated by when it was spoken.

    Args:
        connection: of the call.
        message: one ``media`` message.
        arrived: when it came in, seconds on the loop's clock; now, when not given. Never before the one before it.
    """
    media = message if type(message) is Media else _read(connection, message, "media", Media)
    if media is not None:
        payload = media.payload
        now = connection.call.now if arrived is None else arrived
        at = connection.clock.speech_time(media.timestamp_ms, len(payload) / RATE, now)
        connection.push(CallerAudio(payload, at))


def handle_mark(connection: TwilioTransport, message: MarkEchoed | Raw, arrived: float | None = None) -> None:
    """The echo of a mark: push it as `MarkEcho`. So the streamer learns what was played. Arguments: `handle_media`."""
    mark = message if type(message) is MarkEchoed else _read(connection, message, "mark", MarkEchoed)
    if mark is not None:
        now = connection.call.now if arrived is None else arrived
        connection.push(MarkEcho(mark.name, mark.sequence, now))


def handle_dtmf(connection: TwilioTransport, message: Dtmf | Raw, arrived: float | None = None) -> None:
    """A key that the caller pressed: push it as `Digit`. Arguments: `handle_media`."""
    dtmf = message if type(message) is Dtmf else _read(connection, message, "dtmf", Dtmf)
    if dtmf is not None:
        now = connection.call.now if arrived is None else arrived
        pad = connection.call.keypad
        if pad.secret:
            pad.pressed(now)
        connection.push(Digit(dtmf.digit, now, pad.secret))


def handle_stop(connection: TwilioTransport, message: Stopped | Raw, arrived: float | None = None) -> None:
    """The stream is over: end the call, with the reason ``caller hung up`` unless it is ending for another one.
    Arguments: `handle_media`."""
    stopped = message if type(message) is Stopped else _read(connection, message, "stop", Stopped)
    if stopped is not None:
        connection.call.end("caller hung up")


def _read(connection: TwilioTransport, message: object, name: str, kind: type[E]) -> E | None:
    """What a message says that did not come through the socket; None when it says nothing to us."""
    if isinstance(message, Mapping):
        data, text = message, json.dumps(dict(message))
    elif isinstance(message, str | bytes):
        try:
            data, text = json.loads(message), message if isinstance(message, str) else message.decode()
        except (ValueError, RecursionError):
            raise ProtocolError(f"expected {name} as JSON, came {shown(message)}") from None
    else:
        raise ProtocolError(f"expected a {name} message: text, parsed JSON or {kind.__name__}; came {shown(message)}")
    came = data.get("event") if isinstance(data, Mapping) else None
    if came != name:
        raise ProtocolError(f"expected {name}, came {shown(came) if came is None else came}")
    event = connection.parse(text)
    return event if isinstance(event, kind) else None


HANDLERS: Final[dict[type[Event], Callable[[TwilioTransport, Any, float], None]]] = {
    Media: handle_media,
    MarkEchoed: handle_mark,
    Dtmf: handle_dtmf,
    Stopped: handle_stop,
}
"""The handler of each event that a started stream can bring."""
