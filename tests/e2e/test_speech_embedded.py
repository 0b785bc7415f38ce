"""Real speech through whole calls: the embedded models do Google's and Cartesia's work behind their simulators."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.grids import first
from voiceloop.cli.load import load_bot
from voiceloop.errors import VoiceloopError
from voiceloop.report import CallReport
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.services import simulated_services
from voiceloop.sim.twilio import SimCall
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.google import GoogleSTT
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tts.hibari import Hibari

pytestmark = [pytest.mark.models, pytest.mark.speech]
BOT = Path(__file__).parents[2] / "examples" / "twilio_bot.py"
ANSWER = "We close at noon on Sundays, and your coffee will be ready in a moment."


class Line:
    """A call to the bot of the examples by somebody with a voice of their own."""

    def __init__(self, hears: Moonshine) -> None:
        self.hears = hears
        self.reports: list[CallReport] = []
        self.line: Any = None

    async def heard(self) -> str:
        """What a person understands of the agent's next words."""
        reply = await self.line.caller.hears()

        async def audio() -> AsyncIterator[bytes | Flush]:
            yield reply.audio

        async with aclosing(self.hears.transcribe(audio())) as items:
            return " ".join([item.text async for item in items if isinstance(item, Transcript) and item.final])

    async def report(self) -> CallReport:
        line: SimCall = self.line
        await line.hangs_up()
        await line.ended()
        await asyncio.sleep(1.0)
        return self.reports[0]


@asynccontextmanager
async def called() -> AsyncIterator[Line]:
    """The bot of the examples, with its own voice activity detection, called over simulators that know real speech."""
    async with AsyncExitStack() as stack:
        stt, tts = Moonshine(), Hibari()
        stack.push_async_callback(stt.aclose)
        stack.push_async_callback(tts.aclose)
        try:
            await stt.warm()
            await tts.warm()
        except VoiceloopError as error:
            pytest.skip(str(error))
        services = await stack.enter_async_context(simulated_services([ANSWER], hears=stt, voice=tts))
        stack.enter_context(services.environ())
        module: Any = load_bot(BOT)
        module.stt = GoogleSTT(channel=services.google.channel)
        there = Line(stt)
        options = PhoneOptions(on_call=lambda call: call.on_end(there.reports.append))
        serving = await stack.enter_async_context(serving_phone(module.bot, options=options))
        services.twilio.tunnel(serving.public_url, serving.url)
        there.line = await services.twilio.call(f"{serving.public_url}/voice")
        yield there


def wrong_words(heard: str, said: str) -> float:
    """The word error rate of what was understood."""
    one, other = (re.sub(r"[^a-z0-9' ]", "", text.lower().replace("-", " ")).split() for text in (heard, said))
    row = list(range(len(other) + 1))
    for number, word in enumerate(one, 1):
        before, row[0] = row[0], number
        for at, wanted in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != wanted))
    return row[-1] / len(other)


@pytest.mark.parametrize("name", first(1, ["az_weather.wav", "pv_order_441770b4.wav"]))
async def test_recorded_speech_is_understood_and_the_answer_is_understandable(name: str, speech_dir: Path) -> None:
    with (speech_dir / "manifest.tsv").open(newline="") as file:
        said = next(row["transcript"] for row in csv.DictReader(file, delimiter="\t") if row["file"] == name)
    async with called() as there:
        greeting = await there.heard()
        await there.line.caller.plays(speech_dir / name)
        answer = await there.heard()
        report = await there.report()
    (turn,) = report.turns
    assert wrong_words(greeting, "Corner Coffee, hi! What can I get you?") <= 0.15
    assert wrong_words(turn.caller, said) <= 0.15
    assert wrong_words(answer, ANSWER) <= 0.15
    assert turn.heard == ANSWER
    assert report.faults == []
