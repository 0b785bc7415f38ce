"""Twilio Media Streams, the carrier's side: builds what Twilio sends, and takes what an agent sends as Twilio does.

The other half of `voiceloop.twilio.protocol`, for simulators and tests. Pure: no I/O, no clock, no asyncio.

Twilio never ends a stream over a message it does not understand: it drops the message and reports a warning, once
per stream: 31950 for a binary frame, 31951 for anything that is not exactly one of the three messages.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages,
https://www.twilio.com/docs/api/errors/31950 and 31951
"""

from __future__ import annotations

import enum
import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from voiceloop.twilio.messages import DIGITS, ProtocolError, shown

__all__ = ["CarrierState", "CarrierStream", "ClearBuffer", "PlayAudio", "Request", "SetMark"]

BINARY: Final = 31950
"""Warning: a frame that is not text."""
NOT_COMPLIANT: Final = 31951
"""Warning: a text that is not exactly a media, mark or clear message of this stream."""

# Audio that is itself base64 text: the payload was encoded twice. Real mu-law has no run of this length inside the
# alphabet (it would be one slow swing to one side); shorter pieces are given the benefit of the doubt.
_TWICE: Final = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")

_decode: Final = json.JSONDecoder().raw_decode


class CarrierState(enum.Enum):
    """Where the carrier's half is. The value is what may be sent next, in words."""

    NEW = "connected"
    CONNECTED = "start"
    STREAMING = "media, dtmf, mark or stop"
    STOPPED = "nothing: the stream has stopped"


@dataclass(slots=True)
class PlayAudio:
    """The agent sends audio: append it to the playback buffer."""

    payload: bytes
    """Mu-law, 8000 Hz, mono; at least one byte."""


@dataclass(slots=True)
class SetMark:
    """The agent sets a mark behind all audio sent so far."""

    name: str


@dataclass(slots=True)
class ClearBuffer:
    """The agent takes back all audio not yet played."""


Request: TypeAlias = PlayAudio | SetMark | ClearBuffer


class CarrierStream:
    """The carrier's half of one media stream: send what the builders return, `receive` what the agent sends."""

    __slots__ = ("_sequence", "_tail", "account_sid", "call_sid", "chunk", "dropped", "state", "stream_sid", "warnings")

    def __init__(self, stream_sid: str, call_sid: str, account_sid: str) -> None:
        self.stream_sid = stream_sid
        self.call_sid = call_sid
        self.account_sid = account_sid
        self.state = CarrierState.NEW
        self.chunk = 0
        """Number of the last media message, from 1."""
        self.dropped = 0
        """Messages of the agent that were dropped."""
        self.warnings: dict[int, str] = {}
        """What Twilio's debugger would show: code to the first occurrence, in words."""
        self._sequence = 0
        self._tail = f',"streamSid":{json.dumps(stream_sid)}'

    # --- what the carrier sends -----------------------------------------------------------------------------

    def connected(self) -> str:
        """The first message on the socket."""
        self._require(CarrierState.NEW, "connected")
        self.state = CarrierState.CONNECTED
        return '{"event":"connected","protocol":"Call","version":"1.0.0"}'

    def start(self, parameters: Mapping[str, str] | None = None) -> str:
        """The second message: ids, the media format, and the custom parameters of the TwiML."""
        self._require(CarrierState.CONNECTED, "start")
        self.state = CarrierState.STREAMING
        start = {
            "streamSid": self.stream_sid,
            "accountSid": self.account_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": dict(parameters or {}),
        }
        return self._message("start", json.dumps(start, separators=(",", ":")))

    def media(self, payload: bytes, timestamp_ms: int) -> str:
        """A piece of the caller's audio; `timestamp_ms` is when its first sample was spoken, on the stream's clock."""
        self._require(CarrierState.STREAMING, "media")
        self.chunk += 1
        text = b2a_base64(payload, newline=False).decode("ascii")
        return self._message(
            "media",
            f'{{"track":"inbound","chunk":"{self.chunk}","timestamp":"{timestamp_ms}","payload":"{text}"}}',
        )

    def dtmf(self, digit: str) -> str:
        """A key the caller pressed."""
        self._require(CarrierState.STREAMING, "dtmf")
        if digit not in DIGITS:
            raise ProtocolError(f"send dtmf: expected one digit of 0-9 * # A-D, came {shown(digit)}")
        return self._message("dtmf", f'{{"track":"inbound_track","digit":"{digit}"}}')

    def mark(self, name: str) -> str:
        """The echo of a mark."""
        self._require(CarrierState.STREAMING, "mark")
        return self._message("mark", f'{{"name":{json.dumps(name)}}}')

    def stop(self) -> str:
        """The last message; the carrier closes the socket next."""
        self._require(CarrierState.STREAMING, "stop")
        text = self._message("stop", json.dumps({"accountSid": self.account_sid, "callSid": self.call_sid}))
        self.state = CarrierState.STOPPED
        return text

    def _message(self, event: str, body: str) -> str:
        self._sequence += 1
        return f'{{"event":"{event}","sequenceNumber":"{self._sequence}"{self._tail},"{event}":{body}}}'

    def _require(self, state: CarrierState, what: str) -> None:
        if self.state is not state:
            raise ProtocolError(f"send {what}: the stream expects to send {self.state.value}")

    # --- what the agent sends -------------------------------------------------------------------------------

    def receive(self, message: str | bytes) -> Request | None:
        """What the agent asks for, or None when the message was dropped with a warning. Never raises."""
        if not isinstance(message, str):
            self._warn(BINARY, f"expected a text frame, came a binary frame of {len(message)} bytes")
            return None
        try:
            return self._read(message)
        except ProtocolError as error:
            self._warn(NOT_COMPLIANT, str(error))
            return None

    def _warn(self, code: int, what: str) -> None:
        self.dropped += 1
        self.warnings.setdefault(code, what)

    def _read(self, message: str) -> Request:
        try:
            data, end = _decode(message)
            if end != len(message):
                data = json.loads(message)
        except (ValueError, RecursionError):
            raise ProtocolError(f"expected JSON, came {shown(message)}") from None
        if type(data) is not dict:
            raise ProtocolError(f"expected a JSON object, came {shown(data)}")
        if data.get("streamSid") != self.stream_sid:
            raise ProtocolError(f"expected streamSid {self.stream_sid!r}, came {shown(data.get('streamSid'))}")
        event = data.get("event")
        if event == "clear":
            _check_fields("clear", data, {"event", "streamSid"})
            return ClearBuffer()
        if event != "media" and event != "mark":
            raise ProtocolError(f"expected event media, mark or clear, came {shown(event)}")
        _check_fields(event, data, {"event", "streamSid", event})
        body = data[event]
        if type(body) is not dict:
            raise ProtocolError(f'{event}: expected an object in "{event}", came {shown(body)}')
        return _play_audio(body) if event == "media" else _set_mark(body)


def _check_fields(where: str, data: dict[str, Any], expected: set[str]) -> None:
    if data.keys() != expected:
        raise ProtocolError(f"{where}: expected the fields {sorted(expected)}, came {shown(sorted(data))}")


def _play_audio(body: dict[str, Any]) -> PlayAudio:
    _check_fields("media", body, {"payload"})
    text = body["payload"]
    try:
        payload = a2b_base64(text, strict_mode=True) if type(text) is str else b""
    except (Base64Error, ValueError):
        payload = b""
    if not payload:
        raise ProtocolError(f"media: expected base64 of audio, came {shown(text)}")
    if _TWICE.fullmatch(payload):
        raise ProtocolError(f"media: expected base64 of audio, came base64 of base64, {shown(text)}")
    return PlayAudio(payload)


def _set_mark(body: dict[str, Any]) -> SetMark:
    _check_fields("mark", body, {"name"})
    name = body["name"]
    if type(name) is not str or not name:
        raise ProtocolError(f"mark: expected a name, came {shown(name)}")
    return SetMark(name)
