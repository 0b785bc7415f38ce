"""Calls that come back: a line was lost, Twilio asks again, and the agent goes on where it was."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from voiceloop.carried import Carried
from voiceloop.cut_off import settled
from voiceloop.leaving import LOST

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.report import CallReport

__all__ = ["LOST", "Fate", "Keeper", "Returns"]

_REMEMBERED: Final = 10_000
"""Ended calls that are remembered."""
_WAIT: Final = 60.0
"""Seconds that the memory of a call that has lost its line waits for it."""

Fate = Literal["ended", "lost", "unknown"]
"""What became of a call: it is over for good; it has lost its line, or is about to; nothing is known of it."""


class Keeper(Protocol):
    """Who remembers calls beyond their lines: `Returns` in this process, `voiceloop.store.keeper` beyond it."""

    def began(self, call: Call) -> None:
        """A call begins."""

    async def fate(self, call_sid: str) -> Fate:
        """What became of a call that asks what to do again."""

    async def take_up(self, call_sid: str) -> Carried | None:
        """What was said on a call so far, for it to go on with. Whoever asks first gets it; one that is on another line
        of this process loses that. None when nothing is known."""

    def over(self, call_sid: str) -> None:
        """Twilio says that the call has ended."""


class Returns:
    """Remembers calls in this process alone: enough for a line that breaks, not for a process that dies."""

    def __init__(self) -> None:
        self._live: dict[str, tuple[Call, asyncio.Future[None]]] = {}
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._lost: OrderedDict[str, tuple[float, Carried]] = OrderedDict()

    def began(self, call: Call) -> None:
        """A call begins."""
        if not call.id:
            return
        over = asyncio.get_running_loop().create_future()
        self._live[call.id] = call, over
        call.on_end(partial(self._report, call, over, call.carried))

    def _report(self, call: Call, over: asyncio.Future[None], before: Carried | None, report: CallReport) -> None:
        now = asyncio.get_running_loop().time()
        live = self._live.get(call.id)
        newest = live is not None and live[0] is call
        if newest:
            del self._live[call.id]
        if report.reason in LOST:
            if newest:
                self._lost[call.id] = now + _WAIT, _of(call, report, (before.streams if before else 0) + 1)
        else:
            self._lost.pop(call.id, None)
            self._ended[call.id] = now
        if not over.done():
            over.set_result(None)
        self._forget(now)

    async def fate(self, call_sid: str) -> Fate:
        """What became of a call that asks what to do again."""
        if call_sid in self._live:
            call, _ = self._live[call_sid]
            return "ended" if call.done and call.ending not in LOST else "lost"
        if call_sid in self._lost:
            return "lost"
        return "ended" if call_sid in self._ended else "unknown"

    async def take_up(self, call_sid: str) -> Carried | None:
        """What was said on a call so far; a line that it is still on is given up."""
        live = self._live.get(call_sid)
        if live is not None:
            live[0].end("replaced")
            await live[1]
        _, carried = self._lost.pop(call_sid, (0.0, None))
        return carried

    def over(self, call_sid: str) -> None:
        """Twilio says that the call has ended."""
        self._lost.pop(call_sid, None)

    def _forget(self, now: float) -> None:
        while self._lost and next(iter(self._lost.values()))[0] < now:
            self._lost.popitem(last=False)
        while len(self._lost) > _REMEMBERED:
            self._lost.popitem(last=False)
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)


def _of(call: Call, report: CallReport, streams: int) -> Carried:
    return Carried(
        [settled(replace(message)) for message in report.conversation],
        list(report.turns),
        dict(call.usage),  # a report has split some of it off
        list(report.faults),
        report.duration,
        streams,
        report.served,
    )
