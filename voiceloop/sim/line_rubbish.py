"""Everything an outsider can send on a media stream that Twilio would not, by name. Pure.

A text is sent as a message; bytes are sent as they are, as WebSocket frames or what is to look like them.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from voiceloop.sim.line_frames import BINARY, CONTINUATION, PING, TEXT, client_frame

__all__ = ["FATAL", "RUBBISH", "rubbish"]

_AUDIO: Final = b64encode(b"\xff" * 160).decode()
_HUGE_TEXT: Final = 1_500_000
_HUGE_FRAME: Final = 5_000_000
_DEPTH: Final = 50_000


def _media(sid: str, **fields: Any) -> str:
    media = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": _AUDIO, **fields}
    kept = {name: value for name, value in media.items() if value is not ...}
    return json.dumps({"event": "media", "sequenceNumber": "4", "streamSid": sid, "media": kept})


def _message(event: object, sid: str, body: object) -> str:
    return json.dumps({"event": event, "sequenceNumber": "4", "streamSid": sid, str(event): body})


def _start(sid: str) -> str:
    body = {
        "streamSid": sid,
        "accountSid": "AC" + "9" * 32,
        "callSid": "CA" + "9" * 32,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {},
    }
    return _message("start", sid, body)


def _fragments(sid: str) -> bytes:
    whole = _message("rumour", sid, {}).encode()
    return client_frame(TEXT, whole[:10], final=False) + client_frame(CONTINUATION, whole[10:])


RUBBISH: Final[dict[str, Callable[[str], str | bytes]]] = {
    # No message at all.
    "empty text": lambda sid: "",
    "not json": lambda sid: "hello, is this the agent?",
    "half a message": lambda sid: _media(sid)[:100],
    "two messages in one": lambda sid: _media(sid) * 2,
    "a list": lambda sid: "[1, 2]",
    "a number": lambda sid: "1e999",
    "nested deeply": lambda sid: "[" * _DEPTH + "]" * _DEPTH,
    "huge message": lambda sid: _media(sid, payload="A" * _HUGE_TEXT),
    "binary frame": lambda sid: client_frame(BINARY, b"\xff" * 160),
    # Messages nobody asked for.
    "no event": lambda sid: json.dumps({"streamSid": sid}),
    "event of another type": lambda sid: json.dumps({"event": ["media"], "streamSid": sid}),
    "unknown event": lambda sid: _message("rumour", sid, {"text": "unheard of"}),
    "second connected": lambda sid: '{"event":"connected","protocol":"Call","version":"1.0.0"}',
    "second start": _start,
    "start of another stream": lambda sid: _start("MZ" + "0" * 32),
    "stop of another stream": lambda sid: _message("stop", "MZ" + "0" * 32, {}),
    # Media.
    "media of another stream": lambda sid: _media("MZ" + "0" * 32),
    "media without a body": lambda sid: json.dumps({"event": "media", "streamSid": sid}),
    "outbound track": lambda sid: _media(sid, track="outbound"),
    "track of another type": lambda sid: _media(sid, track=7),
    "no payload": lambda sid: _media(sid, payload=...),
    "empty payload": lambda sid: _media(sid, payload=""),
    "payload of another type": lambda sid: _media(sid, payload=[1, 2]),
    "bad base64": lambda sid: _media(sid, payload="=@%!not base64"),
    "huge payload": lambda sid: _media(sid, payload=b64encode(b"\xff" * 300_000).decode()),
    "no timestamp": lambda sid: _media(sid, timestamp=...),
    "bad timestamp": lambda sid: _media(sid, timestamp="soon"),
    "negative timestamp": lambda sid: _media(sid, timestamp="-20"),
    "endless timestamp": lambda sid: _media(sid, timestamp="9" * 5000),
    "old timestamp": lambda sid: _media(sid, timestamp="0"),
    "far timestamp": lambda sid: _media(sid, timestamp=str(2**53)),
    "bad chunk": lambda sid: _media(sid, chunk={"a": 1}),
    # Keys and marks.
    "two digits": lambda sid: _message("dtmf", sid, {"track": "inbound_track", "digit": "12"}),
    "digit of another type": lambda sid: _message("dtmf", sid, {"digit": None}),
    "no digit": lambda sid: _message("dtmf", sid, {}),
    "digit out of reach": lambda sid: _message("dtmf", sid, {"digit": "🙂"}),
    "mark without a name": lambda sid: _message("mark", sid, {}),
    "mark of another type": lambda sid: _message("mark", sid, "end:1"),
    "mark with a huge name": lambda sid: _message("mark", sid, {"name": "x" * 100_000}),
    # WebSocket, allowed.
    "ping": lambda sid: client_frame(PING, b"anybody?"),
    "fragments": _fragments,
    # WebSocket, not allowed: the other side has to close.
    "huge frame": lambda sid: "x" * _HUGE_FRAME,
    "invalid utf-8": lambda sid: client_frame(TEXT, b'{"event":"\xff\xfe"}'),
    "reserved opcode": lambda sid: client_frame(0x3, b"?"),
    "fragmented ping": lambda sid: client_frame(PING, b"?", final=False),
    "bytes that are no frame": lambda sid: b"\xff" * 64,
}
"""What can be sent: name to a function of the stream's SID."""

FATAL: Final = {
    "huge frame": 1009,
    "invalid utf-8": 1007,
    "reserved opcode": 1002,
    "fragmented ping": 1002,
    "bytes that are no frame": 1002,
}
"""Those after which a WebSocket cannot live on, and the close code they call for (RFC 6455, section 7.4.1)."""


def rubbish(what: str, stream_sid: str) -> str | bytes:
    """One of `RUBBISH`, for a stream."""
    return RUBBISH[what](stream_sid)
