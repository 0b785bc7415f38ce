"""What stands in a flight recording: entries, in the order in which things happened. Pure.

An entry is a head and its content. The head: kind (1 byte), a number whose meaning is the kind's (4), the time on the
loop's clock (8, an exact double), the length of the content (4); little-endian. Entries of the kinds in `TURNS` say
that control came into the call from the event loop; those behind one, up to the next, happened in its course.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

__all__ = ["HEAD", "PROBABILITY", "PROVIDERS", "SENT_PLACE", "TURNS", "Entry", "Kind", "entries_of", "failure_text"]

HEAD: Final = struct.Struct("<BIdI")
PROBABILITY: Final = struct.Struct("<d")
"""The begin of the content of a `Kind.JUDGED`."""
SENT_PLACE: Final = struct.Struct("<dI")
"""The content of a `Kind.SENT`."""
PROVIDERS: Final = ("stt", "llm", "tts")
"""Kinds of providers; an entry has the place of one here for its number."""


class Kind(IntEnum):
    """What an entry is about; behind it what its number and its content are."""

    HEADER = 1
    """JSON: the call, its line, its providers."""

    STEP = 2
    """A task goes on; its number."""
    DONE = 3
    """A task is over; its number; how it failed, if it did: the type of the error, a line break, what it said."""
    TIMER = 4
    """A timer fires; its number; its name."""
    MOMENT = 5
    """The life of the call goes on: ``start``, ``end``."""
    API = 6
    """Somebody outside does something to the call; JSON: name, arguments."""

    JUDGED = 7
    """A model of voice activity has judged a window; the number of the stage that waits; a double: how likely it held
    speech, and behind it how that failed, if it did, as in `DONE`."""

    ASK = 19
    """A voice asks for text, at its own pace; the number of its request."""
    TOOK = 18
    """It has got some; likewise."""
    SPAWN = 20
    """A task begins; its number; its name."""
    MEDIA_IN = 21
    """Audio of the caller; its media timestamp in milliseconds; mu-law."""
    OTHER_IN = 22
    """Another message of the carrier; its text."""
    MEDIA_OUT = 23
    """Audio for the caller; mu-law."""
    MARK_OUT = 24
    """A mark; its name."""
    CLEAR_OUT = 25
    """A clear."""
    ITEM = 26
    """A provider gave something; the kind of provider; see `voiceloop.flight.items`."""
    ENDED = 27
    """A provider has given all; the kind of provider; how it failed, as in `DONE`."""
    REQUEST = 28
    """A provider is asked; the kind of provider; the SHA-256 of each part."""
    PART = 29
    """A part of a request that was not seen before: its SHA-256 and what it is, JSON."""
    CANNED = 30
    """A text was looked for that may have been rendered ahead; 1 if it had been; JSON, and audio."""
    VAD = 31
    """How likely each window of audio held speech since the last such entry; doubles, NaN for one that was `JUDGED`
    later. The only entry whose place among the others says nothing."""
    TOOL = 32
    """A tool has given its result; JSON."""
    HAND_OVER = 33
    """The carrier has taken the call away, or not: how that failed, as in `DONE`."""
    AWAITED = 37
    """Something outside that was waited for has come; 1, or 0 where a recording does not say how it failed; how it
    failed, if it did, as in `DONE`."""
    NOTE = 34
    """What an observer saw; JSON."""
    SENT = 35
    """Where audio for the caller belongs; its answer's number; a double and an unsigned: when it will be heard, and
    its first byte within the answer."""
    REPORT = 36
    """JSON: the call's report."""


TURNS: Final = frozenset(
    {Kind.STEP, Kind.DONE, Kind.TIMER, Kind.MOMENT, Kind.API, Kind.JUDGED, Kind.MEDIA_IN, Kind.OTHER_IN}
)
"""Control came into the call."""


@dataclass(slots=True, frozen=True)
class Entry:
    """One of them."""

    kind: Kind
    number: int
    at: float
    """Seconds on the loop's clock."""
    content: bytes

    @property
    def text(self) -> str:
        """The content of an entry that holds text."""
        return self.content.decode("utf-8", "replace")


def failure_text(failure: tuple[str, str] | None) -> bytes:
    """A failure as it stands in an entry: the type of the error, and what that said."""
    return b"" if failure is None else f"{failure[0]}\n{failure[1]}".encode("utf-8", "replace")[:4000]


def entries_of(block: bytes) -> Iterator[Entry]:
    """The entries of a block.

    Raises:
        ValueError: it does not hold whole entries of known kinds.
    """
    place = 0
    while place < len(block):
        if place + HEAD.size > len(block):
            raise ValueError("a block ends in the head of an entry")
        kind, number, at, size = HEAD.unpack_from(block, place)
        place += HEAD.size
        if place + size > len(block):
            raise ValueError("a block ends in the middle of an entry")
        yield Entry(Kind(kind), number, at, block[place : place + size])
        place += size
