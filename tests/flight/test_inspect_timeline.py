"""The timeline of a recorded call agrees with the one that was made while the call ran."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.flight.conftest import LEXICON, shop
from tests.flight.test_replay import CASES
from voiceloop import Call, Pipeline
from voiceloop.flight import BadFlight, FlightOptions, read_flight
from voiceloop.flight.entries import Kind
from voiceloop.flight.report import report_values
from voiceloop.flight.timeline import report_of, timeline_of
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport
from voiceloop.testing import calls, script

Record = Callable[..., Path]
TIMES = 0.0011
"""Seconds by which times may differ: the recording counts from its own first entry, the recorder from the call's."""


class Watched:
    """A bot with a recorder of its own."""

    def __init__(self) -> None:
        self.timelines: list[Timeline] = []
        self.reports: list[CallReport] = []

    def __call__(self, call: Call) -> Pipeline:
        recorder = TimelineRecorder()
        call.observe(recorder)
        call.on_end(lambda report: self.timelines.append(recorder.timeline(report)))
        call.on_end(self.reports.append)
        made: Pipeline = shop()(call)
        return made


def near(one: Any, other: Any) -> Any:
    """The second, with its times as approximations."""
    if isinstance(other, float):
        return pytest.approx(other, abs=TIMES)
    if isinstance(other, dict):
        return {key: near(None, value) for key, value in other.items()}
    if isinstance(other, list):
        return [near(None, value) for value in other]
    return other


@pytest.mark.parametrize("case", CASES)
def test_it_agrees_field_by_field_with_the_one_made_during_the_call(record: Record, case: str) -> None:
    talk, options = CASES[case]
    watched = Watched()
    flight = read_flight(record(talk, bot=watched, **options))
    made, (there,) = timeline_of(flight), watched.timelines
    assert made.whole
    for line in (made, there):  # of what happens at one moment the order is not stated
        line.events.sort(key=lambda event: (round(event.at, 3), event.kind, event.text))
    for name, value in there.as_dict().items():
        if name != "began":
            assert asdict(made)[name] == near(None, value), name
    assert made.began[:16] == there.began[:16]
    assert made.caller_audio == there.caller_audio
    assert made.agent_audio == there.agent_audio
    report = report_of(flight)
    assert report is not None
    assert report_values(report) == report_values(watched.reports[0])


