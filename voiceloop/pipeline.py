"""A pipeline: the stages of a call in order, and the life of the call that runs through them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from voiceloop.call import Call
from voiceloop.engine import Engine
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe, drop_frames, failure_of
from voiceloop.frames import CallEnd, CallStart
from voiceloop.language import Language
from voiceloop.languages import language_of
from voiceloop.processor import Processor
from voiceloop.registry import Work
from voiceloop.report import CallReport

__all__ = ["Pipeline", "PipelineError", "pipeline_of"]


class PipelineError(VoiceloopError, TypeError):
    """A pipeline that cannot be built or run as it is."""


class Pipeline:
    """The stages of one call, head first.

    Args:
        stages: processors, providers (each is wrapped in its processor) and pipelines (flattened). The head hears
            the caller; the streamer at the end speaks through it.
        language: what is spoken on the call, a BCP 47 tag or a `Language` of your own. It reaches recogniser and
            voice, and says which of the library's own phrases and cue words are used. A nested pipeline's is ignored.

    Raises:
        PipelineError: something in the list is no stage, or stands in it twice.
        LanguageError: the language is not in the table `LANGUAGES`.
    """

    def __init__(self, stages: Iterable[Any], *, language: str | Language = "en") -> None:
        self.language = language_of(language)
        self.processors: tuple[Processor, ...] = tuple(_flatten(stages))
        if not self.processors:
            raise PipelineError("A pipeline needs at least one processor, got an empty list.")
        seen: set[int] = set()
        for processor in self.processors:
            if id(processor) in seen:
                raise PipelineError(f"{processor.name} stands in the pipeline twice. Build an instance for each place.")
            seen.add(id(processor))

    def __iter__(self) -> Iterator[Processor]:
        return iter(self.processors)

    async def run(self, call: Call) -> CallReport:
        """Run the call to its end. Returns its report; afterwards nothing of it is left on the event loop.

        Raises:
            PipelineError: the pipeline, one of its processors or the call has been run before.
        """
        processors = (*self.processors, *call.observers)
        for processor in processors:
            if processor._index >= 0:
                raise PipelineError(
                    f"{processor.name} belongs to another call already. Build processors inside bot(call): "
                    f"an instance serves one call."
                )
        if call._ended is not None:
            raise PipelineError(f"Call {call.id!r} has been run already. A Call is used once.")
        processors = (*processors, *_journal(call))
        call.language, call.phrases, call.cues = self.language.tag, self.language.phrases, self.language.cues
        if call.journal is not None:
            call.journal.began(call, processors)
        engine = Engine(call, processors)
        engine.observed = len(self.processors)
        life = _Life(call, engine)
        try:
            return await life.run()
        finally:
            life.cut()


async def pipeline_of(bot: Callable[[Call], Pipeline | Awaitable[Pipeline]], call: Call) -> Pipeline:
    """What a bot, sync or async, makes of a call.

    Raises:
        PipelineError: it returned something else.
        TimeoutError: an async bot took longer than `Limits.start`.
    """
    made = bot(call)
    if inspect.isawaitable(made):
        async with asyncio.timeout(call.runtime.limits.start):
            made = await made
    if not isinstance(made, Pipeline):
        raise PipelineError(f"bot(call) must return a Pipeline, got {type(made).__name__}")
    return made


def _journal(call: Call) -> tuple[Processor, ...]:
    """Open the call's journal, if it is to have one; the processors that stand behind the pipeline for it."""
    if call.journal is None:
        call.journal = call.runtime.journal(call)
    return () if call.journal is None else tuple(call.journal.observers())


def _flatten(stages: Iterable[Any]) -> Iterator[Processor]:
    for stage in stages:
        if isinstance(stage, Processor):
            yield stage
        elif isinstance(stage, Pipeline):
            yield from stage.processors
        elif not isinstance(stage, type) and callable(make := getattr(stage, "processor", None)):
            yield make()
        else:
            what = stage.__qualname__ if isinstance(stage, type) else repr(stage)
            hint = f" Did you mean {what}()?" if isinstance(stage, type) else ""
            raise PipelineError(f"A pipeline takes processors, providers and pipelines, got {what}.{hint}")


class _Life:
    """Start, run, end: each step bounded."""

    def __init__(self, call: Call, engine: Engine) -> None:
        self.call = call
        self.engine = engine
        self.limits = call.runtime.limits
        self.entered: set[int] = set()
        """Indices of the processors whose `start` was entered."""
        call._engine = engine
        call._ended = engine.loop.create_future()
        call._now = call._record.started = engine.time()
        if call.ending is not None:  # given up before it began
            call.end(call.ending)

    async def run(self) -> CallReport:
        call = self.call
        assert call._ended is not None
        try:
            if await self._start():
                await self._moment("start", lambda: call.broadcast(CallStart()))
            await call._ended
        except BaseException as error:
            call.end("cancelled" if isinstance(error, asyncio.CancelledError) else "failed")
            await self._close()
            raise
        return await self._close()

    async def _start(self) -> bool:
        """Enter every `start`; False when the call ended meanwhile."""
        call = self.call
        assert call._ended is not None
        if call._ended.done():
            return False
        works: list[Work] = []
        for processor in self.engine.processors:
            if type(processor).start is Processor.start:
                self.entered.add(processor._index)
                continue
            name = f"{processor.name}.start"
            coroutine = self._enter(processor)
            works.append(
                self.engine.spawn(coroutine, name, origin=processor._index, kept=True, on_done=self._start_done)
            )
        tasks = [work.task for work in works if work.task is not None]
        if tasks:
            started = asyncio.gather(*tasks, return_exceptions=True)
            ended: set[asyncio.Future[Any]] = {started, call._ended}
            await asyncio.wait(ended, timeout=self.limits.start, return_when=asyncio.FIRST_COMPLETED)
            if not started.done() and not call._ended.done():
                slow = ", ".join(work.name for work in works if work.task is not None and not work.task.done())
                late = f"not started after {self.limits.start:g} s: {slow}. The call goes on."
                await self._moment("slow start", lambda: call.fault("start.slow", late))
        return not call._ended.done()

    async def _enter(self, processor: Processor) -> None:
        self.entered.add(processor._index)
        await processor.start()

    def _start_done(self, work: Work) -> None:
        failed = work.failure is not None or work.cancelled
        if work.cancelled and not self.engine.closed:
            self.call.fault(work.name, "cancelled from within: something it awaited was cancelled")
        self.engine.work_ended(work, None)
        if failed and not self.engine.closed:
            self.call.fail()

    async def _close(self) -> CallReport:
        """The end, which a cancellation of our own task must not cut short."""
        closing = asyncio.ensure_future(self._closing())
        cancelled = False
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
        return closing.result()

    async def _moment(self, name: str, act: Callable[[], None]) -> None:
        """Act on the call; its journal, if it has one, says when."""
        if self.call.journal is None:
            act()
        else:
            await self.call.journal.moment(name, act)

    def _say_goodbye(self) -> None:
        call, engine = self.call, self.engine
        call.wake("end", call.ending or "")
        engine.dispatch(CallEnd(call.ending or "completed"), engine.head)
        for answer in list(engine.answers):
            engine.end(answer, "interrupted" if "played" in answer.milestones else "discarded")
        call._record.ending(call.ending or "completed")

    async def _closing(self) -> CallReport:
        call, engine = self.call, self.engine
        await self._moment("end", self._say_goodbye)
        abandoned = await engine.close(self.limits.close)
        for processor in reversed(engine.processors):
            if processor._index not in self.entered:
                continue
            if type(processor).stop is not Processor.stop:
                await self._stop(processor, abandoned)
        call._now = engine.time()
        for name in abandoned:
            call.note_fault("abandoned", f"{name} did not end within {self.limits.close:g} s of being cancelled.")
        engine.end_all()
        report = call._report(abandoned)
        if call.journal is not None:
            call.journal.close(report)
        return report

    async def _stop(self, processor: Processor, abandoned: list[str]) -> None:
        name = f"{processor.name}.stop"
        task = asyncio.ensure_future(processor.stop())
        task.add_done_callback(_seen)
        await asyncio.wait([task], timeout=self.limits.stop)
        if not task.done():
            self.call.note_fault(name, f"did not return within {self.limits.stop:g} s and was cancelled")
            task.cancel()
            await asyncio.wait([task], timeout=self.limits.close)
        if not task.done():
            abandoned.append(name)
        elif (error := failure_of(task)) is not None:
            self.call.note_fault(name, *describe(error))
            drop_frames(error)

    def cut(self) -> None:
        self.engine.cut()
        self.call._cut()


def _seen(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
