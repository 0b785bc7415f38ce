"""What a recording holds, read back as it was: messages, failures, judgements."""

from __future__ import annotations

import asyncio
import json
from array import array
from binascii import b2a_base64
from collections.abc import Iterator, Sequence

from voiceloop.errors import VoiceloopError
from voiceloop.flight.entries import Entry, Kind

__all__ = ["RecordedFailure", "failure_of_entry", "message_of", "probabilities"]


class RecordedFailure(VoiceloopError):
    """Stands for an error that something outside raised when the call was recorded."""


def probabilities(entries: Sequence[Entry]) -> Iterator[float]:
    """What the model of voice activity said, window by window."""
    for entry in entries:
        if entry.kind is Kind.VAD:
            values = array("d")
            values.frombytes(entry.content)
            yield from values


def message_of(entry: Entry, stream_sid: str) -> str:
    """A message of the carrier as it may have been written."""
    if entry.kind is Kind.OTHER_IN:
        return entry.content.decode("utf-8", "surrogatepass")
    media = {"payload": b2a_base64(entry.content, newline=False).decode(), "timestamp": str(entry.number)}
    return json.dumps({"event": "media", "streamSid": stream_sid, "media": {"track": "inbound", **media}})


def failure_of_entry(entry: Entry) -> Exception:
    """The error that an entry tells of: of the same name, so that it reads the same."""
    name, _, message = entry.text.partition("\n")
    if name == "CancelledError":
        raise asyncio.CancelledError(message)
    builtin = {each.__name__: each for each in (ConnectionError, ConnectionResetError, TimeoutError, OSError)}
    if name in builtin:
        return builtin[name](message)
    made: type[Exception] = type(name, (RecordedFailure,), {})
    return made(message)
