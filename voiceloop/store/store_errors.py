"""What goes wrong with a store, and how it is told: never with a password, never with what people said."""

from __future__ import annotations

from typing import Any, Final

from voiceloop.errors import VoiceloopError, quoted

__all__ = ["RecordRefused", "StoreError", "reason_of"]

_MESSAGE: Final = "M"
"""Of a PostgreSQL error's fields, the one that may be shown: ``D``, the detail, quotes rows."""
_CODE: Final = "C"
_DATA: Final = ("22", "23")
"""Classes of SQLSTATE that a record is to blame for: data exception, integrity constraint violation."""


class StoreError(VoiceloopError):
    """The database of calls cannot be used as it is named, or not now. The same may work later."""


class RecordRefused(StoreError):
    """The database will not take this record, now or later. Nothing of the same `Database.write` was written."""


def reason_of(error: BaseException) -> tuple[str, bool]:
    """What a driver's error says in one line, and whether the data is to blame.

    Args:
        error: of SQLAlchemy, of a driver or of the operating system.
    """
    origin: Any = getattr(error, "orig", None) or error
    first = origin.args[0] if getattr(origin, "args", ()) else ""
    if isinstance(first, dict):  # pg8000: the fields of the server's message
        return quoted(str(first.get(_MESSAGE, "no reason given"))), str(first.get(_CODE, "")).startswith(_DATA)
    state = str(getattr(origin, "sqlstate", None) or "")  # psycopg
    data = state.startswith(_DATA) or type(error).__name__ in ("DataError", "IntegrityError", "StatementError")
    lines = str(origin).splitlines() or [""]
    cause = origin.__cause__
    beneath = f": {cause}" if isinstance(cause, OSError) else ""
    return quoted(f"{type(origin).__name__}: {lines[0]}{beneath}"), data
