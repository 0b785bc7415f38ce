"""What Cartesia sends over its socket, read with suspicion. Pure.

The form: https://docs.cartesia.ai/api-reference/tts/websocket. Events of other types, and fields that are not
known, are passed over.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voiceloop.errors import ModelError, quoted
from voiceloop.frames import Word

__all__ = ["MESSAGE_LIMIT", "Event", "Refused", "read_event"]

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of a message. A chunk of a second takes about 11 KB."""
_MOST_WORDS = 2000
"""Words in one event; more are left out."""
_LONGEST_WORD = 200
"""Characters of a word; the rest is left out."""
_LATEST = 3600.0
"""Seconds; a later time is none."""
_TAG = re.compile(r"</?(?:break|spell|emotion|speed|volume)\b[^<>]*>", re.IGNORECASE)


class Refused(ModelError):
    """Cartesia's answer instead of speech, or of a socket."""

    def __init__(self, status: int, code: str = "", said: str = "") -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.code = code
        """Such as ``concurrency_limited``; empty when it gives none."""
        self.said = said
        """What it says about it."""

    @property
    def busy(self) -> bool:
        """Whether it would have taken the request at another time."""
        return self.status == 429

    @property
    def final(self) -> bool:
        """Whether asking again is no use."""
        return 300 <= self.status < 500 and self.status not in (408, 409, 429)


@dataclass(slots=True, frozen=True)
class Event:
    """Something for one context."""

    context: str
    """Empty when it is for none."""
    audio: bytes = b""
    words: tuple[Word, ...] = ()
    """Seconds from the start of the context's audio."""
    done: bool = False
    """Nothing more comes."""
    error: Refused | None = None


def read_event(text: str) -> Event | None:
    """Read a message; None when it is nothing that is used.

    Raises:
        ValueError: it is not of the form that Cartesia's messages have.
    """
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError(f"expected an object, got {quoted(text)!r}")
    kind, context = body.get("type"), body.get("context_id")
    read = _READ.get(kind) if isinstance(kind, str) else None
    return read(context if isinstance(context, str) else "", body) if read else None


def _chunk(context: str, body: dict[str, Any]) -> Event:
    data = body.get("data") or ""
    if not isinstance(data, str):
        raise ValueError(f"expected the data of a chunk as text, got {quoted(str(data))!r}")
    try:
        audio = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected the data of a chunk in base64: {error}") from None
    return Event(context, audio, done=body.get("done") is True)


def _timestamps(context: str, body: dict[str, Any]) -> Event:
    times = body.get("word_timestamps")
    times = times if isinstance(times, dict) else {}
    columns = [times.get(name) for name in ("words", "start", "end")]
    if not all(isinstance(column, list) for column in columns):
        raise ValueError("expected lists of words, start and end in word_timestamps")
    rows = zip(*([column or [] for column in columns]), strict=False)
    words = [word for _, row in zip(range(_MOST_WORDS), rows, strict=False) if (word := _word(*row)) is not None]
    return Event(context, words=tuple(words))


def _word(text: Any, start: Any, end: Any) -> Word | None:
    """A word without Cartesia's tags; None when nothing is left of it."""
    if not isinstance(text, str) or not (_is_time(start) and _is_time(end)):
        raise ValueError(f"expected a word and two times in seconds, got {quoted(str((text, start, end)))}")
    written = _TAG.sub("", text[:_LONGEST_WORD]).strip()
    begin = max(0.0, float(start))
    return Word(written, begin, max(begin, float(end))) if written else None


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value <= _LATEST


def _done(context: str, body: dict[str, Any]) -> Event:
    return Event(context, done=True)


def _error(context: str, body: dict[str, Any]) -> Event:
    """Of either form: since 2026-03-01 with a code, a title and a message, before that with one text."""
    given = body.get("status_code")
    status = given if isinstance(given, int) and not isinstance(given, bool) else 500
    code = body.get("error_code")
    parts = [body.get(name) for name in ("error", "title", "message")]
    said = quoted(": ".join(part for part in parts if isinstance(part, str) and part))
    return Event(context, error=Refused(status, quoted(code) if isinstance(code, str) else "", said))


_READ: dict[str, Callable[[str, dict[str, Any]], Event]] = {
    "chunk": _chunk,
    "timestamps": _timestamps,
    "done": _done,
    "error": _error,
}
