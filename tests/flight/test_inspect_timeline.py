"""The timeline of a recorded call agrees with the one that was made while the call ran."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flight.conftest import LEXICON, shop
from tests.flight.test_replay import CASES
from voiceloop import Call, Pipeline
from voiceloop.flight import BadFlight, FlightOptions, read_flight
from voiceloop.flight.entries import Kind, entries_of
from voiceloop.flight.report import report_values
from voiceloop.flight.timeline import report_of, timeline_of
from voiceloop.flight.writer import BLOCK_HEAD, MAGIC
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport
from voiceloop.testing import calls, script

Record = Callable[..., Path]
FRESH = deepcopy(CASES, {id(LEXICON): LEXICON})
"""The cases, before any of their scripts was begun."""
TIMES = 0.0011
"""Seconds by which times may differ: the recording counts from its own first entry, the recorder from the call's."""


def case_of(name: str) -> tuple[Any, dict[str, Any]]:
    """What is said in a case, and on which providers."""
    return deepcopy(FRESH[name], {id(LEXICON): LEXICON})


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
    talk, options = case_of(case)
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


def cut_at(path: Path, seconds: float) -> Path:
    """A recording whose process was killed shortly after that, in the middle of writing."""
    data = path.read_bytes()
    zero = read_flight(path).header["at"]
    place = len(MAGIC)
    while place < len(data):
        size, _ = BLOCK_HEAD.unpack_from(data, place)
        start = place + BLOCK_HEAD.size
        place = start + size
        if list(entries_of(data[start:place]))[-1].at - zero >= seconds:
            break
    killed = path.with_name("killed.vlog")
    killed.write_bytes(data[: place + 50])
    return killed


def test_a_recording_that_breaks_off_agrees_up_to_there(record: Record) -> None:
    talk, options = case_of("barge-in")
    watched = Watched()
    killed = read_flight(cut_at(record(talk, bot=watched, **options), 5.5))
    made, (there,) = timeline_of(killed), watched.timelines
    end = made.duration
    assert not made.whole
    assert report_of(killed) is None
    assert 5.5 < end < 6.0
    size = round((end - 1.0) * 8000)  # what comes late in a call may still move what was there before
    assert made.caller_audio[:size] == there.caller_audio[:size]
    assert len(made.agent_audio) == len(made.caller_audio)
    assert [turn.text for turn in made.turns] == ["what do you have"]
    words = [word.text for word in there.words if word.end < end - 0.3 and word.answer == 1]
    assert [word.text for word in made.words if word.answer == 1][: len(words)] == words


def test_what_was_being_said_when_it_breaks_off_is_heard_as_far_as_it_was(record: Record) -> None:
    talk, options = case_of("turns")
    path = record(talk, **options)
    found = {}
    whole = timeline_of(read_flight(path))
    for tenth in range(45, 90, 5):
        made = timeline_of(read_flight(cut_at(path, tenth / 10)))
        answers = [answer for answer in made.answers if answer.id == 2 and answer.heard]
        if answers:
            found[made.duration] = (answers[0].heard, answers[0].unheard, made.listed)
    heard = [text for text, _, _ in found.values()]
    assert len(set(heard)) > 2
    assert heard == sorted(heard, key=len)
    full = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."
    assert all(full.startswith(text) for text in heard)
    for text, rest, listed in found.values():
        if rest:
            assert full.startswith(f"{text} {rest}")  # the model may still be writing
        assert [(turn.caller, turn.latency.as_ms()) for turn in listed if turn.latency is not None] == [
            ("what do you have", whole.turns[0].latency_ms)
        ]


def test_a_redacted_recording_keeps_times_and_lengths(record: Record, tmp_path: Path) -> None:
    talk, options = case_of("tools")
    watched = Watched()
    path = tmp_path / "call.vlog"
    flight = read_flight(record(talk, bot=watched, record=FlightOptions(path, redact=["audio", "text"]), **options))
    made, (there,) = timeline_of(flight), watched.timelines
    assert made.redacted == ("audio", "text")
    assert set(made.caller_audio + made.agent_audio) == {0xFF}
    assert len(made.caller_audio) == len(there.caller_audio)
    assert [turn.text for turn in made.turns] == ["xxxx xx xxx xxxx", "xxxxx xxx"]
    assert [turn.latency_ms for turn in made.turns] == [turn.latency_ms for turn in there.turns]
    places = [(word.start, word.end) for word in there.words]
    assert np.allclose([(word.start, word.end) for word in made.words], places, atol=TIMES)
    assert [(tool.name, round(tool.ended - tool.at, 2)) for tool in made.tools if tool.ended is not None] == [
        ("price", 0.4)
    ]


def test_what_went_on_behind_the_call_is_found(record: Record) -> None:
    talk, _ = case_of("tools")
    model = script(("Let me see.", calls("price", drink="latte")), "Four dollars.", first=0.2)
    made = timeline_of(read_flight(record(talk, llm=model)))
    (tool,) = made.tools
    assert (tool.name, tool.arguments, tool.result, tool.error, tool.answer) == (
        "price",
        '{"drink": "latte"}',
        "four dollars",
        False,
        2,
    )
    asked = [(request.answer, request.calls) for request in made.requests]
    assert asked[:2] == [(2, 1), (2, 0)]
    for request in made.requests:
        assert request.first == pytest.approx(request.at + 0.2)
        assert request.failure == ""
    assert made.providers == {"vad": "EnergyModel", "stt": "ScriptedSTT", "llm": "ScriptedLLM", "tts": "ScriptedTTS"}
    assert made.settled


def test_what_failed_is_found(record: Record) -> None:
    talk, options = case_of("model raises")
    made = timeline_of(read_flight(record(talk, **options)))
    assert [(failure.kind, failure.text) for failure in made.failures] == [
        ("llm", "ConnectionError: broken, as scripted")
    ]
    assert made.requests[0].failure == "ConnectionError: broken, as scripted"
    assert made.requests[0].answer == made.requests[1].answer == 2


def test_a_failure_that_no_report_tells_of_is_among_the_faults(record: Record) -> None:
    talk, options = case_of("model raises")
    path = record(talk, **options)
    faults = [event for event in timeline_of(read_flight(cut_at(path, 6.0))).events if event.kind == "fault"]
    assert [fault.text for fault in faults] == ["ScriptedLLM.failed: ConnectionError: broken, as scripted"]


def test_what_others_did_and_what_barked_is_found(record: Record) -> None:
    talk, options = case_of("others")
    made = timeline_of(read_flight(record(talk, **options)))
    assert [act.name for act in made.acts] == ["say", "interrupt", "play", "play", "hang_up"]
    talk, options = case_of("model is deaf")
    made = timeline_of(read_flight(record(talk, **options)))
    (bark,) = made.barks
    assert (bark.kind, bark.waited, bark.limit, bark.answer) == ("model_silent", 5.0, 5.0, 2)


def test_an_entry_that_cannot_be_read_is_refused_in_words(record: Record) -> None:
    talk, options = case_of("turns")
    flight = read_flight(record(talk, **options))
    notes = [(index, entry) for index, entry in enumerate(flight.entries) if entry.kind is Kind.NOTE]
    said = [(index, entry) for index, entry in notes if b'"said"' in entry.content]
    for index, entry in said:
        flight.entries[index] = replace(entry, content=b'{"k":"said"}')
    at = said[0][1].at - flight.header["at"]
    with pytest.raises(BadFlight, match=rf"an entry at {at:.3f} s cannot be read \(KeyError\('times'\)\)"):
        timeline_of(flight)
    del flight.header["call"]
    with pytest.raises(BadFlight, match="its header cannot be read"):
        timeline_of(flight)
