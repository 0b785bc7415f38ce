"""The caller's audio read without parsing JSON: the messages of one stream differ in four values only.

Fifty times a second and call the same text comes, with other numbers and other audio. From one message that the full
parser has read, `shape_of` learns the text around those values; `MediaShape.read` takes the values out of every later
message that has exactly that text. It takes half as long, and gives the same event: the values are digits and base64,
which hold no quote and no backslash, so whatever they are the JSON around them means the same. Anything else is left to
the full parser, whatever is wrong with it.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from voiceloop.twilio.messages import Media, ProtocolError

__all__ = ["MediaShape", "shape_of"]

MOST_BASE64: Final = 4096
"""Characters of audio, about 400 ms, beyond which a message is left to the full parser and its limits."""
_MOST_AROUND: Final = 1024
"""Characters around the values; Twilio writes about 150."""
_SLOT: Final = re.compile(r'"(sequenceNumber|chunk|timestamp|payload)"\s*:\s*"([^"\\]*)"')
_NUMBER: Final = "[0-9]{1,18}"
_PROBES: Final = (("1", "2", "3", "AAAA"), ("4", "5", "6", "BBBB"))
_ID: Final = "\0"
"""Stands for the stream's id; no JSON text holds this character."""
_FIELDS: Final = ("sequenceNumber", "chunk", "timestamp", "payload")


class MediaShape:
    """The text around the values of a stream's media messages. Made by `shape_of`."""

    __slots__ = ("_after", "_after_size", "_groups", "_match", "_sid")

    def __init__(self, front: re.Pattern[str], sid: str, after: str) -> None:
        self._match = front.match
        self._groups = tuple(front.groupindex[name] for name in ("sequence", "chunk", "timestamp", "sid"))
        self._sid = sid
        """The stream's id when it stands in front of the audio, else empty."""
        self._after = after
        self._after_size = len(after)

    def read(self, message: str) -> Media | None:
        """What a message says, exactly as the full parser; None: ask that."""
        found = self._match(message)
        if found is None or not message.endswith(self._after):
            return None
        sequence, chunk, timestamp, sid = found.group(*self._groups)
        text = message[found.end() : -self._after_size]
        if sid != self._sid or not text or len(text) > MOST_BASE64:
            return None
        try:
            payload = a2b_base64(text, strict_mode=True)
        except (Base64Error, ValueError):
            return None  # the full parser says what is wrong
        return Media(payload, int(timestamp), int(chunk), int(sequence)) if payload else None


def shape_of(message: str, sid: str, read: Callable[[str], object]) -> MediaShape | None:
    """The shape of a media message; None when it is none that `MediaShape` knows to read.

    Args:
        message: as the carrier wrote it.
        sid: of its stream.
        read: the full parser, without side effects. It is asked what messages of this shape say.
    """
    if len(message) > _MOST_AROUND + MOST_BASE64:
        return None
    slots = list(_SLOT.finditer(message))
    # The payload comes last: so the numbers are found without a look at the audio.
    if tuple(slot[1] for slot in slots) != _FIELDS:
        return None
    edges = [0, *(edge for slot in slots for edge in slot.span(2)), len(message)]
    *front, after = (message[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True))
    if len(after) + sum(map(len, front)) > _MOST_AROUND:
        return None
    for values in _PROBES:  # two: what always is the same can be right by chance only once
        sequence, chunk, timestamp, payload = values
        probe = "".join(text + value for text, value in zip(front, values, strict=True)) + after
        try:
            if read(probe) != Media(a2b_base64(payload), int(timestamp), int(chunk), int(sequence)):
                return None
        except ProtocolError:
            return None
    quoted = f'"{sid}"'
    if sid.isascii() and sid.isalnum() and sum(text.count(quoted) for text in front) == 1:
        # Without the id all streams share one pattern: to compile one takes as long as to read 200 messages.
        return MediaShape(_pattern(tuple(text.replace(quoted, f'"{_ID}"') for text in front)), sid, after)
    return MediaShape(_pattern(tuple(front)), "", after)


@lru_cache(maxsize=16)
def _pattern(front: tuple[str, ...]) -> re.Pattern[str]:
    """What stands in front of the audio, given the texts in front of each value."""
    *texts, payload = (re.escape(text) for text in front)
    values = zip(texts, ("sequence", "chunk", "timestamp"), strict=True)
    pattern = "".join(f"{text}(?P<{name}>{_NUMBER})" for text, name in values) + payload
    return re.compile(pattern.replace(_ID, "(?P<sid>[0-9A-Za-z]+)", 1) if _ID in pattern else f"(?P<sid>){pattern}")
