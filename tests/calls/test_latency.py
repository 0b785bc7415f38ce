"""How long the caller waits, and for what: measured by the library, compared with the truth of the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from voiceloop.latency import Latency
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.turns.events import TurnOptions

Phone = Callable[..., Any]
FRAME = 0.02


async def one_turn(
    phone: Phone, lexicon: Lexicon, *, stt: float = 0.1, llm: float = 0.2, tts: float = 0.09, **options: Any
) -> tuple[Latency, float]:
    """What the library says of the second turn of a call, and the truth."""
    providers = {
        "stt": ScriptedSTT(lexicon, delay=stt),
        "llm": ScriptedLLM(["Of course."], first=llm),
        "tts": ScriptedTTS(lexicon, first=tts),
    }
    async with phone(greeting="Hello!", **providers, **options) as caller:
        await caller.hears()
        await caller.says("a coffee")
        await caller.hears()
        spoken = await caller.says("two coffees please")
        await caller.hears()
        truth = caller.carrier.truth.first_sound_after(spoken.speech_ended)
        report: CallReport = await caller.hangs_up()
    latency = report.turns[1].latency
    assert latency is not None
    assert truth is not None
    return latency, truth - spoken.speech_ended


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.06, 0.2])
async def test_the_total_is_what_the_caller_waited(phone: Phone, lexicon: Lexicon, delay: float) -> None:
    latency, truth = await one_turn(phone, lexicon, delay=delay)
    assert latency.total == pytest.approx(truth, abs=FRAME + 0.001)
    assert sum(asdict(latency).values()) == pytest.approx(latency.total, abs=1e-9)
    assert latency.carrier == pytest.approx(2 * delay, abs=FRAME + 0.001)


async def test_the_total_is_true_on_ways_of_unequal_length(phone: Phone, lexicon: Lexicon) -> None:
    carrier = CarrierOptions(delay_to_server=0.15, delay_from_server=0.03)
    latency, truth = await one_turn(phone, lexicon, carrier=carrier)
    assert latency.total == pytest.approx(truth, abs=FRAME + 0.001)


async def test_the_total_is_true_on_a_line_that_jitters(phone: Phone, lexicon: Lexicon) -> None:
    for seed in range(5):
        carrier = CarrierOptions(seed=seed, delay_to_server=0.05, delay_from_server=0.05, jitter=0.03)
        latency, truth = await one_turn(phone, lexicon, carrier=carrier)
        assert latency.total == pytest.approx(truth, abs=2 * FRAME)


@pytest.mark.parametrize("part", ["llm", "tts"])
@pytest.mark.parametrize("delay", [0.0, 0.06])
async def test_a_slow_provider_shows_in_its_own_part_alone(
    phone: Phone, lexicon: Lexicon, part: str, delay: float
) -> None:
    usual = {"stt": 0.1, "llm": 0.2, "tts": 0.09}
    before, _ = await one_turn(phone, lexicon, delay=delay, **usual)
    after, truth = await one_turn(phone, lexicon, delay=delay, **{**usual, part: usual[part] + 0.2})
    for name, seconds in asdict(after).items():
        more = 0.2 if name == part else 0.0
        assert seconds - asdict(before)[name] == pytest.approx(more, abs=0.001), name
    assert after.total == pytest.approx(truth, abs=FRAME + 0.001)


async def test_a_recogniser_is_waited_for_only_where_it_is_slower_than_the_silence(
    phone: Phone, lexicon: Lexicon
) -> None:
    # It is asked 0.16 s after the last sample (or at the next frame), the turn ends 0.5 s after it at the earliest.
    quick, _ = await one_turn(phone, lexicon, stt=0.1)
    enough, _ = await one_turn(phone, lexicon, stt=0.3)
    slow, _ = await one_turn(phone, lexicon, stt=0.5)
    slower, truth = await one_turn(phone, lexicon, stt=0.7)
    assert (quick.stt, enough.stt) == (0.0, 0.0)
    assert slow.stt == pytest.approx(0.18, abs=FRAME)
    assert slower.stt - slow.stt == pytest.approx(0.2, abs=0.001)
    assert slower.llm == pytest.approx(slow.llm, abs=0.001)
    assert slower.total == pytest.approx(truth, abs=FRAME + 0.001)


async def test_a_longer_silence_shows_in_the_endpoint_part_alone(phone: Phone, lexicon: Lexicon) -> None:
    before, _ = await one_turn(phone, lexicon)
    after, truth = await one_turn(phone, lexicon, turns=TurnOptions(silence=0.7))
    for name, seconds in asdict(after).items():
        more = 0.2 if name == "endpoint" else 0.0
        assert seconds - asdict(before)[name] == pytest.approx(more, abs=0.001), name
    assert after.total == pytest.approx(truth, abs=FRAME + 0.001)


async def test_a_turn_without_an_answer_that_was_heard_has_no_latency(phone: Phone) -> None:
    async with phone(llm=ScriptedLLM(["Of course."], first=3.0)) as caller:
        await caller.says("a coffee")
        await caller.waits(1.0)
        report = await caller.hangs_up()
    assert [(turn.caller, turn.heard, turn.latency) for turn in report.turns] == [("a coffee", "", None)]
