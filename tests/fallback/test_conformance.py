"""Fallbacks keep the contract of their kind, whoever of their providers does the work."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import ClassVar

from voiceloop.conversation import Message
from voiceloop.fallback import Fallback
from voiceloop.frames import Transcript
from voiceloop.llm.base import LLM
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.testing import (
    Failing,
    LLMConformance,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    STTConformance,
    TTSConformance,
)
from voiceloop.testing.scripted import Calls, calls
from voiceloop.tts.base import TTS

LEXICON = Lexicon()
SAID = ("two large coffees please", "and some cake today")


def reply(messages: Sequence[Message]) -> str | Calls:
    """Knows two capitals, looks up what a drink costs, and goes on where it is told to."""
    asked = [message for message in messages if message.role != "assistant"]
    begun = messages[-2].text if asked and asked[-1].text.startswith("(Your answer broke off") else ""
    last = asked[-2 if begun else -1] if asked else Message("user", "")
    if last.results:
        return "That is 41 dollars."
    if last.text == LLMConformance.tool_question:
        return calls("price", drink="latte")
    answer = {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of Japan?": "The answer is the city of Tokyo.",
    }.get(last.text, "Cherries are red. Grass is green. The sky is blue.")
    return answer.removeprefix(begun).strip() or "."


class WholeCall(STT):
    """One stream for the whole call; final segments, numbered from 0 in each utterance."""

    per_call: ClassVar[bool] = True

    def __init__(self, failing: Failing | None = None) -> None:
        self.failing = failing

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        fails = self.failing is not None and self.failing.begin()
        heard = bytearray()
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            if fails and self.failing is not None:
                await self.failing.strike()
                return
            for segment, word in enumerate(LEXICON.text(bytes(heard)).split()):
                yield Transcript(word, True, segment)
            heard.clear()
            yield piece


class _Artificial(STTConformance):
    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        first, second = ((LEXICON.speak(text)[0], text) for text in SAID)
        return first, second


class TestWellSTT(_Artificial):
    def provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, delay=0.3), ScriptedSTT(LEXICON)])

    def failing_provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, failing=Failing("raise", after=after)) for after in (0, 1)])

    def stalled_provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, failing=Failing("stall")) for _ in range(2)])


class TestBrokenFirstSTT(_Artificial):
    def provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, failing=Failing("raise", after=1)), ScriptedSTT(LEXICON)])


class TestStalledFirstSTT(_Artificial):
    def provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, failing=Failing("stall", after=1)), ScriptedSTT(LEXICON)])


class TestPerCallSTT(_Artificial):
    def provider(self) -> STT:
        return Fallback([WholeCall(Failing("raise", requests=range(1, 99, 2))), ScriptedSTT(LEXICON)])


class TestPerUtteranceThenPerCallSTT(_Artificial):
    def provider(self) -> STT:
        return Fallback([ScriptedSTT(LEXICON, failing=Failing("empty")), WholeCall()])


class TestNestedSTT(_Artificial):
    def provider(self) -> STT:
        broken = [ScriptedSTT(LEXICON, failing=Failing("raise")) for _ in range(2)]
        return Fallback([Fallback(broken), Fallback([ScriptedSTT(LEXICON)])])


class TestWellLLM(LLMConformance):
    def provider(self) -> LLM:
        return Fallback([ScriptedLLM(reply, first=0.3, rate=20), ScriptedLLM(["wrong"])])

    def failing_provider(self) -> LLM:
        return Fallback([ScriptedLLM(reply, failing=Failing("raise", after=after)) for after in (0, 2)])

    def stalled_provider(self) -> LLM:
        return Fallback([ScriptedLLM(reply, failing=Failing("stall", after=after)) for after in (0, 2)])


class TestBrokenFirstLLM(LLMConformance):
    def provider(self) -> LLM:
        return Fallback([ScriptedLLM(reply, failing=Failing("raise", after=3)), ScriptedLLM(reply, rate=20)])


class TestStalledFirstLLM(LLMConformance):
    def provider(self) -> LLM:
        return Fallback([ScriptedLLM(reply, failing=Failing("stall", after=3)), ScriptedLLM(reply)])


class TestNestedLLM(LLMConformance):
    def provider(self) -> LLM:
        broken = [ScriptedLLM(reply, failing=Failing("raise")) for _ in range(2)]
        return Fallback([Fallback(broken), Fallback([ScriptedLLM(reply)])])


class TestWellTTS(TTSConformance):
    def provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, first=0.3), ScriptedTTS(LEXICON)])

    def failing_provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, failing=Failing("raise", after=after)) for after in (0, 2)])

    def stalled_provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, failing=Failing("stall", after=after)) for after in (0, 2)])


class TestBrokenFirstTTS(TTSConformance):
    def provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, failing=Failing("raise", after=3)), ScriptedTTS(LEXICON)])


class TestCutFirstTTS(TTSConformance):
    def provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, failing=Failing("empty", after=3)), ScriptedTTS(LEXICON)])


class TestStalledFirstTTS(TTSConformance):
    def provider(self) -> TTS:
        return Fallback([ScriptedTTS(LEXICON, failing=Failing("stall", after=3)), ScriptedTTS(LEXICON)])


class TestNestedTTS(TTSConformance):
    def provider(self) -> TTS:
        broken = [ScriptedTTS(LEXICON, failing=Failing("raise")) for _ in range(2)]
        return Fallback([Fallback(broken), Fallback([ScriptedTTS(LEXICON)])])
