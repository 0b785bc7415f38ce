"""The messages of Twilio Media Streams as events, their limits, and the checks that several of them share.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from voiceloop.errors import VoiceloopError

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
    "Object",
    "ProtocolError",
    "Started",
    "Stopped",
    "number",
    "parse_start",
    "shown",
]

MAX_MESSAGE: Final = 256 * 1024
"""Longest message taken, characters. Twilio's own are a few hundred; the bound is against an outsider."""
MAX_PAYLOAD: Final = 64 * 1024
"""Longest audio taken in one message, bytes after base64 (8 s of mu-law)."""
DIGITS: Final = frozenset("0123456789*#ABCD")
"""The keys of a telephone. A frozenset of strings: ``in`` on it never accepts "12" or the empty string."""

_MAX_DIGITS: Final = 18  # of a number: a counter of one call needs 10; more is not a counter

Object: TypeAlias = dict[str, Any]


class ProtocolError(VoiceloopError):
    """A message, or a use of the machine, that the protocol does not allow here."""

    fatal: bool
    """True when the stream cannot go on (no usable ``start`` will come); False when dropping the message is enough."""

    def __init__(self, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


@dataclass(slots=True)
class MediaFormat:
    """How the audio of the stream is coded. Only mu-law, 8000 Hz, one channel is accepted."""

    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8000
    channels: int = 1


@dataclass(slots=True)
class Connected:
    """The WebSocket is Twilio's; ``start`` follows."""


@dataclass(slots=True)
class Started:
    """The stream has begun: from here on audio may flow both ways."""

    stream_sid: str
    call_sid: str
    """Empty when the carrier did not say."""
    account_sid: str
    """Empty when the carrier did not say."""
    tracks: tuple[str, ...] = ("inbound",)
    media_format: MediaFormat = field(default_factory=MediaFormat)
    parameters: dict[str, str] = field(default_factory=dict)
    """The ``<Parameter>`` children of the TwiML: set by whoever wrote it, so input from outside."""


@dataclass(slots=True)
class Media:
    """A piece of the caller's audio."""

    payload: bytes
    """Mu-law, 8000 Hz, mono."""
    timestamp_ms: int
    """When its first sample was spoken, milliseconds on the stream's own clock. The first need not be 0."""
    chunk: int = 0
    """Counts the pieces of the track from 1; 0 when the carrier did not say."""
    sequence: int = 0
    """Counts all messages of the stream from 1; 0 when the carrier did not say."""


@dataclass(slots=True)
class Dtmf:
    """The caller pressed a key: one of `DIGITS`."""

    digit: str
    sequence: int = 0


@dataclass(slots=True)
class MarkEchoed:
    """A mark came back: all before it was played, or flushed by a ``clear``. The wire does not tell which."""

    name: str
    sequence: int = 0


@dataclass(slots=True)
class Stopped:
    """The stream is over; Twilio closes the socket next. A close without it means the same."""


Event: TypeAlias = Connected | Started | Media | Dtmf | MarkEchoed | Stopped


def parse_start(data: Object) -> Started:
    """The ``start`` message, checked. Every refusal is fatal: Twilio sends it once."""

    def refuse(expected: str, came: object) -> ProtocolError:
        return ProtocolError(f"start: expected {expected}, came {shown(came)}", fatal=True)

    start = data.get("start")
    if type(start) is not dict:
        raise refuse('an object in "start"', start)
    sid = start.get("streamSid", data.get("streamSid"))
    if type(sid) is not str or not sid:
        raise refuse("a streamSid", sid)
    if data.get("streamSid", sid) != sid:
        raise refuse(f"the same streamSid twice, {sid!r}", data["streamSid"])
    tracks = start.get("tracks", ["inbound"])
    if type(tracks) is not list:
        raise refuse("a list of tracks", tracks)
    coding = start.get("mediaFormat", {})
    if type(coding) is not dict:
        raise refuse("an object in mediaFormat", coding)
    media_format = MediaFormat(
        _text(coding.get("encoding", "audio/x-mulaw")),
        number(coding.get("sampleRate", 8000), "start: sampleRate", fatal=True),
        number(coding.get("channels", 1), "start: channels", fatal=True),
    )
    if media_format != MediaFormat():
        raise refuse("mediaFormat audio/x-mulaw, 8000 Hz, 1 channel", coding)
    parameters = start.get("customParameters", {})
    if type(parameters) is not dict:
        raise refuse("an object in customParameters", parameters)
    return Started(
        sid,
        _text(start.get("callSid")),
        _text(start.get("accountSid")),
        tuple(track for track in tracks if type(track) is str),
        media_format,
        {name: _text(value) for name, value in parameters.items() if not isinstance(value, list | dict)},
    )


def _text(value: object) -> str:
    """A string, a plain JSON value as it is written, or nothing."""
    if type(value) is str:
        return value
    return "" if value is None or isinstance(value, list | dict) else json.dumps(value)


def number(value: object, what: str, *, fatal: bool = False) -> int:
    """A whole number from 0, as Twilio writes it (a string of digits) or as a JSON number."""
    if type(value) is str:
        # `isdigit` alone takes digits of other scripts, and `int` signs, blanks and underscores.
        if value.isdigit() and value.isascii() and len(value) <= _MAX_DIGITS:
            return int(value)
    elif type(value) is int and 0 <= value < 10**_MAX_DIGITS:
        return value
    raise ProtocolError(f"{what}: expected a whole number from 0, came {shown(value)}", fatal=fatal)


def shown(value: object) -> str:
    """`value` as an error message shows it: what it is, and its beginning when it is long."""
    if value is None:
        return "nothing"
    try:
        text = repr(value[:80] if isinstance(value, str) else value)
    except RecursionError:  # parsed a few frames further up the stack, and just so
        return f"a deeply nested {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}…"
