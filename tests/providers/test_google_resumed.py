"""The caller goes on in the very moment in which the recogniser is asked for what they said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import GoogleSpeechSim
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.google import GoogleSTT

QUIET = b"\xff"


@pytest.mark.parametrize("begun", [0, 40, 160, 333, 640])
@pytest.mark.parametrize("profile", ["google", "fast"])
async def test_a_word_that_has_just_begun_is_understood_whole(begun: int, profile: str) -> None:
    lexicon = Lexicon()
    said = lexicon.speak("one tea")[0] + QUIET * 1100
    resumed = lexicon.speak("and milk")[0] + QUIET * 16000

    async def line() -> AsyncIterator[bytes | Flush]:
        for audio in (said + resumed[:begun], resumed[begun:]):
            for at in range(0, len(audio), 160):
                await asyncio.sleep(0.02)
                yield audio[at : at + 160]
            yield Flush()

    sim = GoogleSpeechSim(lexicon, timing=profile)
    stt = GoogleSTT(channel=sim.channel)
    told: dict[int, str] = {}
    async for item in stt.transcribe(line()):
        if isinstance(item, Transcript):
            told[item.segment] = item.text
    await stt.aclose()
    assert " ".join(told[number] for number in sorted(told) if told[number]) == "one tea and milk"
