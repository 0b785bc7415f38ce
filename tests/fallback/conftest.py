"""A call with a bot whose providers stand in for each other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.report import CallReport
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import Dialled, Failing, Reply, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.testing.dial import dial
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.processor import EnergyVAD

Phone = Callable[..., AbstractAsyncContextManager[Dialled]]
ANSWERS = {
    "what do you have": "We have coffee and tea, and today there is also some very good cake.",
    "and do you have more": "Yes, there are sandwiches with cheese.",
    "please tell me now": "The cheese is from a small farm nearby.",
}


@pytest.fixture
def lexicon() -> Lexicon:
    """The artificial speech of this test."""
    return Lexicon()


@pytest.fixture
def phone(lexicon: Lexicon) -> Phone:
    """``async with phone(llm=Fallback([…])) as caller:`` is a call with a bot of six stages. Takes what `dial` does.

    A silence of 0.5 s ends a turn, whatever was said.
    """

    def bot(call: Call) -> Pipeline:
        turns = TurnTaking(endpointing=FixedSilence())
        stages = [EnergyVAD(), ScriptedSTT(lexicon), turns, LLMAggregator(ScriptedLLM(["Okay."]))]
        return Pipeline([call.transport, *stages, ScriptedTTS(lexicon), AudioStreamer()])

    return lambda **options: dial(bot, **{"lexicon": lexicon, "silence": 2.0, **options})


@pytest.fixture
def longest_silence() -> Callable[[bytes], float]:
    """`longest_silence(audio)`: seconds of the longest silence inside some artificial speech."""
    return lambda audio: max((len(run) for run in re.findall(rb"\xff+", audio)), default=0) / 8000


def _answering(messages: Sequence[Message]) -> str:
    """Answers the last question; goes on where it is told that an answer broke off."""
    last = messages[-1]
    if not last.text.startswith("(Your answer broke off after the words"):
        return ANSWERS[last.text]
    begun, question = messages[-2], messages[-3]
    answer = ANSWERS[question.text]
    assert answer.startswith(begun.text)
    return answer[len(begun.text) :].strip() or "."


@dataclass
class Outcome:
    """A call of three turns."""

    replies: list[Reply]
    waits: list[float]
    """Seconds from the end of each question to the first sound."""
    report: CallReport

    def everything_was_said(self) -> None:
        """Word for word, once, and remembered like that."""
        assert [reply.text for reply in self.replies] == list(ANSWERS.values())
        assert [turn.caller for turn in self.report.turns] == list(ANSWERS)
        assert [turn.heard for turn in self.report.turns] == list(ANSWERS.values())
        said = [message.text for message in self.report.conversation]
        assert said == [text for both in ANSWERS.items() for text in both]
        assert self.report.reason == "caller hung up"


@pytest.fixture
def answers() -> dict[str, str]:
    """The answer to each question of `three_turns`."""
    return ANSWERS


@pytest.fixture
def answering() -> Callable[[Sequence[Message]], str]:
    """The script of a model that knows them."""
    return _answering


@pytest.fixture
def three_turns(phone: Phone) -> Callable[..., Awaitable[Outcome]]:
    """``await three_turns([failing], tts=Fallback([…]))``: ask three questions, hang up, let go what is deaf."""

    async def ask(failing: Sequence[Failing], **providers: Any) -> Outcome:
        replies, waits = [], []
        async with phone(**{"llm": ScriptedLLM(_answering), **providers}) as caller:
            await caller.waits(0.1)
            for question in ANSWERS:
                said = await caller.says(question)
                reply = await caller.hears(timeout=60)
                replies.append(reply)
                waits.append(reply.started - said.speech_ended)
            report = await caller.hangs_up()
            for each in failing:
                each.let_go()
            await asyncio.sleep(0)
        return Outcome(replies, waits, report)

    return ask


@pytest.fixture
def pair(lexicon: Lexicon) -> Callable[[str, Failing | None, Failing | None], list[Any]]:
    """`pair("llm", failing, None)`: two providers of a kind, and what goes wrong at each."""

    def make(who: str, *failing: Failing | None) -> list[Any]:
        if who == "stt":
            return [ScriptedSTT(lexicon, failing=each) for each in failing]
        if who == "llm":
            return [ScriptedLLM(_answering, rate=20, first=0.1, failing=each) for each in failing]
        return [ScriptedTTS(lexicon, failing=each) for each in failing]

    return make
