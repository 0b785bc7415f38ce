"""What Prometheus is told of a process's load."""

from __future__ import annotations

import asyncio
import math

import pytest

pytest.importorskip("prometheus_client", reason="needs voiceloop[serve]")
from prometheus_client import CollectorRegistry

from voiceloop.observe.labels import OTHER
from voiceloop.observe.metrics import Metrics
from voiceloop.server.load import LoadOptions
from voiceloop.server.load_gauge import LoadGauge
from voiceloop.watch_loop import Held
from voiceloop.watch_stack import Sighting


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"voiceloop_{name}", labels)


async def test_the_gauges_are_told_twice_a_second() -> None:
    metrics, gauge = Metrics(CollectorRegistry()), LoadGauge(LoadOptions(), most=350)
    assert value(metrics, "audio_margin_seconds") == math.inf
    load = gauge.load
    async with metrics.sampling(load=gauge):
        now = asyncio.get_running_loop().time()
        for number in range(10):
            load.began(f"CA{number}", now)
        load.ran(now, 2.0, 1.2)
        load.beat(now, 0.07)
        load.sent(0.28, 0.32)
        await asyncio.sleep(0.6)
        assert value(metrics, "busy_share") == pytest.approx(0.6)
        assert value(metrics, "loop_lag_worst_seconds") == 0.07
        assert value(metrics, "audio_margin_seconds") == 0.28
        assert value(metrics, "audio_late_seconds") == 0.32
        assert value(metrics, "busy_processes") == 0
        assert value(metrics, "call_capacity") == 10 + int(0.25 / load.cost)
        assert value(metrics, "load_pressure") == pytest.approx(0.32 / 0.6 / 0.6)
        load.ran(now + 0.6, 0.6, 0.6)
        load.sent(0.05, 0.55)
        await asyncio.sleep(0.6)
        assert value(metrics, "busy_processes") == 1
    async with metrics.sampling(load=LoadGauge(LoadOptions(), most=350)):
        pass
    assert value(metrics, "busy_share") == 0
    assert value(metrics, "call_capacity") == 350  # as many as are taken, whatever the load


async def test_who_held_the_loop_is_counted_with_few_labels() -> None:
    metrics, gauge = Metrics(CollectorRegistry()), LoadGauge(LoadOptions())
    gauge.loop_held(Held(0.25, Sighting("PriceBoard.on_turn (shop.py:141)", "")))
    async with metrics.sampling(load=gauge):
        await asyncio.sleep(0.6)
        assert value(metrics, "loop_held_total", by="PriceBoard.on_turn shop.py") == 1
        gauge.loop_held(Held(0.5, Sighting("PriceBoard.on_turn (shop.py:142)", "")))
        gauge.loop_held(Held(0.125, Sighting("_load (shop.py:7)", "")))
        gauge.loop_held(Held(0.125, Sighting("weird} (5551234567.py:7)", "")))
        gauge.loop_held(Held(1.0, None))
    assert value(metrics, "loop_held_total", by="PriceBoard.on_turn shop.py") == 2
    assert value(metrics, "loop_held_seconds_total", by="PriceBoard.on_turn shop.py") == 0.75
    assert value(metrics, "loop_held_seconds_total", by="_load shop.py") == 0.125
    assert value(metrics, "loop_held_total", by=OTHER) == 1
    assert value(metrics, "loop_held_seconds_total", by="unknown") == 1.0
