"""What a call may not leave behind and nobody asks for: warnings, errors in destructors, lost exceptions of tasks."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voiceloop.faults import describe

__all__ = ["Noise", "hearing_noise"]


class Noise:
    """What was heard."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        """What kind of thing it was, and what it said."""

    def on_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The exception handler of an event loop."""
        error = context.get("exception")
        line = (
            f"{context.get('message', '')}: {describe(error)[0]}" if error is not None else context.get("message", "")
        )
        self.lines.append(("lost exception", f"{line} {_place(error)}".strip()))

    def _unraisable(self, unraisable: Any) -> None:
        error = unraisable.exc_value
        line = describe(error)[0] if error is not None else "unknown"
        self.lines.append(("unraisable exception", f"{line} in {unraisable.object!r:.100}"))


@contextmanager
def hearing_noise() -> Iterator[Noise]:
    """Listen during the block. What was made in it and can be collected is collected at its end.

    The collector is off in the block: then it has only what is new to look at.
    """
    noise = Noise()
    hook, collecting = sys.unraisablehook, gc.isenabled()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sys.unraisablehook = noise._unraisable
        gc.disable()
        try:
            yield noise
        finally:
            gc.collect(0)
            sys.unraisablehook = hook
            if collecting:
                gc.enable()
    noise.lines += [(f"warning {each.category.__name__}", str(each.message).split("\n")[0][:300]) for each in caught]


def _place(error: BaseException | None) -> str:
    """Where an error was raised, as ``(file:line)``."""
    trace = error.__traceback__ if error is not None else None
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"({trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
