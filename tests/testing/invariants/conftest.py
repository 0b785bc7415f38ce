"""Calls to look at, and evidence that is doctored: what the tests of the invariants share."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.report import CallReport
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import Caller
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.serving import serving
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.scripted import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.witness import Witness
from voiceloop.turns.events import TurnOptions
from voiceloop.twilio.media import media_app

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars, and tea is two."

Talk = Callable[[Caller, Call], Awaitable[None]]


async def _chat(caller: Caller, call: Call) -> None:
    """A greeting, a question, a long answer that is cut, and a last word."""
    await caller.hears()
    await caller.says("what do you have")
    await caller.interrupts("a mocha please", after=1.5)
    await caller.hears()


def _held(
    talk: Talk = _chat,
    *,
    replies: Sequence[Any] = (MENU, "Sure, a mocha."),
    line: CarrierOptions | None = None,
    stages: Callable[[Call], Sequence[Any]] | None = None,
    lexicon: Lexicon | None = None,
    turns: TurnOptions | None = None,
    **providers: Any,
) -> Evidence:
    """Hold a call in virtual time; what it left."""
    lexicon = lexicon or Lexicon()
    stt = providers.get("stt") or ScriptedSTT(lexicon)
    llm = providers.get("llm") or ScriptedLLM(list(replies))
    tts = providers.get("tts") or ScriptedTTS(lexicon)
    witness = Witness()
    reports: list[CallReport] = []
    calls: list[Call] = []

    def bot(call: Call) -> Pipeline:
        if stages is not None:
            return Pipeline(stages(call))
        return Pipeline(
            [call.transport, EnergyVAD(), stt, TurnTaking(GREETING, turns), LLMAggregator(llm), tts, AudioStreamer()]
        )

    def taken(call: Call) -> None:
        calls.append(call)
        call.observe(witness)
        call.on_end(reports.append)

    async def hold() -> Evidence:
        async with Runtime() as runtime, serving(media_app(bot, runtime, on_call=taken)) as (url, connector):
            async with Carrier(url, options=line, connector=connector) as carrier:
                caller = Caller(carrier, ScriptedTTS(lexicon))
                while not calls:
                    await caller.waits(0.01)
                await talk(caller, calls[0])
            await caller.waits(20.0)
        return Evidence.of(witness, caller=caller, report=reports[0] if reports else None, lexicon=lexicon)

    return run_virtual(hold(), strict=True)


def _doctored(evidence: Evidence, **changes: Any) -> Evidence:
    """The same evidence with other fields; what was worked out from it is worked out anew."""
    return dataclasses.replace(evidence, skipped=[], **changes)


@pytest.fixture
def chat() -> Talk:
    """What the caller of most calls does: a greeting, a question, a long answer that is cut, and a last word."""
    return _chat


@pytest.fixture
def held() -> Callable[..., Evidence]:
    """`held(talk, replies=…, line=…)`: hold a call in virtual time; what it left."""
    return _held


@pytest.fixture
def doctored() -> Callable[..., Evidence]:
    """`doctored(evidence, report=None)`: the same with other fields; what follows from it is worked out anew."""
    return _doctored
