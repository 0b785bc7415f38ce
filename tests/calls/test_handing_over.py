"""Calls are handed to somebody else, keys are pressed on the line, and what a call costs is in its report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop.audio.dtmf import tones
from voiceloop.errors import VoiceloopError
from voiceloop.prices import Prices
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, script

Phone = Callable[..., Any]


class Exchange:
    """A carrier's control that notes what it is asked, and fails where told to."""

    def __init__(self, failing: str = "") -> None:
        self.asked: list[tuple[str, float]] = []
        self.failing = failing

    async def transfer(self, call_id: str, to: str) -> None:
        self.asked.append((to, asyncio.get_running_loop().time()))
        if self.failing == "slow":
            await asyncio.Event().wait()
        if self.failing:
            raise ConnectionError(self.failing)


async def test_a_call_is_handed_over_when_its_last_words_were_heard(
    phone: Phone, heard: Callable[[Dialled], str]
) -> None:
    exchange = Exchange()
    async with phone(greeting="Hello!") as caller:
        await caller.hears("Hello!")
        caller.call.carrier = exchange
        said = await caller.call.transfer("+14155550100", "I connect you with Ann.")
        report = await caller.report()
        assert "connected when your last words have been heard" in said
    assert heard(caller) == "Hello! I connect you with Ann."
    assert report.reason == "transferred"
    ((to, at),) = exchange.asked
    assert to == "+14155550100"
    last = caller.carrier.truth.time_of(caller.carrier.playback.sound_end)
    assert last <= at <= last + 0.7


@pytest.mark.parametrize("failing", ["line busy", "slow"])
async def test_a_call_that_cannot_be_handed_over_goes_on(
    phone: Phone, heard: Callable[[Dialled], str], failing: str
) -> None:
    async with phone(greeting="Hello!", llm=script("Still here.")) as caller:
        await caller.hears("Hello!")
        caller.call.carrier = Exchange(failing)
        await caller.call.transfer("+14155550100", "One moment.")
        await caller.waits(18.5 if failing == "slow" else 8.0)
        meanwhile = "One moment, please. I'm still working on it. " if failing == "slow" else ""
        assert f"One moment. {meanwhile}Sorry, something went wrong." in heard(caller)
        await caller.says("are you there")
        await caller.waits(3.0)
        assert heard(caller).endswith("Still here.")
        report = await caller.hangs_up()
    assert report.reason == "caller hung up"
    assert [fault.kind for fault in report.faults] == ["transfer.failed"]
    assert ("nothing for 10 s" if failing == "slow" else "ConnectionError: line busy") in report.faults[0].message


@pytest.mark.parametrize("to", ["", "5550100", "+0123456789", "call me", "+14155550100<Say>", "sip:"])
async def test_what_is_no_number_is_refused_before_anything_is_said(phone: Phone, to: str) -> None:
    async with phone(greeting="Hello!") as caller:
        await caller.hears("Hello!")
        caller.call.carrier = exchange = Exchange()
        with pytest.raises(VoiceloopError, match="expected a number with country code"):
            await caller.call.transfer(to)
        assert caller.call.ending is None
        await caller.hangs_up()
    assert exchange.asked == []


async def test_without_the_carriers_keys_a_transfer_says_what_is_missing(phone: Phone) -> None:
    async with phone(greeting="Hello!") as caller:
        await caller.hears("Hello!")
        with pytest.raises(VoiceloopError, match="TWILIO_ACCOUNT_SID"):
            await caller.call.transfer("+14155550100")
        await caller.hangs_up()


async def test_keys_are_heard_on_the_line_behind_what_is_said(phone: Phone) -> None:
    async with phone(greeting="Hello!") as caller:
        await caller.hears("Hello!")
        await caller.call.send_digits("12#")
        await caller.waits(2.0)
        await caller.hangs_up()
    assert tones("12#") in bytes(caller.carrier.heard)


async def test_the_report_says_what_the_call_cost(phone: Phone, lexicon: Lexicon) -> None:
    prices = Prices(stt_minute=0.6, llm_output=1e6, tts_characters=1e6, line_minute=60.0)
    providers = {"stt": ScriptedSTT(lexicon), "tts": ScriptedTTS(lexicon)}
    async with (
        Runtime(prices=prices) as runtime,
        phone(runtime=runtime, llm=script("Three words here."), **providers) as caller,
    ):
        await caller.says("a large latte please")
        await caller.hears("Three words here.")
        report = await caller.hangs_up()
    assert report.cost is not None
    assert report.cost.llm == pytest.approx(3.0)
    assert report.cost.tts == pytest.approx(len("Three words here."))
    assert report.cost.stt == pytest.approx(report.usage["stt.seconds"] * 0.01)
    assert report.cost.line == pytest.approx(report.duration)


async def test_what_was_written_for_nobody_is_counted(phone: Phone) -> None:
    long = "We have coffee and tea and cake and bread and soup for everyone until the evening."
    async with phone(llm=script(long, "Sure.")) as caller:
        await caller.says("what do you have")
        await caller.interrupts("wait stop", after=1.0)
        await caller.hears("Sure.")
        report = await caller.hangs_up()
    first = report.turns[0]
    assert first.interrupted
    assert report.usage["llm.wasted_characters"] == len(first.unheard) > 20
