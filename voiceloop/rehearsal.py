"""A rehearsal: everything a call needs before it can begin, done before the first caller waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from voiceloop.call import Call
from voiceloop.frames import CallStart
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime

__all__ = ["REHEARSAL", "rehearse"]

REHEARSAL = "rehearsal"
"""The id, and the end's reason, of a call that is none."""
PATIENCE = 600.0
"""Seconds that models may take to be fetched and loaded."""


class _Silence(Processor):
    """A line with nobody on it."""

    def on_call_start(self, start: CallStart) -> None:
        self.call.end(REHEARSAL)

    def send_media(self, payload: bytes) -> None:
        """Nobody hears it."""

    def send_mark(self, name: str) -> None:
        """Nobody echoes it."""

    def send_clear(self) -> None:
        """There is nothing to clear."""


async def rehearse(bot: Callable[[Call], Pipeline | Awaitable[Pipeline]], runtime: Runtime) -> CallReport:
    """Start a bot's pipeline without a caller and end it: models are loaded, prompts read, the greeting is rendered.

    ``bot(call)`` is called as for any call, with ``call.id == "rehearsal"``; what it raises is raised here. What fails
    after that is in the report's faults.
    """
    patient = replace(runtime, limits=replace(runtime.limits, start=PATIENCE))
    patient.share(runtime)
    call = Call(_Silence(), id=REHEARSAL, runtime=patient)
    return await (await pipeline_of(bot, call)).run(call)
