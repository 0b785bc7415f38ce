"""What goes into the tables and what comes out, and its bounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from voiceloop.store.phone_number import same_number
from voiceloop.store.record import CallRecord

__all__ = ["CallSummary", "Deleted", "LiveRow", "fingerprint", "key_of", "row_of"]

_MOST: Final = 500
"""Characters of a column that somebody outside fills; the body holds all of it."""
_LONGEST_KEY: Final = 200


@dataclass(slots=True, frozen=True)
class CallSummary:
    """One line of a list of calls: what is known of a call without reading its record."""

    id: str
    started: float
    """Unix seconds."""
    ended: float
    """Unix seconds."""
    duration: float
    """Seconds."""
    party: str
    """The outside person's number, as `same_number` writes it."""
    caller: str
    number: str
    direction: str
    reason: str
    turns: int
    """How many turns of the caller were answered."""


@dataclass(slots=True, frozen=True)
class LiveRow:
    """The state of a call that is going on, for whoever takes it up when its worker is gone."""

    call_id: str
    worker: str
    """Whose call it is."""
    seq: int
    """Counts the states of one call; a smaller one never replaces a greater one."""
    updated: float
    """Unix seconds."""
    body: str
    """The state: any text."""
    party: str = ""
    """The outside person's number, so that the state goes when the number is deleted."""


@dataclass(slots=True, frozen=True)
class Deleted:
    """What was deleted."""

    records: int
    files: tuple[str, ...] = ()
    """Recordings that the deleted records and states named. They are still there: see `unlink_recordings`."""
    live: int = 0
    """States of calls that were going on."""


def row_of(record: CallRecord) -> dict[str, Any]:
    """A record as the columns of table ``calls``."""
    return {
        "id": key_of(record.id),
        "started": float(record.started),
        "ended": float(record.ended),
        "duration": float(record.duration),
        "party": same_number(record.party),
        "caller": _plain(record.caller),
        "number": _plain(record.number),
        "direction": _plain(record.direction),
        "reason": _plain(record.reason),
        "turns": len(record.turns),
        "recordings": json.dumps(record.recordings) if record.recordings else "",
        "body": record.as_json(),
    }


def key_of(text: str) -> str:
    """An id as a primary key: bounded, and of characters that every database takes."""
    plain = _encodable(text)
    return plain if len(plain) <= _LONGEST_KEY else f"{plain[:130]}…{fingerprint(text)}"


def fingerprint(text: str) -> str:
    """Stands for a text that is not to be kept itself: 64 characters."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _plain(text: str) -> str:
    return _encodable(text)[:_MOST]


def _encodable(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()  # PostgreSQL takes no NUL, UTF-8 no half pairs
