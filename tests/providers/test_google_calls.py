"""Whole calls with `GoogleSTT`, Google's own client and the simulator in between, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from statistics import median
from typing import Any, Literal

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

from voiceloop import AudioStreamer, Call, EnergyVAD, FixedSilence, LLMAggregator, Pipeline, TurnTaking
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded
from voiceloop.sim.google import Fault, GoogleSpeechSim, Timing
from voiceloop.stt.google import GoogleOptions, GoogleSTT
from voiceloop.testing import Dialled, ScriptedLLM, ScriptedSTT, ScriptedTTS, dial, script


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon()


def make(lexicon: Lexicon, greeting: str = "") -> Callable[[Call], Pipeline]:
    def bot(call: Call) -> Pipeline:
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(lexicon),
                TurnTaking(greeting, endpointing=FixedSilence()),
                LLMAggregator(script("Okay.")),
                ScriptedTTS(lexicon),
                AudioStreamer(),
            ]
        )

    return bot


@asynccontextmanager
async def calling(
    lexicon: Lexicon,
    sim: GoogleSpeechSim,
    *,
    version: Literal["v1", "v2"] = "v2",
    options: GoogleOptions | None = None,
    greeting: str = "",
    **more: Any,
) -> AsyncIterator[Dialled]:
    stt = GoogleSTT(version=version, channel=sim.channel, options=options)
    async with dial(make(lexicon, greeting), stt=stt, lexicon=lexicon, silence=0.4, **more) as caller:
        yield caller
    assert sim.open_streams == 0


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_two_turns_and_memory(lexicon: Lexicon, version: Literal["v1", "v2"]) -> None:
    sim = GoogleSpeechSim(lexicon)
    llm = script("One coffee.", "Five minutes.")
    async with calling(lexicon, sim, version=version, llm=llm, greeting="Hello!") as caller:
        await caller.hears("Hello!")
        await caller.says("a coffee please")
        await caller.hears("One coffee.")
        await caller.says("how long will it take")
        await caller.hears("Five minutes.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns if turn.caller] == ["a coffee please", "how long will it take"]
    assert [message.text for message in llm.requests[1]][-3:] == [
        "a coffee please",
        "One coffee.",
        "how long will it take",
    ]
    assert report.faults == []
    assert report.usage["stt.seconds"] == pytest.approx(report.duration, abs=0.3)


@pytest.mark.parametrize("profile", ["google", "fast"])
async def test_the_recogniser_costs_no_time_at_the_end_of_a_turn(lexicon: Lexicon, profile: str) -> None:
    sim = GoogleSpeechSim(lexicon, timing=profile)
    providers = {"llm": ScriptedLLM(["Certainly."], first=0.3), "tts": ScriptedTTS(lexicon, first=0.09)}
    async with calling(lexicon, sim, **providers) as caller:
        for index in range(20):
            await caller.waits(0.013 * index)
            await caller.says(f"this is sentence number {index} of this call")
            await caller.hears("Certainly.")
        report = await caller.hangs_up()
    parts = [turn.latency for turn in report.turns if turn.latency is not None]
    assert len(parts) == 20
    assert [turn.caller for turn in report.turns] == [f"this is sentence number {i} of this call" for i in range(20)]
    assert median(part.stt for part in parts) <= 0.001
    assert max(part.stt for part in parts) <= 0.04


async def test_waiting_for_finals_costs_the_rest_of_a_second(lexicon: Lexicon) -> None:
    sim = GoogleSpeechSim(lexicon, timing=Timing(p95=0.88))
    async with calling(lexicon, sim, llm=script("Yes."), options=GoogleOptions(settle="final")) as caller:
        await caller.says("a coffee please")
        await caller.hears("Yes.")
        report = await caller.hangs_up()
    latency = report.turns[0].latency
    assert latency is not None
    assert latency.endpoint + latency.stt == pytest.approx(0.88, abs=0.03)


@pytest.mark.parametrize("first", [0.0, 0.1, 0.3, 0.8], ids=lambda first: f"model {first}")
async def test_a_late_final_is_no_turn_and_repeats_nothing(lexicon: Lexicon, first: float) -> None:
    """The final comes when the answer is being thought of, or is heard, or when the caller speaks again."""
    sim = GoogleSpeechSim(lexicon, timing=Timing(median=1.4, p95=1.4))
    llm = ScriptedLLM(["Fine."], first=first)
    async with calling(lexicon, sim, llm=llm) as caller:
        for words in ("a coffee please", "and a cake", "that is all", "thank you"):
            await caller.says(words)
            await caller.hears("Fine.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["a coffee please", "and a cake", "that is all", "thank you"]
    assert len(llm.requests) == 4


async def test_a_caller_who_goes_on_is_understood_in_one_piece(lexicon: Lexicon) -> None:
    """The pauses are shorter than the endpoint, or just longer: then the turn is asked anew."""
    sim = GoogleSpeechSim(lexicon)
    llm = ScriptedLLM(["Fine."], first=0.4)
    async with calling(lexicon, sim, llm=llm) as caller:
        for pause in (0.2, 0.3, 0.45, 0.55, 0.7):
            await caller.says("first comes this part")
            await caller.waits(pause)
            await caller.says("then comes another")
            await caller.hears("Fine.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns if turn.heard] == ["first comes this part then comes another"] * 5


async def test_last_words_that_come_after_the_flush_are_in_the_turn(lexicon: Lexicon) -> None:
    sim = GoogleSpeechSim(lexicon, timing=Timing(interim=0.6))
    async with calling(lexicon, sim, llm=script("Yes.")) as caller:
        await caller.says("two large coffees please")
        await caller.hears("Yes.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == ["two large coffees please"]


async def test_a_recogniser_far_behind_says_nothing_twice(lexicon: Lexicon) -> None:
    """More than the 2 s for which a turn waits: the end of what was said may come when its turn was answered."""
    sim = GoogleSpeechSim(lexicon, timing=Timing(interim=2.6, median=3.0, p95=3.0))
    async with calling(lexicon, sim, llm=script("Yes.")) as caller:
        await caller.says("one two three")
        await caller.waits(1.0)
        await caller.says("four five six")
        await caller.waits(8.0)
        report = await caller.hangs_up()
    told = " ".join(turn.caller for turn in report.turns if turn.caller).split()
    assert told == ["one", "two", "three", "four", "five", "six"][: len(told)]
    assert len(told) >= 5


async def test_a_noise_costs_nothing(lexicon: Lexicon) -> None:
    sim = GoogleSpeechSim(lexicon)
    async with calling(lexicon, sim, llm=script("Yes."), greeting="Hello!") as caller:
        await caller.hears("Hello!")
        await caller.says(bytes(range(0x80)) * 20 + b"\xff" * 4000)
        await caller.waits(2.0)
        await caller.says("a coffee please")
        await caller.hears("Yes.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns if turn.caller] == ["a coffee please"]


async def test_streams_that_break_are_not_noticed_by_anybody(lexicon: Lexicon) -> None:
    faults = {number: Fault(code="UNAVAILABLE", at=0.4 + 0.2 * (number % 5)) for number in range(0, 30, 2)}
    sim = GoogleSpeechSim(lexicon, faults=faults)
    async with calling(lexicon, sim, llm=script("Fine.")) as caller:
        for index in range(8):
            await caller.says(f"sentence number {index} of eight")
            await caller.hears("Fine.")
        report = await caller.hangs_up()
    assert [turn.caller for turn in report.turns] == [f"sentence number {index} of eight" for index in range(8)]
    assert report.faults == []
    assert "UNAVAILABLE" in {stream.status for stream in sim.streams}


async def test_a_key_that_is_refused_ends_the_call_with_words_and_says_why(lexicon: Lexicon) -> None:
    sim = GoogleSpeechSim(lexicon, faults=lambda number: Fault(code="UNAUTHENTICATED"))
    async with calling(lexicon, sim, llm=script("Fine."), greeting="Hello!") as caller:
        await caller.hears("Hello!")
        with suppress(CallEnded):
            while True:
                await caller.says("is anybody there")
                await caller.waits(3.0)
        report = await caller.report()
    assert report.reason == "failed"
    assert "the credentials are not accepted" in report.faults[0].message
    assert "GOOGLE_APPLICATION_CREDENTIALS" in report.faults[0].message


@pytest.mark.parametrize("after", [0.05, 0.5, 1.3, 2.4])
async def test_a_call_that_ends_at_any_moment_leaves_nothing(lexicon: Lexicon, after: float) -> None:
    sim = GoogleSpeechSim(lexicon)
    async with calling(lexicon, sim, llm=script("Fine.")) as caller:
        caller.carrier.say(lexicon.speak("some words that are cut short")[0])
        await caller.waits(after)
        await caller.hangs_up()
    assert sim.open_streams == 0
