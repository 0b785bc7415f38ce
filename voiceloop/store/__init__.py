"""What is kept of calls: one record for each, in SQLite or PostgreSQL.

`record` is the record and its JSON; `database` the tables: it needs SQLAlchemy, and none of the names here does.
"""

from __future__ import annotations

from typing import Final

from voiceloop.store.phone_number import same_number
from voiceloop.store.record import CallRecord, RecordError, record_of
from voiceloop.store.recording_files import Unlinked, unlink_recordings
from voiceloop.store.rows import CallSummary, Deleted, LiveRow
from voiceloop.store.store_errors import RecordRefused, StoreError

__all__ = [
    "DEFAULT_STORE",
    "STORE_VARIABLE",
    "CallRecord",
    "CallSummary",
    "Deleted",
    "LiveRow",
    "RecordError",
    "RecordRefused",
    "StoreError",
    "Unlinked",
    "record_of",
    "same_number",
    "unlink_recordings",
]

DEFAULT_STORE: Final = "sqlite:///voiceloop-calls.db"
"""The database when none is named: a file in the current folder."""
STORE_VARIABLE: Final = "VOICELOOP_STORE"
"""The environment variable that names another."""
