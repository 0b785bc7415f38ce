"""What went wrong, as text, and what the call does about it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

__all__ = ["FaultPolicy", "describe"]

DETAIL_LIMIT = 4000
"""Characters of a traceback that are kept."""


def describe(error: BaseException) -> tuple[str, str]:
    """An exception as one line and as a traceback. Only text is kept: a traceback object holds whole calls alive."""
    try:
        text = str(error)
    except Exception:  # an error that fails to say what it is
        text = ""
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    detail = "".join(traceback.format_exception(error))
    return line.splitlines()[0][:500] if line else "", detail[-DETAIL_LIMIT:]


@dataclass(frozen=True, slots=True)
class FaultPolicy:
    """How many failures a call survives."""

    per_kind: int = 3
    """So many faults of one kind end the call, after a spoken goodbye."""
    in_all: int = 20
    """So many faults of any kind do the same."""

    def ends_call(self, of_kind: int, in_all: int) -> bool:
        """Whether the call must end now, given the counts including the newest fault."""
        return of_kind >= self.per_kind or in_all >= self.in_all
