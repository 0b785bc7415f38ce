"""The calls of one talk page: what happens in each as a stream of events, and what is kept when it is over."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from voiceloop import wallclock
from voiceloop.call import Call
from voiceloop.record.live import LiveEvents
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport

__all__ = ["LiveCall", "TalkCalls"]

MAX_EVENTS = 4000
"""Events of a call that are kept for a page that reconnects; older ones are dropped. Half an hour has about as many."""
MAX_EVENT = 64_000
"""Characters of one event."""
KEPT = 20
"""Finished calls that are kept."""
KEPT_BYTES = 128_000_000
"""Audio of finished calls that is kept; the last call's is, whatever its length."""
HEARTBEAT = 10.0
"""Seconds without an event after which a reader gets None, to see whether it is still there."""


class LiveCall:
    """One call: its events, each with a number from 1."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.began = ""
        """Wall-clock time, ISO 8601; empty while nobody has called."""
        self.call: Call | None = None
        """While it runs."""
        self.report: CallReport | None = None
        self.timeline: Timeline | None = None
        self.over = False
        """No more events come."""
        self.ended = asyncio.Event()
        self.readers = 0
        self._events: deque[str] = deque(maxlen=MAX_EVENTS)
        self._count = 0
        self._news = asyncio.Event()

    def tell(self, event: dict[str, Any]) -> None:
        """Something happened."""
        text = json.dumps(event, separators=(",", ":"))
        if self.over or len(text) > MAX_EVENT:
            return
        self._events.append(text)
        self._count += 1
        self.over = event["kind"] in ("ended", "refused")
        self._news.set()

    async def events(self, after: int = 0) -> AsyncIterator[tuple[int, str] | None]:
        """Each event's number and JSON, from the one behind number `after`; None when nothing happens for a while.

        A reader that is so slow that events are dropped before it has read them is told so and let go.
        """
        while True:
            while after < self._count:
                oldest = self._count - len(self._events)
                if after < oldest:
                    yield self._count, '{"kind":"lost"}'
                    return
                text = self._events[after - oldest]
                after += 1
                yield after, text
            if self.over:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await self._news.wait()
            except TimeoutError:
                yield None

    def as_dict(self) -> dict[str, Any]:
        """The call as plain values."""
        report = self.report
        return {
            "id": self.id,
            "began": self.began,
            "running": self.call is not None,
            "duration": round(report.duration, 3) if report is not None else None,
            "reason": report.reason if report is not None else None,
            "turns": [turn.as_dict() for turn in report.turns] if report is not None else [],
            "picture": self.timeline is not None,
        }


class TalkCalls:
    """All calls of the page: expected, running and finished ones.

    Args:
        most_expected: pages that may wait for a call that nobody has made.
    """

    def __init__(self, most_expected: int = 16) -> None:
        self._most_expected = most_expected
        self._expected: dict[str, LiveCall] = {}
        self._calls: dict[str, LiveCall] = {}  # running and finished, oldest first

    def find(self, id: str) -> LiveCall | None:
        """A call that runs, or has ended and is kept."""
        return self._calls.get(id)

    def latest(self) -> list[LiveCall]:
        """Running and finished calls, the latest first."""
        return list(reversed(self._calls.values()))

    def running(self) -> list[LiveCall]:
        """Calls that have not ended."""
        return [live for live in self._calls.values() if live.call is not None]

    def expect(self, id: str) -> LiveCall:
        """The call with this id, also before it is made. When too many are expected, the oldest is let go."""
        live = self._calls.get(id) or self._expected.get(id)
        if live is None:
            while len(self._expected) >= self._most_expected:
                oldest = self._expected.pop(next(iter(self._expected)))
                oldest.tell({"kind": "refused", "message": "too many pages are open"})
            live = self._expected[id] = LiveCall(id)
        return live

    def forget(self, live: LiveCall) -> None:
        """Nobody waits for this call any more."""
        if not live.readers and self._expected.get(live.id) is live:
            del self._expected[live.id]

    def begin(self, call: Call) -> None:
        """A call begins: attach what watches it."""
        live = self._expected.pop(call.id, None) or LiveCall(call.id)
        if call.id in self._calls:  # the same id twice: whoever made it up gets a record nobody can ask for
            live = LiveCall(call.id)
        else:
            self._calls[call.id] = live
        live.call, live.began = call, wallclock.now_iso()
        recorder = TimelineRecorder()
        call.observe(LiveEvents(live.tell))
        call.observe(recorder)

        def ended(report: CallReport) -> None:
            live.report, live.call = report, None
            live.ended.set()
            if report.duration > 0:  # else the bot made no pipeline, and nothing was recorded
                live.timeline = recorder.timeline(report)
            for fault in report.faults if not live._count else ():
                live.tell({"at": 0.0, "kind": "fault", "fault": fault.kind, "message": fault.message})
            duration = round(report.duration, 3)
            live.tell({"at": duration, "kind": "ended", "reason": report.reason, "duration": duration})
            self._trim()

        call.on_end(ended)

    def _trim(self) -> None:
        finished = [live for live in self._calls.values() if live.call is None]
        for live in finished[:-KEPT]:
            del self._calls[live.id]
        size = 0
        for live in reversed(finished[-KEPT:]):
            if live.timeline is not None:
                size += len(live.timeline.caller_audio) + len(live.timeline.agent_audio)
                if size > KEPT_BYTES and live is not finished[-1]:
                    live.timeline = None
