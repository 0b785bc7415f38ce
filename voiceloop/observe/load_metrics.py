"""How loaded a server's processes are, for Prometheus."""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Mapping
from typing import TYPE_CHECKING

from voiceloop.observe.labels import Bounded

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

    from voiceloop.server.load_gauge import LoadGauge

__all__ = ["LoadMetrics"]


class LoadMetrics:
    """The load of one process. Of several workers the worst is told, and the sum of what they can take.

    Args:
        into: where they are registered.
    """

    def __init__(self, into: CollectorRegistry) -> None:
        from prometheus_client import Counter, Gauge

        def worst(name: str, what: str) -> Gauge:
            return Gauge(f"voiceloop_{name}", what, registry=into, multiprocess_mode="livemax")

        self._pressure = worst("load_pressure", "The worst gauge as a part of its limit: 1 is busy")
        self._share = worst("busy_share", "Of the loop's time that was work in the last 2 s")
        self._lag = worst("loop_lag_worst_seconds", "The latest heartbeat of the loop in the last 5 s")
        self._late = worst("audio_late_seconds", "The longest that audio left after it was due in the last 5 s")
        self._margin = Gauge(
            "voiceloop_audio_margin_seconds",
            "The least that a carrier had left to play in the last 5 s; +Inf when nothing was sent",
            registry=into,
            multiprocess_mode="livemin",
        )
        self._margin.set(math.inf)
        self._busy = Gauge(
            "voiceloop_busy_processes", "Processes that take no calls", registry=into, multiprocess_mode="livesum"
        )
        self._capacity = Gauge(
            "voiceloop_call_capacity", "Calls that could be on the line", registry=into, multiprocess_mode="livesum"
        )
        self._held = Counter("voiceloop_loop_held", "How often the loop was held", ["by"], registry=into)
        self._held_for = Counter("voiceloop_loop_held_seconds", "For how long", ["by"], registry=into)
        self._places = Bounded(40)
        self._counted: Tally[tuple[int, str]] = Tally()

    def look(self, load: LoadGauge) -> None:
        """Tell what the gauges show now."""
        figures = load.figures()
        self._pressure.set(figures.pressure)
        self._share.set(figures.share)
        self._lag.set(figures.lag)
        self._late.set(figures.late)
        self._margin.set(figures.margin)
        self._busy.set(figures.busy)
        self._capacity.set(figures.capacity)
        self._count(self._held, load.held, 1)
        self._count(self._held_for, load.held_milliseconds, 1000)

    def _count(self, counter: Counter, counts: Mapping[str, int], unit: int) -> None:
        """Count on what only rises."""
        for where, count in counts.items():
            key = (unit, where)
            if (more := count - self._counted[key]) > 0:
                counter.labels(self._places.label(where)).inc(more / unit)
                self._counted[key] = count
