"""Builds the pipeline of a bot once, without starting anything of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from voiceloop.call import Call
from voiceloop.pipeline import Pipeline, pipeline_of
from voiceloop.processor import Processor
from voiceloop.rehearsal import REHEARSAL
from voiceloop.runtime import Runtime

__all__ = ["build"]


class _Nobody(Processor):
    """A line on which nothing is ever sent: the call does not begin."""


async def build(bot: Callable[[Call], Pipeline | Awaitable[Pipeline]], runtime: Runtime) -> None:
    """Have ``bot(call)`` make its pipeline, with ``call.id == "rehearsal"``. No provider is asked for anything.

    Raises: what the bot raises; `voiceloop.pipeline.PipelineError` when it gives no pipeline.
    """
    await pipeline_of(bot, Call(_Nobody(), id=REHEARSAL, runtime=runtime))
