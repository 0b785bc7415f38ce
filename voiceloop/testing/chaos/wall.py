"""A limit in real time for a call in virtual time: a loop that never ends would hold its process for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Hung", "wall_limit"]

AGAIN = 2.0
"""Seconds after which it is tried again, where the first interruption was swallowed."""


class Hung(KeyboardInterrupt):
    """Raised into a call that takes too long. An event loop lets nothing but an interrupt through."""


@contextmanager
def wall_limit(seconds: float | None) -> Iterator[None]:
    """Raise `Hung` in the block after so many seconds of real time; it says where the process was.

    Nothing happens for None, outside the main thread, and where the system has no such alarm.
    """
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hung(f"still running after {seconds:g} s of real time, {_place(frame)}")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return "nobody knows where"
    code = frame.f_code
    return f"in {code.co_name} ({code.co_filename.rpartition('/')[2]}:{frame.f_lineno})"
