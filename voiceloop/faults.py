"""What went wrong, as text, and what the call does about it."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import Any

__all__ = ["FaultPolicy", "describe", "drop_frames", "failure_of"]

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


def failure_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What a finished task failed with. Unlike after `task.exception()`, the task keeps no traceback of its own."""
    if task.cancelled():
        return None
    try:
        task.result()
    except BaseException as error:
        return error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)  # without this function
    return None


def drop_frames(error: BaseException | None) -> None:
    """Let go of the frames an exception went through, once it was described.

    A failed task keeps its exception, and some frame in its traceback often knows the task: one of `asyncio.timeout`
    does. Such a circle would keep the call alive until the garbage collector comes.
    """
    todo = [error]
    while todo:
        error = todo.pop()
        if error is not None and error.__traceback__ is not None:
            error.__traceback__ = None
            todo += [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]


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
