"""A Pipecat service that runs by itself: no worker and no pipeline around it.

It stands between two taps: frames go in before it, and whatever it sends on or back waits in a queue for whoever asked
it. `setup` connects, a `StartFrame` opens its input, an `EndFrame` lets it finish, `cleanup` gives everything back
(pipecat-ai 1.14, `processors/frame_processor.py`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from types import SimpleNamespace
from typing import Any

from pipecat.frames.frames import CancelFrame, EndFrame, ErrorFrame, Frame, InterruptionFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager

from voiceloop.audio.mulaw import RATE
from voiceloop.errors import ModelError

__all__ = ["Island", "MediaClock", "ServiceFailed"]

MAX_WAITING = 50_000
"""Frames that may wait for a reader. At 20 ms of audio in each they are over 16 minutes."""
_GAP = 1_000_000_000
"""Nanoseconds between the positions of one answer and those of the next."""
_WORKER: Any = SimpleNamespace(app_resources=None, worker_runner=None)
"""What services read of the worker they have not: the resources that they hand to functions."""


class ServiceFailed(ModelError):
    """A Pipecat service reported an error, or did not do what it should."""


class MediaClock:
    """The clock a service is given: it counts the audio that came out, in nanoseconds, and stands still otherwise.

    So the time stamp of a word (`pts`) is its position in the audio. Satisfies pipecat's `BaseClock`.
    """

    def __init__(self) -> None:
        self.began = 0
        """Where the audio of the present answer begins."""
        self._time = 0
        self._latest = 0  # the last time stamp that was used

    def get_time(self) -> int:
        """Nanoseconds."""
        return self._time

    def start(self) -> None:
        """It needs no starting."""

    def begin(self) -> None:
        """An answer begins, behind everything there was."""
        self.began = self._time = max(self._time, self._latest) + _GAP

    def advance(self, seconds: float) -> None:
        """So much of the present answer's audio has come."""
        self._time = max(self._time, self.began + round(seconds * 1e9))

    def seen(self, pts: int) -> None:
        """The service has used this time stamp: the next answer begins behind it."""
        self._latest = max(self._latest, pts)


class Island:
    """Runs one service.

    Args:
        service: a service that is used nowhere else.
    """

    def __init__(self, service: FrameProcessor) -> None:
        self.service = service
        self.clock = MediaClock()
        self.broken = False
        """True once it must not be used again."""
        self._before = FrameProcessor(name="voiceloop, before", enable_direct_mode=True)
        self._behind = FrameProcessor(name="voiceloop, behind", enable_direct_mode=True)
        self._tasks: TaskManager | None = None
        self._frames: deque[Frame | Exception] = deque()
        self._news: asyncio.Future[None] | None = None

    @property
    def name(self) -> str:
        """How errors call it: the class of the service."""
        return type(self.service).__name__

    @property
    def usable(self) -> bool:
        """Whether it may be used again."""
        return not self.broken and bool(self.service.is_usable)

    def tasks(self) -> list[asyncio.Task[Any]]:
        """What the service runs at the moment."""
        return [] if self._tasks is None else list(self._tasks.current_tasks())

    # --- life ---------------------------------------------------------------------------------------------------

    async def open(self, limit: float) -> None:
        """Connect, and wait until the service has started.

        Raises:
            ServiceFailed: it reported an error, or was not ready within `limit` seconds.
        """
        self._tasks = TaskManager()
        clock: Any = self.clock
        setup = FrameProcessorSetup(
            clock=clock,
            task_manager=self._tasks,
            pipeline_worker=_WORKER,
            audio_in_sample_rate=RATE,
            audio_out_sample_rate=RATE,
            enable_usage_metrics=True,
        )
        self._before.link(self.service)
        self.service.link(self._behind)
        for tap in (self._before, self._behind):
            tap.add_event_handler("on_before_process_frame", self._take)
        try:
            async with asyncio.timeout(limit):
                for processor in (self._before, self._behind, self.service):
                    await processor.setup(setup)
                start = StartFrame()
                await self.send(start)
                while await self.next() is not start:
                    pass
        except TimeoutError:
            await self.close(limit, gently=False)
            raise ServiceFailed(f"{self.name} was not ready within {limit:g} s") from None
        except BaseException:
            await self.close(limit, gently=False)
            raise

    async def close(self, limit: float, *, gently: bool = True) -> None:
        """Let the service finish, or stop it, and take back all that it has; every step at most `limit` seconds."""
        self.broken = True
        if self._tasks is None:
            return
        farewell = EndFrame() if gently else CancelFrame()
        await self._within(limit, self._say(farewell, wait=gently))
        processors: tuple[Any, ...] = (self._before, self.service, self._behind)
        for processor in processors:
            await self._within(limit, processor.cleanup())
        await self._within(limit, _close_client(self.service))
        if left := self.tasks():
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=limit)
        self._tasks = None
        self._frames.clear()
        self._tell(ServiceFailed(f"{self.name} was closed"))

    async def _say(self, frame: Frame, *, wait: bool) -> None:
        self.drop()
        await self.send(frame)
        while wait and await self._pop() is not frame:
            pass

    async def _within(self, limit: float, step: Any) -> None:
        """One step of the end: a failure of it must not keep the others from being taken."""
        try:
            async with asyncio.timeout(limit):
                await step
        except Exception:  # the service logs its own failures
            return

    # --- frames -------------------------------------------------------------------------------------------------

    async def send(self, frame: Frame) -> None:
        """Give the service a frame."""
        await self.service.queue_frame(frame, FrameDirection.DOWNSTREAM)

    async def next(self) -> Frame:
        """The next frame of the service.

        Raises:
            ServiceFailed: it reported an error.
        """
        frame = await self._pop()
        if isinstance(frame, ErrorFrame):
            raise ServiceFailed(f"{self.name}: {frame.error}")
        if isinstance(frame, Exception):
            raise frame
        return frame

    def put(self, news: Frame | Exception) -> None:
        """Have `next` return a frame, or raise an error, behind what the service has sent."""
        self._tell(news)

    def drop(self) -> None:
        """Forget what waits."""
        self._frames.clear()

    async def interrupt(self, limit: float) -> bool:
        """Stop what the service is doing. True when it has: nothing of it comes any more."""
        frame = InterruptionFrame()
        try:
            async with asyncio.timeout(limit):
                await self._say(frame, wait=True)
        except TimeoutError:
            return False
        return True

    async def revive(self) -> None:
        """Let a service that gave itself up try again: how often it is asked is decided elsewhere."""
        await self.service.set_usable(True)

    def _take(self, tap: FrameProcessor, frame: Frame) -> None:
        if tap is self._before and not isinstance(frame, ErrorFrame):
            return  # sent both ways: its twin goes on
        if len(self._frames) >= MAX_WAITING:
            self.broken = True
            self._frames.clear()
            self._tell(ServiceFailed(f"{self.name} sent more than {MAX_WAITING} frames that nobody could take"))
        elif not self.broken or isinstance(frame, EndFrame):
            self._tell(frame)

    def _tell(self, news: Frame | Exception) -> None:
        self._frames.append(news)
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _pop(self) -> Frame | Exception:
        while not self._frames:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return self._frames.popleft()


async def _close_client(service: FrameProcessor) -> None:
    """Close the HTTP client that services built on the OpenAI SDK keep open after `cleanup` (1.14)."""
    close = getattr(getattr(service, "_client", None), "close", None)
    if close is not None and inspect.isawaitable(closing := close()):
        await closing
