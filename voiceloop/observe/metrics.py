"""Counts and distributions of a server's calls for Prometheus. What they mean is said in docs/metrics.md.

Everything is counted where it costs nothing: at the end of a turn or a call, and twice a second. Nothing of a caller,
no number and no word, is ever a label, and every label has a bounded number of values.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from voiceloop.call import Call
from voiceloop.errors import require
from voiceloop.latency import Latency
from voiceloop.observe.labels import Bounded, one_of
from voiceloop.observe.load_metrics import LoadMetrics
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import CallReport, Turn
from voiceloop.watchdogs import KINDS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from voiceloop.server.load_gauge import LoadGauge

__all__ = ["BEAT", "FOLDER_VARIABLE", "Metrics", "shared_metrics"]

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where several workers leave their values. The client reads it when it is imported."""
BEAT: Final = 0.5
"""Seconds between two looks at the loop."""
WAITS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)
LENGTHS: Final = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0)
LAGS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
DIRECTIONS: Final = ("inbound", "outbound")
REASONS: Final = frozenset(
    {
        *("completed", "caller hung up", "disconnected", "transferred", "failed", "cancelled", "protocol"),
        *("server stopped", "replaced", "max length", "hung up", "busy"),
    }
)
"""Why calls end, as the library says it; a bot's own words for `Call.hang_up` are ``other``."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What a call had on the lines before, where it was counted."""

    faults: int
    usage: dict[str, float]
    duration: float


class Metrics:
    """The metrics of one process. Add `began` to ``phone.on_call``, and run `sampling` beside the phone.

    Args:
        registry: of prometheus_client; its default one when not given, where a bot's own metrics are, too.

    Raises:
        MissingExtra: prometheus_client is not installed.
        ValueError: the registry has such metrics already: use `shared_metrics`.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        require("prometheus_client", "serve", "Metrics")
        from prometheus_client import REGISTRY, Counter, Gauge, Histogram

        self.registry = into = REGISTRY if registry is None else registry
        self._kinds, self._events, self._used = Bounded(60), Bounded(40), Bounded(40)
        self._counted: Tally[str] = Tally()
        self._live = Gauge(
            "voiceloop_live_calls", "Calls on the line", registry=into, multiprocess_mode="livesum", labelnames=()
        )
        self._begun = Counter("voiceloop_calls_begun", "Calls that have begun", ["direction"], registry=into)
        self._ended = Counter("voiceloop_calls", "Calls that have ended", ["direction", "reason"], registry=into)
        self._length = Histogram("voiceloop_call_seconds", "How long calls lasted", registry=into, buckets=LENGTHS)
        self._wait = Histogram(
            "voiceloop_wait_seconds", "From the caller's last sound to the agent's first", registry=into, buckets=WAITS
        )
        self._part = Histogram(
            "voiceloop_wait_part_seconds", "The parts of that", ["part"], registry=into, buckets=WAITS
        )
        self._turns = Counter("voiceloop_turns", "Turns of callers", registry=into)
        self._interrupted = Counter("voiceloop_interruptions", "Answers that callers cut off", registry=into)
        self._unheard = Counter("voiceloop_unanswered_turns", "Turns of which no answer was heard", registry=into)
        self._faults = Counter("voiceloop_faults", "Failures within calls", ["kind"], registry=into)
        self._barks = Counter("voiceloop_watchdogs", "What was waited for in vain", ["kind"], registry=into)
        self._usage = Counter("voiceloop_usage", "What the providers used", ["what"], registry=into)
        self._server = Counter("voiceloop_server_events", "What the phone server counts", ["event"], registry=into)
        self._lag = Histogram("voiceloop_loop_lag_seconds", "How late timers fire", registry=into, buckets=LAGS)
        self._waiting = Gauge(
            "voiceloop_records_waiting",
            "Records of calls that the store has not taken yet",
            registry=into,
            multiprocess_mode="livesum",
        )
        self._load = LoadMetrics(into)
        self._memory: Gauge | None = None
        if FOLDER_VARIABLE in os.environ:  # then the client's own collector of it says nothing
            self._memory = Gauge(
                "voiceloop_resident_memory_bytes", "Memory", registry=into, multiprocess_mode="livesum"
            )
        self._live.set(0)
        for kind in KINDS:
            self._barks.labels(kind)
        for part in Latency.__dataclass_fields__:
            self._part.labels(part)

    # --- calls ---------------------------------------------------------------------------------------------

    def began(self, call: Call) -> None:
        """A call begins: count what comes of it. For ``phone.on_call``."""
        if call.replayed or call.id == REHEARSAL:
            return
        direction = one_of(DIRECTIONS, call.direction)
        before = _Before(len(call.faults), dict(call.usage), call.carried.duration if call.carried is not None else 0.0)
        self._live.inc()
        self._begun.labels(direction).inc()

        def ended(report: CallReport) -> None:
            self._live.dec()
            self._count_end(report, direction, before)

        call.on_turn(self._count_turn)
        call.on_end(ended)

    def _count_turn(self, turn: Turn) -> None:
        self._turns.inc()
        if turn.interrupted:
            self._interrupted.inc()
        if turn.latency is None:
            self._unheard.inc()
            return
        self._wait.observe(turn.latency.total)
        for part, seconds in asdict(turn.latency).items():
            self._part.labels(part).observe(seconds)

    def _count_end(self, report: CallReport, direction: str, before: _Before) -> None:
        self._ended.labels(direction, one_of(REASONS, report.reason)).inc()
        self._length.observe(max(0.0, report.duration - before.duration))
        for fault in report.faults[before.faults :]:
            self._faults.labels(self._kinds.label(fault.kind)).inc()
        for kind, count in report.watchdogs.items():
            if (more := count - before.usage.get(f"watchdog.{kind}", 0)) > 0:
                self._barks.labels(one_of(KINDS, kind)).inc(more)
        for what, amount in report.usage.items():
            if (more := amount - before.usage.get(what, 0)) > 0:
                self._usage.labels(self._used.label(what)).inc(more)

    # --- the process ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def sampling(
        self,
        counts: Mapping[str, int] | None = None,
        waiting: Callable[[], int] | None = None,
        load: LoadGauge | None = None,
    ) -> AsyncIterator[None]:
        """Twice a second look at what nobody tells, for as long as the block runs.

        Args:
            counts: what the server counts, which only rises: ``phone.counts``.
            waiting: how many records wait to be stored.
            load: measures the load of the process: ``phone.load``.
        """

        def look() -> None:
            self._look(counts, waiting)
            if load is not None:
                self._load.look(load)

        sampler = asyncio.get_running_loop().create_task(self._sample(look), name="metrics")
        try:
            yield
        finally:
            sampler.cancel()
            with suppress(asyncio.CancelledError):
                await sampler
            look()

    async def _sample(self, look: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._lag.observe(max(0.0, loop.time() - due))
            look()

    def _look(self, counts: Mapping[str, int] | None, waiting: Callable[[], int] | None) -> None:
        for event, count in (counts or {}).items():
            if (more := count - self._counted[event]) > 0:
                self._server.labels(self._events.label(event)).inc(more)
                self._counted[event] = count
        if waiting is not None:
            self._waiting.set(waiting())
        if self._memory is not None:
            self._memory.set(_resident())


def _resident() -> float:
    """Bytes of this process in memory; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return float(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, IndexError):
        return 0.0


@cache
def shared_metrics() -> Metrics:
    """Those of the client's default registry, made once in a process.

    Raises:
        MissingExtra: prometheus_client is not installed.
    """
    return Metrics()
