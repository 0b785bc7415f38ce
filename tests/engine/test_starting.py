"""The beginning of a call: every `start` is entered, waited for within a limit, and paid back by one `stop`."""

from __future__ import annotations

import asyncio

from voiceloop.frames import CallEnd, CallStart, Digit, Fault
from voiceloop.processor import Processor
from voiceloop.runtime import Limits


class Stage(Processor):
    """Notes its start and stop in a common log."""

    def __init__(self, label: str, log: list[str], takes: float = 0.0, error: BaseException | None = None) -> None:
        self.label, self.log, self.takes, self.error = label, log, takes, error

    async def start(self) -> None:
        self.log.append(f"start {self.label}")
        await asyncio.sleep(self.takes)
        if self.error is not None:
            raise self.error
        self.log.append(f"started {self.label}")

    async def stop(self) -> None:
        self.log.append(f"stop {self.label}")

    def on_call_start(self, start: CallStart) -> None:
        self.log.append(f"call {self.label}")


class OnlyStops(Processor):
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def stop(self) -> None:
        self.log.append("stop only")


async def test_call_starts_when_all_starts_have_returned_and_stops_run_latest_first(session):
    log: list[str] = []
    async with session(Stage("a", log, 2), OnlyStops(log), Stage("b", log, 1)):
        await asyncio.sleep(1.5)
        assert log == ["start a", "start b", "started b"]
        await asyncio.sleep(1)
    assert log == [
        *["start a", "start b", "started b", "started a", "call a", "call b"],
        *["stop b", "stop only", "stop a"],
    ]


async def test_call_starts_without_a_start_that_takes_too_long(session, tape):
    log: list[str] = []
    async with session(Stage("a", log, 60), tape, limits=Limits(start=5.0)) as running:
        await asyncio.sleep(4.9)
        assert log == ["start a"]
        await asyncio.sleep(0.2)
        assert log == ["start a", "call a"]
        assert tape.of(CallStart, Fault) == ["Fault:start.slow", "CallStart"]
        report = await running.end()
    assert log == ["start a", "call a", "stop a"]
    assert [f.message for f in report.faults] == ["not started after 5 s: Stage.start. The call goes on."]


async def test_start_that_raises_ends_the_call_politely_and_is_still_stopped(session, tape):
    log: list[str] = []
    async with session(Stage("a", log, error=ValueError("no key")), Stage("b", log), tape) as running:
        report = await running.ended()
    assert report.reason == "failed"
    assert [(f.kind, f.message) for f in report.faults] == [("Stage.start", "ValueError: no key")]
    assert log[-2:] == ["stop b", "stop a"]
    assert tape.content == [f"Text:{running.call.phrases.failed}", "AnswerEnd:1"]


async def test_start_that_cancels_itself_has_failed(session):
    log: list[str] = []
    async with session(Stage("a", log, error=asyncio.CancelledError())) as running:
        report = await running.ended()
    assert (report.reason, [f.kind for f in report.faults]) == ("failed", ["Stage.start"])


async def test_start_that_hangs_is_stopped_once(session):
    log: list[str] = []
    async with session(Stage("a", log, 1e6), Stage("b", log), limits=Limits(start=1.0)) as running:
        await asyncio.sleep(2)
        report = await running.end()
    assert log == ["start a", "start b", "started b", "call a", "call b", "stop b", "stop a"]
    assert report.abandoned == []


async def test_call_that_ends_while_starting_never_starts_and_is_stopped(session, tape):
    log: list[str] = []
    async with session(Stage("a", log, 5), tape) as running:
        await asyncio.sleep(1)
        report = await running.end("caller hung up")
    assert log == ["start a", "stop a"]
    assert tape.of(CallStart, CallEnd) == ["CallEnd"]
    assert (report.reason, report.duration) == ("caller hung up", 1.0)


async def test_call_given_up_before_it_runs_ends_at_once_and_starts_and_stops_nothing(session, tape):
    log: list[str] = []
    running = session(Stage("a", log, 5), OnlyStops(log), tape)
    running.call.end("busy")
    async with running:
        report = await running.ended()
    assert (report.reason, report.duration, log) == ("busy", 0.0, [])
    assert tape.of(CallStart, CallEnd) == ["CallEnd"]


async def test_signals_are_delivered_while_processors_start(session, tape):
    log: list[str] = []
    stage = Stage("a", log, 5)
    async with session(stage, tape):
        stage.push(Digit("1", 0.0))
        assert tape.of(Digit) == ["Digit:1"]
