"""Twilio Media Streams, the agent's side: text of a WebSocket message in, typed event out.

Pure: no I/O, no clock, no asyncio. One `MediaStream` per WebSocket. It ignores what Twilio may add (unknown
events and fields), survives what Twilio may leave out (``connected``, ``stop``, counters), and refuses the rest
with a `ProtocolError` that says what was expected and what came. A refusal costs that one message: the machine
stays usable unless the error is `fatal`.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import enum
import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final

from voiceloop.twilio.media_shape import MediaShape, shape_of
from voiceloop.twilio.messages import (
    DIGITS,
    MAX_MESSAGE,
    MAX_PAYLOAD,
    Connected,
    Dtmf,
    Event,
    MarkEchoed,
    Media,
    MediaFormat,
    Object,
    ProtocolError,
    Started,
    Stopped,
    number,
    parse_start,
    shown,
)

__all__ = [
    "DIGITS",
    "MAX_MESSAGE",
    "MAX_PAYLOAD",
    "Connected",
    "Dtmf",
    "Event",
    "MarkEchoed",
    "Media",
    "MediaFormat",
    "MediaStream",
    "ProtocolError",
    "Started",
    "State",
    "Stopped",
]

_MAX_BASE64: Final = (MAX_PAYLOAD + 2) // 3 * 4
_LESSONS: Final = 3
"""Media messages from which their shape is to be learnt, before it is given up."""
_decode: Final = json.JSONDecoder().raw_decode


class State(enum.Enum):
    """Where a stream is. The value is what the machine waits for, in words."""

    EXPECTING_CONNECTED = "connected or start"
    EXPECTING_START = "start"
    STREAMING = "media, dtmf, mark or stop"
    STOPPED = "nothing: the stream has stopped"


class MediaStream:
    """The agent's half of one media stream: `receive` what the socket brings, send what the encoders return."""

    __slots__ = ("_media_prefix", "_shape", "_sid_json", "_unlearnt", "ignored", "refused", "state", "stream_sid")

    def __init__(self) -> None:
        self.state = State.EXPECTING_CONNECTED
        self.stream_sid = ""
        """Known once the stream has started."""
        self.ignored = 0
        """Messages that were fine and meant nothing to us: unknown events, other tracks, empty audio."""
        self.refused = 0
        """Messages answered with a `ProtocolError`."""
        self._sid_json = ""
        self._media_prefix = ""
        self._shape: MediaShape | None = None
        self._unlearnt = _LESSONS

    # --- what comes in --------------------------------------------------------------------------------------

    def receive(self, message: str | bytes) -> Event | None:
        """What this WebSocket message says, or None when it says nothing to us (counted in `ignored`).

        Raises `ProtocolError`, and nothing else, when the message is not allowed here. Takes about 1.5 µs for media.
        """
        media = self.media(message)
        if media is not None:
            return media
        try:
            event = self._receive(message)
        except ProtocolError:
            self.refused += 1
            raise
        if event is None:
            self.ignored += 1
        elif self._shape is None and type(event) is Media and self._unlearnt and type(message) is str:
            self._unlearnt -= 1
            self._shape = shape_of(message, self.stream_sid, self._receive)
        return event

    def media(self, message: str | bytes) -> Media | None:
        """The caller's audio, when the message differs from an earlier one in its values only; else None, and nothing
        has happened: ask `receive`."""
        shape = self._shape
        return shape.read(message) if shape is not None and type(message) is str else None

    def _receive(self, message: str | bytes) -> Event | None:
        if not isinstance(message, str):
            raise ProtocolError(f"expected a text frame, came a binary frame of {len(message)} bytes")
        if len(message) > MAX_MESSAGE:
            raise ProtocolError(f"expected a message of at most {MAX_MESSAGE} characters, came {len(message)}")
        try:
            # `raw_decode` skips two regular expressions of `json.loads`, a third of its time on such a message.
            data, end = _decode(message)
            if end != len(message):
                data = json.loads(message)  # white space at the end, or rubbish that this refuses
        except (ValueError, RecursionError):
            data = _decode_slowly(message)
        if type(data) is not dict:
            raise ProtocolError(f"expected a JSON object, came {shown(data)}")
        name = data.get("event")
        handler = _HANDLERS.get(name) if type(name) is str else None
        if handler is None:
            if type(name) is not str:
                raise ProtocolError(f'expected a message with an "event" name, came {shown(name)}')
            return None
        return handler(self, data)

    def _on_media(self, data: Object) -> Media | None:
        if self.state is not State.STREAMING or data.get("streamSid") != self.stream_sid:
            self._check_streaming("media", data)
        media = data.get("media")
        if type(media) is not dict:
            raise ProtocolError(f'media: expected an object in "media", came {shown(media)}')
        if media.get("track", "inbound") != "inbound":
            return None  # the agent's own voice, on streams that carry both tracks
        text = media.get("payload")
        if type(text) is not str:
            raise ProtocolError(f'media: expected base64 text in "payload", came {shown(text)}')
        if len(text) > _MAX_BASE64:
            raise ProtocolError(f"media: expected at most {MAX_PAYLOAD} bytes of audio, came base64 of {len(text)}")
        try:
            payload = a2b_base64(text, strict_mode=True)
        except (Base64Error, ValueError) as error:
            raise ProtocolError(f'media: expected base64 in "payload", came {shown(text)} ({error})') from None
        if len(payload) > MAX_PAYLOAD:
            raise ProtocolError(f"media: expected at most {MAX_PAYLOAD} bytes of audio, came {len(payload)}")
        event = Media(
            payload,
            number(media.get("timestamp"), "media: timestamp"),
            number(media.get("chunk", 0), "media: chunk"),
            number(data.get("sequenceNumber", 0), "media: sequenceNumber"),
        )
        return event if payload else None

    def _on_connected(self, data: Object) -> Connected:
        if self.state is not State.EXPECTING_CONNECTED:
            raise self._unexpected("connected")
        self.state = State.EXPECTING_START
        return Connected()

    def _on_start(self, data: Object) -> Started:
        # Twilio may leave out `connected`; it says nothing that start does not.
        if self.state not in (State.EXPECTING_CONNECTED, State.EXPECTING_START):
            raise self._unexpected("start")
        started = parse_start(data)
        self.stream_sid = started.stream_sid
        self._sid_json = json.dumps(started.stream_sid)
        self._media_prefix = f'{{"event":"media","streamSid":{self._sid_json},"media":{{"payload":"'
        self.state = State.STREAMING
        return started

    def _on_dtmf(self, data: Object) -> Dtmf:
        self._check_streaming("dtmf", data)
        dtmf = data.get("dtmf")
        digit = dtmf.get("digit") if type(dtmf) is dict else None
        if type(digit) is not str or digit not in DIGITS:
            raise ProtocolError(f"dtmf: expected one digit of 0-9 * # A-D, came {shown(digit)}")
        return Dtmf(digit, number(data.get("sequenceNumber", 0), "dtmf: sequenceNumber"))

    def _on_mark(self, data: Object) -> MarkEchoed:
        self._check_streaming("mark", data)
        mark = data.get("mark")
        name = mark.get("name") if type(mark) is dict else None
        if type(name) is not str or not name:
            raise ProtocolError(f"mark: expected a mark with a name, came {shown(mark)}")
        return MarkEchoed(name, number(data.get("sequenceNumber", 0), "mark: sequenceNumber"))

    def _on_stop(self, data: Object) -> Stopped:
        if self.state is State.STOPPED:
            raise self._unexpected("stop")
        if self.state is State.STREAMING:
            self._check_streaming("stop", data)
        self._shape = None
        self.state = State.STOPPED  # before start too: the caller may hang up while the stream is being opened
        return Stopped()

    def _check_streaming(self, event: str, data: Object) -> None:
        if self.state is not State.STREAMING:
            raise self._unexpected(event)
        sid = data.get("streamSid")
        if sid != self.stream_sid:
            raise ProtocolError(f"{event}: expected streamSid {self.stream_sid!r}, came {shown(sid)}")

    def _unexpected(self, event: str) -> ProtocolError:
        return ProtocolError(f"expected {self.state.value}, came {event}")

    # --- what goes out --------------------------------------------------------------------------------------

    def media_message(self, payload: bytes) -> str:
        """The message that appends `payload` (mu-law, 8000 Hz, no header) to what the caller hears."""
        if self.state is not State.STREAMING:
            raise self._too_soon("send media")
        if not payload:
            raise ProtocolError("send media: expected at least one byte of audio, came none")
        return f'{self._media_prefix}{b2a_base64(payload, newline=False).decode("ascii")}"}}}}'

    def mark_message(self, name: str) -> str:
        """The message that sets a mark behind all audio sent so far; Twilio echoes `name` when it was played."""
        if self.state is not State.STREAMING:
            raise self._too_soon("send a mark")
        if not name:
            raise ProtocolError("send a mark: expected a name, came an empty one")
        return f'{{"event":"mark","streamSid":{self._sid_json},"mark":{{"name":{json.dumps(name)}}}}}'

    def clear_message(self) -> str:
        """The message that drops all audio not yet played; Twilio echoes every pending mark at once."""
        if self.state is not State.STREAMING:
            raise self._too_soon("send clear")
        return f'{{"event":"clear","streamSid":{self._sid_json}}}'

    def _too_soon(self, what: str) -> ProtocolError:
        have = "the stream has stopped" if self.state is State.STOPPED else f"still expecting {self.state.value}"
        return ProtocolError(f"{what}: expected a started stream, but {have}")


def _decode_slowly(message: str) -> Any:
    try:
        return json.loads(message)  # takes white space in front, which `raw_decode` does not
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ProtocolError(f"expected JSON, came {shown(message)} ({why})") from None


_HANDLERS: Final[dict[str, Callable[[MediaStream, Object], Event | None]]] = {
    "media": MediaStream._on_media,
    "mark": MediaStream._on_mark,
    "dtmf": MediaStream._on_dtmf,
    "connected": MediaStream._on_connected,
    "start": MediaStream._on_start,
    "stop": MediaStream._on_stop,
}
