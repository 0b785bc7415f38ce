"""Which call a line of the log is about: known to every task of the call without being told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["CALL", "logged_as"]

CALL: Final[ContextVar[str]] = ContextVar("voiceloop call", default="")
"""The id of the call that runs here; empty outside of calls. Tasks and timers inherit it from whoever makes them, so
what many calls share must be made in a context of its own: ``loop.create_task(…, context=Context())``."""


@contextmanager
def logged_as(call_id: str) -> Iterator[None]:
    """Lines that are logged within are about this call."""
    token = CALL.set(call_id)
    try:
        yield
    finally:
        CALL.reset(token)
