"""What an operator sees of a server: metrics on a port of their own, and a log of nothing but JSON."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from tests.server.serving import PUBLIC, Served, exchange, served, tea, until
from voiceloop import Call
from voiceloop.observe.logs import configure_logging, is_json
from voiceloop.processor import Processor
from voiceloop.server.console import Console, complain, note, say, warn
from voiceloop.server.observing import logged, observed, with_own_log
from voiceloop.server.phone import Phone, PhoneOptions
from voiceloop.server.serve_settings import ServeSettings
from voiceloop.server.starting import CannotStart
from voiceloop.sim.twilio import TOKEN

JSON = ServeSettings(log="json")


def phone() -> Phone:
    options = PhoneOptions(public_url=PUBLIC, auth_token=TOKEN)
    return Phone(cast("Any", None), cast("Any", None), options)


@contextmanager
def as_json(worker: str = "") -> Iterator[io.StringIO]:
    """The log as the settings say, read."""
    with logged(JSON, worker):
        handler = logging.getLogger().handlers[-1]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written := io.StringIO())
        yield written


def records(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_what_is_told_is_a_record_where_logs_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    with as_json("2") as written:
        say("Answering at X.\n  voiceloop sim call X\n")
        note("Loading the models.")
        warn("worker 1: it ended by SIGKILL")
        complain(CannotStart(["no key", "no public URL"]))
    assert [(each["level"], each["message"], each["worker"]) for each in records(written)] == [
        ("INFO", "Answering at X.", "2"),
        ("INFO", "voiceloop sim call X", "2"),
        ("INFO", "Loading the models.", "2"),
        ("WARNING", "worker 1: it ended by SIGKILL", "2"),
        ("ERROR", "no key", "2"),
        ("ERROR", "no public URL", "2"),
    ]
    assert capsys.readouterr() == ("", "")


def test_what_is_told_to_people_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("Answering at X.\n  voiceloop sim call X")
    warn("worker 1: it ended by SIGKILL")
    complain(CannotStart(["no key", "no public URL"]), "Look.")
    complain(OSError("the disk is full"))
    assert capsys.readouterr() == (
        "Answering at X.\n  voiceloop sim call X\n",
        "worker 1: it ended by SIGKILL\n"
        "voiceloop: 2 things to mend before the bot can answer the phone:\n  - no key\n  - no public URL\nLook.\n"
        "voiceloop: the disk is full\n",
    )


def test_the_log_is_as_before_when_the_server_has_ended() -> None:
    root, library = logging.getLogger(), logging.getLogger("voiceloop")
    before = (list(root.handlers), root.level, library.level)
    with logged(JSON):
        assert (is_json(), library.level) == (True, logging.INFO)
    with logged(ServeSettings(log_level="DEBUG")):
        assert (is_json(), library.level, root.level) == (False, logging.DEBUG, logging.WARNING)
    assert (list(root.handlers), root.level, library.level) == before


def test_a_script_that_logs_as_json_has_workers_that_do() -> None:
    assert with_own_log(ServeSettings()) == ServeSettings()
    with logged(ServeSettings()):
        handler = configure_logging("json", "ERROR")
        assert with_own_log(ServeSettings(port=1)) == ServeSettings(port=1, log="json", log_level="ERROR")
        logging.getLogger().removeHandler(handler)


def test_settings_reach_a_worker_whole() -> None:
    given = ServeSettings(metrics_port=9100, metrics_host="::1", log="json", log_level="ERROR")
    assert ServeSettings.of_dict(json.loads(json.dumps(given.as_dict()))) == given


async def test_how_calls_go_is_told_once_in_the_form_that_is_wanted() -> None:
    plain, machine = phone(), phone()
    async with observed(plain, ServeSettings()):
        assert [getattr(each, "__func__", each) for each in plain.on_call] == [Console.began]
    with as_json():
        async with observed(machine, JSON):
            assert [getattr(each, "__name__", "") for each in machine.on_call] == ["log_call"]


async def test_calls_events_and_waiting_records_are_counted_when_metrics_are_wanted() -> None:
    pytest.importorskip("prometheus_client")
    from voiceloop.observe.metrics import shared_metrics

    def of(name: str, **labels: str) -> float:
        return shared_metrics().registry.get_sample_value(name, labels) or 0.0

    class Keeper:
        waiting = 3

    served = phone()
    served.keeper = cast("Any", Keeper())
    events, live = of("voiceloop_server_events_total", event="voice.busy"), of("voiceloop_live_calls")
    async with observed(served, ServeSettings(metrics_port=0)):
        for tell in served.on_call:
            tell(Call(Processor(), id="CA1"))
        assert of("voiceloop_live_calls") == live + 1
        served.counts["voice.busy"] += 2
    assert of("voiceloop_server_events_total", event="voice.busy") == events + 2
    assert of("voiceloop_records_waiting") == 3


async def of_metrics(process: Served) -> dict[str, float]:
    """What the server of a process counts, by name."""
    url = re.findall(r"http://127\.0\.0\.1:\d+/metrics", process.output)[0]
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        lines = [line for line in (await reply.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def logged_by(process: Served) -> list[dict[str, Any]]:
    """Every line that it has printed: each is a record."""
    return [json.loads(line) for line in process.lines]


ENDED = 'voiceloop_calls_total{direction="inbound",reason="caller hung up"}'
OPERATED = ("--port", "0", "--store", "none", "--metrics-port", "0", "--log", "json")


@pytest.mark.realtime
async def test_one_process_serves_metrics_and_prints_nothing_but_json(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    async with served(tmp_path, tea(tmp_path), *OPERATED) as process:
        await process.prints("Metrics: http")
        async with exchange(process) as sim:
            line = await sim.call(f"{PUBLIC}/voice")
            await line.caller.hears(silence=0.2)
            assert (await of_metrics(process))["voiceloop_live_calls"] == 1
            await line.hangs_up()
            await process.prints('"event": "call_ended"')
            counted = await of_metrics(process)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert (counted["voiceloop_live_calls"], counted[ENDED]) == (0, 1)
    told = logged_by(process)
    assert [each["event"] for each in told if each.get("call") == line.sid] == ["call_began", "call_ended"]
    assert told[-1]["message"] == "Stopping: calls end."


@pytest.mark.realtime
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="the processes of a process are read from /proc")
@pytest.mark.long
async def test_workers_are_counted_together_and_a_dead_one_has_no_live_calls(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    async with served(tmp_path, tea(tmp_path), *OPERATED, "--workers", "2") as process:
        await process.prints("2 workers are ready")
        async with exchange(process) as sim:
            lines = await asyncio.gather(*(sim.call(f"{PUBLIC}/voice") for _ in range(6)))
            await asyncio.gather(*(each.caller.hears(silence=0.2) for each in lines))
            assert (await of_metrics(process))["voiceloop_live_calls"] == 6
            began = {each["call"]: each["worker"] for each in logged_by(process) if each.get("event") == "call_began"}
            assert set(began.values()) == {"1", "2"}
            os.kill(process.workers()[0], signal.SIGKILL)
            lost = [each for each in lines if began[each.sid] == "1"]
            await process.prints('"again": true', times=len(lost))
            await until(lambda: len(process.workers()) == 2)
            assert (await of_metrics(process))["voiceloop_live_calls"] == 6
            await asyncio.gather(*(each.hangs_up() for each in lines))
            await process.prints('"event": "call_ended"', times=6)
            counted = await of_metrics(process)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert (counted["voiceloop_live_calls"], counted[ENDED]) == (0, 6)
    assert counted['voiceloop_calls_begun_total{direction="inbound"}'] == 6 + len(lost)
    assert [each["message"] for each in logged_by(process) if each["level"] == "WARNING"] == [
        "worker 1: it ended by SIGKILL: another one takes its place"
    ]


@pytest.mark.realtime
async def test_a_metrics_port_that_is_taken_is_told_before_the_models_load(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    arguments = ("--port", "0", "--store", "none", "--metrics-port", str(port), "--log", "json", "--workers", "2")
    async with taken, served(tmp_path, tea(tmp_path), *arguments) as process:
        assert await process.ended() == 1
    last = logged_by(process)[-1]
    assert last["level"] == "ERROR"
    assert last["message"].startswith(f"the metrics cannot be served at 127.0.0.1, port {port}: ")
