"""The tick on which windows of all calls are judged: one timer, and one run of the model for many lines.

A run of a neural model for 64 lines costs a fifth of 64 runs for one. So windows wait, for 10 ms at most: until the
loop's clock is at the next multiple of that, which is the same for all calls. There is no timer while none waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from itertools import islice
from math import ceil
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

from voiceloop.errors import ModelError
from voiceloop.faults import describe
from voiceloop.journal import Judged
from voiceloop.vad.base import SharedLine, SharedModel

__all__ = ["Seat", "VADTick"]

log = logging.getLogger("voiceloop.vad")

TICK: Final = 0.01
"""Seconds between two ticks."""
MOST: Final = 256
"""Windows that are judged in one run: Silero takes 2 to 3 ms for them, in which nothing else can happen. If more wait,
all else that is ready comes in between."""
SHARE: Final = 4
"""Of the windows that wait, one in so many is judged before anything else comes in between. So a loop of long turns,
each of which brings several windows of a line, lags behind by some turns and no more, and makes up for it soon."""
_HAIR: Final = 1e-6  # seconds: what is handed in so soon behind a tick's time is judged at that time


class Seat:
    """The place of one call at a tick. Get it by `VADTick.join`."""

    __slots__ = ("_context", "_take", "_tick", "windows")

    def __init__(self, tick: VADTick, take: Judged) -> None:
        self._tick: VADTick | None = tick
        self._take: Judged | None = take
        self._context: Context | None = copy_context()  # of the call: what comes of a word is about it
        self.windows: deque[tuple[SharedLine, bytes]] = deque()
        """Those that wait, in order."""

    def hear(self, line: SharedLine, window: bytes) -> None:
        """Have a window judged at the next tick. The word is given in the order of windows."""
        if self._tick is not None:
            self.windows.append((line, window))
            if len(self.windows) == 1:
                self._tick._wait(self)

    def leave(self) -> None:
        """Nobody wants to know any more. Harmless when said twice."""
        tick, self._tick, self._take, self._context = self._tick, None, None, None
        self.windows.clear()
        if tick is not None:
            tick._leave(self)

    def _tell(self, word: float | Exception) -> None:
        take, context = self._take, self._context
        if take is None or context is None:  # the call ended meanwhile
            return
        try:
            if isinstance(word, Exception):
                context.run(take, float("nan"), word)
            else:
                context.run(take, word, None)
        except Exception as error:  # of one call: it is nothing to the others
            context.run(log.error, "a call cannot take what was heard: %s", describe(error)[0])


class VADTick:
    """Judges windows for all calls of an event loop that run models of one kind."""

    _ticks: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, VADTick]]] = WeakKeyDictionary()

    def __init__(self, model: SharedModel, home: dict[object, VADTick]) -> None:
        self._model = model
        self._home = home  # the ticks of its loop
        self._seats = 0
        self._waiting: dict[Seat, None] = {}  # those with windows, the one that waits longest first
        self._handle: asyncio.Handle | None = None
        self._context = Context()  # of no call: else what comes of all would be put down to whose window came first
        self._complained = False

    @classmethod
    def join(cls, model: SharedModel, take: Judged) -> Seat:
        """Take a place at the tick of the running loop, until `Seat.leave`."""
        ticks = cls._ticks.setdefault(asyncio.get_running_loop(), {})
        tick = ticks.get(model.shared)
        if tick is None:
            tick = ticks[model.shared] = cls(model, ticks)
        tick._seats += 1
        return Seat(tick, take)

    def _leave(self, seat: Seat) -> None:
        self._waiting.pop(seat, None)
        self._seats -= 1
        if not self._waiting and self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if not self._seats:
            del self._home[self._model.shared]  # no look at other loops: they may run in other threads

    def _wait(self, seat: Seat) -> None:
        self._waiting[seat] = None
        if self._handle is None:
            loop = asyncio.get_running_loop()
            due = ceil((loop.time() - _HAIR) / TICK) * TICK
            self._handle = loop.call_at(due, self._run, loop, context=self._context)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Judge a window of each line, or of as many as go into one run; and more, where many wait."""
        self._handle = None
        least = sum(len(seat.windows) for seat in self._waiting) // SHARE
        while self._waiting:
            judged, more = self._judge_some(loop)
            least -= judged
            if least <= 0 or not more:
                break

    def _judge_some(self, loop: asyncio.AbstractEventLoop) -> tuple[int, bool]:
        """Judge a window of each line, or of as many as go into one run: how many, and whether others were left."""
        waiting = self._waiting
        count = len(waiting)
        seats = list(islice(waiting, ceil(count / ceil(count / MOST))))
        judged = []
        for seat in seats:
            del waiting[seat]
            judged.append(seat.windows.popleft())
            if seat.windows:
                waiting[seat] = None  # behind the others
        # What is left has waited for its time: no tick is waited for again.
        if waiting and self._handle is None:
            self._handle = loop.call_soon(self._run, loop, context=self._context)
        elif not waiting and self._handle is not None:
            self._handle.cancel()
            self._handle = None
        left = bool(waiting)
        words = self._judge([line for line, _ in judged], [window for _, window in judged])
        for seat, word in zip(seats, words, strict=True):
            seat._tell(word)
        return len(seats), left

    def _judge(self, lines: Sequence[SharedLine], windows: Sequence[bytes]) -> Sequence[float | Exception]:
        try:
            words = self._model.probabilities(lines, windows)
            if len(words) != len(lines):
                raise ValueError(f"expected a probability for each of {len(lines)} lines, got {len(words)}")
            return words
        except (Exception, asyncio.CancelledError) as error:
            if not self._complained:
                self._complained = True
                log.warning(
                    "%s.probabilities failed for %d lines, each is judged alone: %s",
                    type(self._model).__name__,
                    len(lines),
                    describe(error)[0],
                )
        return [_alone(line, window) for line, window in zip(lines, windows, strict=True)]


def _alone(line: SharedLine, window: bytes) -> float | Exception:
    try:
        return line.probability(window)
    except Exception as error:
        return error
    except asyncio.CancelledError as error:  # nobody can have cancelled this
        return ModelError(describe(error)[0])
