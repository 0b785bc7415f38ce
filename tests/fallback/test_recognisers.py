"""Recognisers fail in the middle of what the caller says, and of the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from voiceloop.fallback import Fallback, FallbackOptions
from voiceloop.frames import Transcript
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import Flush
from voiceloop.testing import Failing, ScriptedSTT

Phone = Callable[..., Any]
MOST = 1.5
"""Seconds of silence that a failure may cost at most."""


@pytest.mark.parametrize("how", ["raise", "stall", "deaf", "empty"])
async def test_a_recogniser_that_fails_between_two_pauses_of_a_turn_loses_no_word(
    phone: Phone, lexicon: Lexicon, how: Any
) -> None:
    failing = Failing(how, after=1, requests={0})
    stt = Fallback([ScriptedSTT(lexicon, failing=failing), ScriptedSTT(lexicon)])
    pause = b"\xff" * 2400  # 0.3 s: the recogniser is asked, the turn goes on
    said = pause.join(lexicon.speak(text)[0] for text in ("two coffees please", "and a cake", "that is all"))
    async with phone(stt=stt) as caller:
        await caller.says(said)
        reply = await caller.hears("Okay.")
        report = await caller.hangs_up()
        failing.let_go()
        await asyncio.sleep(0)
    assert [turn.caller for turn in report.turns] == ["two coffees please and a cake that is all"]
    assert reply.latency is not None
    assert reply.latency <= MOST


class Streaming(ScriptedSTT):
    """One stream for the whole call, final segments."""

    per_call: ClassVar[bool] = True

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        heard, segment = bytearray(), 0
        fails = self.failing is not None and self.failing.begin()
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            if fails and self.failing is not None and segment == self.failing.after:
                await self.failing.strike()
                return
            if text := self._lexicon.text(bytes(heard)):
                yield Transcript(text, True, segment)
                segment += 1
                heard.clear()
            yield piece


@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("how", ["raise", "stall", "deaf", "empty"])
@pytest.mark.parametrize("kinds", [(Streaming, ScriptedSTT), (ScriptedSTT, Streaming), (Streaming, Streaming)])
async def test_recognisers_of_the_call_and_of_the_utterance_stand_in_for_each_other(
    three_turns: Phone, lexicon: Lexicon, kinds: tuple[type[ScriptedSTT], type[ScriptedSTT]], how: Any, after: int
) -> None:
    failing = Failing(how, after=after, requests={0} if kinds[0].per_call else {after})
    if not kinds[0].per_call:
        failing.after = 0
    stt = Fallback([kinds[0](lexicon, failing=failing), kinds[1](lexicon)], FallbackOptions(rest=4.0))
    assert stt.per_call is kinds[0].per_call
    outcome = await three_turns([failing], stt=stt)
    outcome.everything_was_said()
    assert max(outcome.waits) <= MOST
    last = "ScriptedSTT" if kinds[0] is ScriptedSTT else "Streaming"
    assert any(name.startswith(last) for name in outcome.report.served["stt"])
    assert failing.count >= 2  # the first served again
