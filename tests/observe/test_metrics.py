"""What Prometheus is told: of every call, each thing once, with few labels and nothing of a caller."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytest.importorskip("prometheus_client", reason="needs voiceloop[serve]")
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, TurnTaking
from voiceloop.carried import Carried
from voiceloop.errors import MissingExtra, VoiceloopError
from voiceloop.observe.exposition import forget_worker, metrics_app, serving_metrics, worker_environment
from voiceloop.observe.labels import OTHER, Bounded
from voiceloop.observe.metrics import FOLDER_VARIABLE, Metrics
from voiceloop.processor import Processor
from voiceloop.rehearsal import REHEARSAL
from voiceloop.report import FaultRecord
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.vad.processor import EnergyVAD

MENU = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone."
NUMBER = "+15551234567"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def bot_with(metrics: Metrics, lexicon: Lexicon, spoil: Callable[[Call], None] = lambda call: None) -> Any:
    def bot(call: Call) -> Pipeline:
        call.caller = NUMBER
        metrics.began(call)
        spoil(call)
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(lexicon),
                TurnTaking("Corner Coffee, hi!"),
                LLMAggregator(script("Okay.")),
                ScriptedTTS(lexicon),
                AudioStreamer(),
            ]
        )

    return bot


async def test_a_call_is_counted_as_its_report_has_it(dial: Callable[..., Any], metrics: Metrics) -> None:
    lexicon = Lexicon()
    async with dial(bot_with(metrics, lexicon), llm=script(MENU, "A tea, okay."), lexicon=lexicon) as caller:
        await caller.hears("Corner Coffee")
        assert value(metrics, "voiceloop_live_calls") == 1
        await caller.says("what do you have")
        await caller.interrupts("just a tea", after=1.0)
        await caller.hears("A tea, okay.")
        report = await caller.hangs_up()
    assert value(metrics, "voiceloop_live_calls") == 0
    assert value(metrics, "voiceloop_calls_begun_total", direction="inbound") == 1
    assert value(metrics, "voiceloop_calls_total", direction="inbound", reason="caller hung up") == 1
    assert value(metrics, "voiceloop_call_seconds_sum") == pytest.approx(report.duration)
    assert value(metrics, "voiceloop_turns_total") == len(report.turns) == 2
    assert value(metrics, "voiceloop_interruptions_total") == 1
    assert value(metrics, "voiceloop_unanswered_turns_total") == 0
    waits = [turn.latency for turn in report.turns if turn.latency is not None]
    assert value(metrics, "voiceloop_wait_seconds_count") == len(waits) == 2
    assert value(metrics, "voiceloop_wait_seconds_sum") == pytest.approx(sum(wait.total for wait in waits))
    for part in ("endpoint", "stt", "llm", "tts", "output", "carrier"):
        total = sum(getattr(wait, part) for wait in waits)
        assert value(metrics, "voiceloop_wait_part_seconds_sum", part=part) == pytest.approx(total)
    assert value(metrics, "voiceloop_usage_total", what="tts.characters") == report.usage["tts.characters"]


async def test_faults_and_watchdogs_are_counted_by_kind(dial: Callable[..., Any], metrics: Metrics) -> None:
    def spoil(call: Call) -> None:
        call.note_fault("weather", "it rains")
        call.note_fault("weather", "it rains on")
        call.note_fault(f"lookup of {NUMBER}", "a careless bot")
        call.usage["watchdog.no_mark"] += 3

    async with dial(bot_with(metrics, Lexicon(), spoil), invariants=None) as caller:
        await caller.waits(1.0)
        await caller.hangs_up()
    assert value(metrics, "voiceloop_faults_total", kind="weather") == 2
    assert value(metrics, "voiceloop_faults_total", kind=OTHER) == 1
    assert value(metrics, "voiceloop_watchdogs_total", kind="no_mark") == 3
    assert value(metrics, "voiceloop_watchdogs_total", kind="no_audio") == 0  # it is there before it happens


async def test_nothing_of_a_caller_is_in_it(dial: Callable[..., Any], metrics: Metrics) -> None:
    lexicon = Lexicon()

    def spoil(call: Call) -> None:
        call.note_fault(NUMBER, NUMBER)

    async with dial(bot_with(metrics, lexicon, spoil), llm=script("Thank you."), lexicon=lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("my name is mireille")
        await caller.hears("Thank you.")
        caller.call.hang_up(f"sold to {NUMBER}")
        await caller.report()
    text = (await scraped(metrics)).casefold()
    assert "voiceloop_turns_total 1.0" in text
    for secret in (NUMBER[1:], "mireille", "thank you", caller.call.id.casefold()):
        assert secret not in text
    assert value(metrics, "voiceloop_calls_total", direction="inbound", reason=OTHER) == 1


def run(call: Call, metrics: Metrics, reason: str = "completed") -> None:
    """A call that was never on a line: the bot could not be made."""
    metrics.began(call)
    call.ending = reason
    call._report([])


def test_a_call_whose_bot_could_not_be_made_is_counted_and_live_no_more(metrics: Metrics) -> None:
    call = Call(Processor(), id="CA1", direction="sideways")
    run(call, metrics, "failed")
    assert value(metrics, "voiceloop_live_calls") == 0
    assert value(metrics, "voiceloop_calls_total", direction=OTHER, reason="failed") == 1


def test_what_was_counted_on_the_line_before_is_not_counted_again(metrics: Metrics) -> None:
    call = Call(Processor(), id="CA1")
    call.carried = Carried([], duration=30.0)
    call._record.before = 30.0
    call.faults.append(FaultRecord("weather", "it rained", "", 1.0))
    call.usage.update({"tts.characters": 100, "watchdog.no_mark": 2})
    metrics.began(call)
    call.note_fault("weather", "again")
    call.usage.update({"tts.characters": 11, "watchdog.no_mark": 1})
    call._report([])
    assert value(metrics, "voiceloop_faults_total", kind="weather") == 1
    assert value(metrics, "voiceloop_usage_total", what="tts.characters") == 11
    assert value(metrics, "voiceloop_watchdogs_total", kind="no_mark") == 1
    assert value(metrics, "voiceloop_call_seconds_sum") == 0


def test_rehearsals_and_replays_are_no_calls(metrics: Metrics) -> None:
    replayed = Call(Processor(), id="CA1")
    replayed.replayed = True
    for call in (replayed, Call(Processor(), id=REHEARSAL)):
        run(call, metrics)
    assert value(metrics, "voiceloop_calls_begun_total", direction="inbound") is None


# --- labels -------------------------------------------------------------------------------------------------


def test_there_are_never_more_labels_than_allowed() -> None:
    bounded = Bounded(3)
    assert [bounded.label(f"kind.{letter}") for letter in "abcde"] == ["kind.a", "kind.b", "kind.c", OTHER, OTHER]
    assert bounded.label("kind.b") == "kind.b"


@pytest.mark.parametrize("name", [NUMBER, "lookup 15551234567", "", "a" * 81, "two\nlines", 'x"y', "über", "a{b}"])
def test_what_is_no_name_is_no_label(name: str) -> None:
    assert Bounded(10).label(name) == OTHER


# --- the process --------------------------------------------------------------------------------------------


async def test_counts_of_the_server_become_counters_and_waiting_records_a_gauge(metrics: Metrics) -> None:
    counts, waiting = {"voice": 3, "media.refused": 1}, [2]
    async with metrics.sampling(counts, lambda: waiting[0]):
        await asyncio.sleep(0.6)
        assert value(metrics, "voiceloop_server_events_total", event="voice") == 3
        assert value(metrics, "voiceloop_records_waiting") == 2
        counts["voice"] = 7
        waiting[0] = 0
        await asyncio.sleep(0.6)
        assert value(metrics, "voiceloop_server_events_total", event="voice") == 7
        counts["media.refused"] = 2
    assert value(metrics, "voiceloop_server_events_total", event="media.refused") == 2
    assert value(metrics, "voiceloop_records_waiting") == 0
    assert value(metrics, "voiceloop_loop_lag_seconds_count") == 2
    assert value(metrics, "voiceloop_loop_lag_seconds_sum") == pytest.approx(0.0, abs=1e-9)


@pytest.mark.realtime
async def test_a_loop_that_is_held_shows_as_lag(metrics: Metrics) -> None:
    import time

    async with metrics.sampling():
        await asyncio.sleep(0.45)
        time.sleep(0.3)  # noqa: ASYNC251 (that is what is measured)
        await asyncio.sleep(0.05)
    assert value(metrics, "voiceloop_loop_lag_seconds_bucket", le="0.1") == 0
    assert value(metrics, "voiceloop_loop_lag_seconds_bucket", le="0.5") == 1


# --- GET /metrics -------------------------------------------------------------------------------------------


async def scraped(metrics: Metrics) -> str:
    from prometheus_client import generate_latest

    return generate_latest(metrics.registry).decode()


@pytest.mark.realtime
async def test_it_is_served_on_a_port_of_its_own_on_loopback(metrics: Metrics) -> None:
    run(Call(Processor(), id="CA1"), metrics)
    Counter("bot_cakes", "A bot's own", registry=metrics.registry).inc(2)
    async with serving_metrics(0, registry=metrics.registry) as url, aiohttp.ClientSession() as session:
        assert url.startswith("http://127.0.0.1:")
        async with session.get(url) as reply:
            assert reply.status == 200
            assert reply.headers["Content-Type"].startswith("text/plain")
            families = {family.name: family for family in text_string_to_metric_families(await reply.text())}
        assert families["voiceloop_calls"].samples[0].value == 1
        assert families["bot_cakes"].samples[0].value == 2
        async with session.get(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"}) as reply:
            assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
            assert (await reply.text()).endswith("# EOF\n")
        async with session.get(url.removesuffix("metrics")) as reply:
            assert reply.status == 404
        with pytest.raises(VoiceloopError, match=r"cannot be served at 127\.0\.0\.1"):
            async with serving_metrics(int(url.split(":")[2].split("/")[0]), registry=metrics.registry):
                pass


def test_without_the_client_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceloop.errors.find_spec", lambda package: None)
    for make in (Metrics, metrics_app):
        with pytest.raises(MissingExtra, match=r"voiceloop\[serve\]"):
            make()


# --- several workers ----------------------------------------------------------------------------------------

WORKER = """
    import asyncio, os, sys
    from voiceloop import Call
    from voiceloop.observe.metrics import shared_metrics
    from voiceloop.processor import Processor

    metrics = shared_metrics()

    async def main():
        for number in range(int(sys.argv[1])):
            call = Call(Processor(), id=f"CA{number}")
            metrics.began(call)
            call.ending = "completed"
            call._report([])
        for number in range(2):
            metrics.began(Call(Processor(), id=f"CB{number}"))  # still on the line
        async with metrics.sampling({"voice": 5}, lambda: 3):
            await asyncio.sleep(0.6)
        print("ready", flush=True)
        sys.stdin.read()

    asyncio.run(main())
"""


@pytest.mark.realtime
async def test_workers_are_added_up_and_a_dead_one_leaves_its_counts_but_no_live_calls(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    environment = {**os.environ, **worker_environment(folder)}
    assert environment[FOLDER_VARIABLE] == str(folder)

    def start(calls: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(WORKER), str(calls)]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    workers = [start(1), start(2)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert await asyncio.to_thread(worker.stdout.readline) == "ready\n"
        async with serving_metrics(0, folder=folder) as url, aiohttp.ClientSession() as session:

            async def values() -> dict[str, float]:
                async with session.get(url) as reply:
                    families = list(text_string_to_metric_families(await reply.text()))
                return {sample.name: sample.value for family in families for sample in family.samples}

            one = await values()
            assert one["voiceloop_calls_total"] == 3
            assert one["voiceloop_calls_begun_total"] == 7
            assert one["voiceloop_live_calls"] == 4
            assert one["voiceloop_server_events_total"] == 10
            assert one["voiceloop_records_waiting"] == 6
            assert one["voiceloop_resident_memory_bytes"] > 20e6
            workers[0].kill()
            await asyncio.to_thread(workers[0].wait)
            forget_worker(folder, workers[0].pid)
            two = await values()
            assert (two["voiceloop_calls_total"], two["voiceloop_live_calls"]) == (3, 2)
            assert two["voiceloop_records_waiting"] == 3
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    with pytest.raises(VoiceloopError, match="must be empty"):
        worker_environment(folder)
