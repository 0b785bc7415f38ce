"""What measures the load of a running loop, and what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from voiceloop.pacing_gauge import PacingGauge
from voiceloop.server import load_gauge
from voiceloop.server.aiohttp_app import phone_app, phone_of
from voiceloop.server.cores import available_cores
from voiceloop.server.load import LoadOptions
from voiceloop.server.load_gauge import LoadGauge, place
from voiceloop.server.observing import observed
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.serve_settings import ServeSettings
from voiceloop.sim.serving import listen
from voiceloop.watch_loop import Held
from voiceloop.watch_stack import Sighting

ONE = LoadOptions(few=1, cores=1.0)


class Processor:
    """The clocks of a processor: the loop's thread works for so much of the time."""

    def __init__(self) -> None:
        self.share = self.others = 0.0
        self._worked = [0.0, 0.0]
        self._at = 0.0

    def _run(self) -> list[float]:
        now = asyncio.get_running_loop().time()
        span, self._at = now - self._at, now
        self._worked[0] += span * self.share
        self._worked[1] += span * (self.share + self.others)
        return self._worked

    def thread_time(self) -> float:
        return self._run()[0]

    def process_time(self) -> float:
        return self._run()[1]


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Processor:
    """A gauge measures the virtual loop as if it were a real one, on this processor."""
    made = Processor()
    monkeypatch.setattr(load_gauge, "in_virtual_time", lambda: False)
    monkeypatch.setattr(load_gauge, "thread_time", made.thread_time)
    monkeypatch.setattr(load_gauge, "process_time", made.process_time)
    return made


@contextlib.contextmanager
def measuring(options: LoadOptions = ONE, **more: Any) -> Iterator[LoadGauge]:
    gauge = LoadGauge(options, **more)
    gauge.start()
    try:
        yield gauge
    finally:
        gauge.stop()


async def test_the_share_of_the_last_two_seconds_is_shown(processor: Processor) -> None:
    with measuring() as gauge:
        processor.share = 0.4
        await asyncio.sleep(10)
        assert gauge.figures().share == pytest.approx(0.4, abs=0.01)
        processor.share = 0.8
        await asyncio.sleep(1)
        assert gauge.figures().share == pytest.approx(0.6, abs=0.06)
        await asyncio.sleep(1.5)
        assert gauge.figures().share == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("cores", "workers", "share"), [(1.0, 1, 0.9), (2.0, 1, 0.5), (4.0, 4, 0.9), (0.5, 1, 1.8)])
async def test_what_its_threads_do_counts_by_the_cores_that_are_there(
    processor: Processor, cores: float, workers: int, share: float
) -> None:
    processor.share, processor.others = 0.5, 0.4
    with measuring(LoadOptions(cores=cores)) as gauge:
        gauge.workers = workers
        await asyncio.sleep(5)
        assert gauge.figures().share == pytest.approx(share, abs=0.02)


async def test_a_loop_that_is_late_shows_as_lag_for_five_seconds(processor: Processor) -> None:
    loop: Any = asyncio.get_running_loop()
    with measuring() as gauge:
        gauge.began("CA1")
        await asyncio.sleep(1)
        assert gauge.figures().lag == pytest.approx(0.0, abs=1e-6)
        for _ in range(3):
            loop.stall(0.3)
            await asyncio.sleep(0.5)
        assert gauge.figures().lag == pytest.approx(0.3, abs=0.051)
        assert gauge.look()
        await asyncio.sleep(5)
        assert gauge.figures().lag == pytest.approx(0.0, abs=1e-6)


async def test_audio_that_leaves_late_is_seen(processor: Processor) -> None:
    pacing, loop = PacingGauge(), asyncio.get_running_loop()
    with measuring(pacing=lambda: pacing) as gauge:
        gauge.began("CA1")
        await asyncio.sleep(1)
        assert (gauge.figures().margin, gauge.figures().late) == (math.inf, 0.0)
        pacing.note(loop.time(), 0.2, 0.4)
        await asyncio.sleep(0.5)
        assert (gauge.figures().margin, gauge.figures().late) == (0.2, 0.4)
        assert gauge.refusal("CA2") == "audio was sent 400 ms late, and 200 ms were left to play"


async def test_it_measures_from_start_to_stop_and_leaves_nothing_behind(processor: Processor) -> None:
    loop: Any = asyncio.get_running_loop()
    with measuring() as gauge:
        gauge.start()  # harmless
        processor.share = 0.5
        await asyncio.sleep(3)
    gauge.stop()  # harmless
    before = loop.time()
    await asyncio.sleep(10)
    assert loop.time() == before + 10
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
    assert gauge.figures().share == 0.0


async def test_a_phone_in_an_application_is_measured_from_its_first_request_until_it_stops(
    processor: Processor,
) -> None:
    nothing: Any = None
    options = PhoneOptions(public_url="https://agent.example.com", auth_token="a" * 32, load=LoadOptions(cores=1.0))
    app = phone_app(nothing, nothing, options)
    phone, runner = phone_of(app), await listen(app)
    processor.share = 0.5
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        await asyncio.sleep(3)
        assert phone.load.figures().share == 0
        await session.get("/healthz")
        await asyncio.sleep(3)
        assert phone.load.figures().share == pytest.approx(0.5, abs=0.01)
    await runner.cleanup()
    await asyncio.sleep(3)
    assert phone.load.figures().share == 0


@pytest.mark.realtime
async def test_a_real_loop_that_is_held_shows_how_long_and_by_whom() -> None:
    import time

    def hold_the_line() -> None:
        end = time.monotonic() + 0.4
        while time.monotonic() < end:
            pass

    threads = set(threading.enumerate())
    with measuring() as gauge:
        await asyncio.sleep(0.1)
        hold_the_line()
        await asyncio.sleep(0.3)
        figures = gauge.figures()
    assert figures.lag >= 0.3
    assert 0 < figures.share < 1
    assert gauge.held["hold_the_line test_load_gauge.py"] >= 1
    assert gauge.held_milliseconds["hold_the_line test_load_gauge.py"] >= 300
    await asyncio.sleep(0.2)
    assert [thread for thread in threading.enumerate() if thread not in threads and "watch" in thread.name] == []


# --- where the loop was held --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("PriceBoard.on_turn (shop.py:41)", "PriceBoard.on_turn shop.py"),
        ("<lambda> (shop.py:4)", "lambda shop.py"),
        ("_look (a b.py:141)", "_look a b.py"),
        ("collector of garbage", "collector of garbage"),
    ],
)
def test_a_place_is_told_without_its_line(where: str, told: str) -> None:
    assert place(where) == told


def test_there_are_never_more_places_than_allowed() -> None:
    gauge = LoadGauge(ONE)
    for number in range(100):
        gauge.loop_held(Held(0.25, Sighting(f"f{number} (shop.py:{number})", "")))
    gauge.loop_held(Held(0.25, None))
    assert len(gauge.held) == 41
    assert (gauge.held["f39 shop.py"], gauge.held["other"]) == (1, 61)
    assert gauge.held_milliseconds["other"] == 61 * 250


# --- what is told -------------------------------------------------------------------------------------------


async def test_levels_are_told_once_and_not_more_often_than_every_ten_seconds(processor: Processor) -> None:
    start, told = asyncio.get_running_loop().time(), []
    with measuring() as gauge:
        gauge.began("CA1")
        gauge.on_level.append(
            lambda busy, why: told.append((round(asyncio.get_running_loop().time() - start), busy, why))
        )
        for _ in range(6):
            processor.share = 1.0
            await asyncio.sleep(6)
            processor.share = 0.1
            await asyncio.sleep(6)
        await asyncio.sleep(30)
    assert [busy for _, busy, _ in told] == [True, False] * (len(told) // 2)
    assert all(later[0] - sooner[0] >= 10 for sooner, later in pairwise(told))
    assert "% busy over the last 2 s" in told[0][2]
    assert len(told) >= 4


async def test_the_heart_goes_on_when_somebody_who_is_told_fails(
    processor: Processor, caplog: pytest.LogCaptureFixture
) -> None:
    with measuring() as gauge:
        gauge.began("CA1")
        gauge.on_level.append(lambda busy, why: 1 // 0)
        processor.share = 1.0
        await asyncio.sleep(5)
        processor.share = 0.25
        await asyncio.sleep(2)
        assert caplog.messages == ["on_level failed"]
        assert gauge.figures().share == pytest.approx(0.25)


async def test_who_is_told_may_stop_it(processor: Processor) -> None:
    with measuring() as gauge:
        gauge.began("CA1")
        gauge.on_level.append(lambda busy, why: gauge.stop())
        processor.share = 1.0
        await asyncio.sleep(5)
        processor.share = 0.25
        await asyncio.sleep(2)
        assert gauge.figures().share < 0.1  # of long ago


async def test_the_console_of_a_server_tells_it_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    nothing: Any = None
    loop = asyncio.get_running_loop()
    for refuse in (True, False):
        given = PhoneOptions(
            public_url="https://agent.example.com", auth_token="a" * 32, load=LoadOptions(few=1, refuse=refuse)
        )
        phone = Phone(nothing, nothing, given)
        async with observed(phone, ServeSettings()):
            phone.load.expect("CA1")
            phone.load.load.ran(loop.time(), 2.0, 1.74)
            phone.load.look()
            await asyncio.sleep(10)
            phone.load.look()
    assert capsys.readouterr().err.splitlines() == [
        "Busy: 0 calls on the line; the event loop was 87 % busy over the last 2 s. New calls are not taken for now.",
        "Free again: 0 calls on the line.",
        "Busy: 0 calls on the line; the event loop was 87 % busy over the last 2 s.",
        "Free again: 0 calls on the line.",
    ]


# --- cores --------------------------------------------------------------------------------------------------


def files(**texts: str) -> Any:
    def read(path: str) -> str:
        for name, text in texts.items():
            if path.endswith(name.replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")):
                return text
        raise FileNotFoundError(path)

    return read


@pytest.mark.parametrize(
    ("read", "cores"),
    [
        (files(cpu_max="50000 100000\n"), 0.5),
        (files(cpu_max="max 100000\n"), 3.0),
        (files(cpu_max="800000 100000\n"), 3.0),
        (files(cpu_max="rubbish"), 3.0),
        (files(cpu_cfs_quota_us="150000\n", cpu_cfs_period_us="100000\n"), 1.5),
        (files(cpu_cfs_quota_us="-1\n", cpu_cfs_period_us="100000\n"), 3.0),
        (files(), 3.0),
    ],
)
def test_cores_are_those_of_the_process_or_the_quota_of_its_container(
    read: Any, cores: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert available_cores(read) == cores
