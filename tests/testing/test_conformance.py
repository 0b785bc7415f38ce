"""The conformance suites: the library's own providers keep the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.warm import python
from voiceloop.conversation import Message
from voiceloop.errors import VoiceloopError
from voiceloop.frames import Transcript
from voiceloop.llm import llamacpp
from voiceloop.llm.llamacpp import LlamaCpp, LlamaCppOptions
from voiceloop.llm.llamacpp_server import Engine, EngineOptions
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.stt.moonshine import Moonshine
from voiceloop.stt.moonshine_model import MoonshineModel
from voiceloop.testing import (
    Failing,
    LLMConformance,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    STTConformance,
    TTSConformance,
    calls,
)
from voiceloop.testing.scripted import Calls
from voiceloop.tts.hibari import Hibari
from voiceloop.tts.hibari_model import HibariModel
from voiceloop.weights import SMOLLM2_135M, fetch

LEXICON = Lexicon()
SAID = ("two large coffees please", "and some cake today")


def reply(messages: Sequence[Message]) -> str | tuple[str | Calls, ...]:
    """Knows two capitals, and asks for prices."""
    if messages and messages[-1].results:
        return f"It is {messages[-1].results[0].text}."
    if messages and messages[-1].text == "What does a latte cost?":
        return "Let me look.", calls("price", drink="latte")
    last = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return {
        "What is the capital of France?": "The capital of France is Paris.",
        "What is the capital of Japan?": "It is Tokyo.",
    }.get(last, "Cherries are red. Grass is green. The sky is blue.")


class ArtificialSTT(STTConformance):
    """Of recognisers that know artificial speech only."""

    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        first, second = ((LEXICON.speak(text)[0], text) for text in SAID)
        return first, second


# --- in virtual time ----------------------------------------------------------------------------------------


class TestScriptedSTT(ArtificialSTT):
    def provider(self) -> STT:
        return ScriptedSTT(LEXICON, delay=0.3)

    def failing_provider(self) -> STT:
        return ScriptedSTT(LEXICON, failing=Failing("raise", after=1))

    def stalled_provider(self) -> STT:
        return ScriptedSTT(LEXICON, failing=Failing("stall"))


class WholeCall(STT):
    """One stream for the whole call; final segments, numbered from 0 in each utterance."""

    per_call: ClassVar[bool] = True

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        heard = bytearray()
        async for piece in audio:
            if isinstance(piece, bytes):
                heard += piece
                continue
            for segment, word in enumerate(LEXICON.text(bytes(heard)).split()):
                yield Transcript(word, True, segment)
            heard.clear()
            yield piece


class TestWholeCall(ArtificialSTT):
    def provider(self) -> STT:
        return WholeCall()


class TestScriptedLLM(LLMConformance):
    def provider(self) -> ScriptedLLM:
        return ScriptedLLM(reply, first=0.3, rate=20)

    def failing_provider(self) -> ScriptedLLM:
        return ScriptedLLM(reply, failing=Failing("raise", after=2))

    def stalled_provider(self) -> ScriptedLLM:
        return ScriptedLLM(reply, failing=Failing("stall", after=2))


class TestInstantLLM(LLMConformance):
    def provider(self) -> ScriptedLLM:
        return ScriptedLLM(reply)


class TestScriptedTTS(TTSConformance):
    def provider(self) -> ScriptedTTS:
        return ScriptedTTS(LEXICON, first=0.3)

    def failing_provider(self) -> ScriptedTTS:
        return ScriptedTTS(LEXICON, failing=Failing("raise", after=2))

    def stalled_provider(self) -> ScriptedTTS:
        return ScriptedTTS(LEXICON, failing=Failing("stall", after=2))


class TestTTSWithoutWords(TTSConformance):
    words = False

    def provider(self) -> ScriptedTTS:
        return ScriptedTTS(LEXICON, words=False)


# --- in real time -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.models
class TestMoonshine(STTConformance):
    realtime = True
    pace = 0.0
    model: ClassVar[MoonshineModel]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def load(cls) -> None:
        try:
            cls.model = MoonshineModel.load()
        except VoiceloopError as error:
            pytest.skip(str(error))

    def provider(self) -> STT:
        return Moonshine(model=self.model)


@pytest.mark.models
class TestHibari(TTSConformance):
    realtime = True
    model: ClassVar[HibariModel]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def load(cls) -> None:
        try:
            cls.model = HibariModel("heart", 1.0)
        except VoiceloopError as error:
            pytest.skip(str(error))

    def provider(self) -> Hibari:
        return Hibari(model=self.model)


@pytest.mark.long
@pytest.mark.models
class TestLlamaCpp(LLMConformance):
    realtime = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def load(cls) -> Iterator[None]:
        try:
            (path,) = fetch(SMOLLM2_135M).values()
            engine = Engine(path, EngineOptions(slots=2, context=512))
        except VoiceloopError as error:
            pytest.skip(str(error))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(llamacpp, "_loaded", lambda path, options: engine)
            yield

    def provider(self) -> LlamaCpp:
        return LlamaCpp(options=LlamaCppOptions(max_tokens=20, engine=EngineOptions(slots=2, context=512)))


# --- elsewhere ----------------------------------------------------------------------------------------------


STRANGER = """
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedTTS, TTSConformance

class TestMyVoice(TTSConformance):
    def provider(self):
        return ScriptedTTS(Lexicon())

class TestMyRealVoice(TTSConformance):
    realtime = True
    def provider(self):
        return ScriptedTTS(Lexicon())

class TestMyQuietVoice(TTSConformance):
    def provider(self):
        return ScriptedTTS(Lexicon(), words=False)
"""


def test_a_subclass_is_all_that_another_project_needs(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(STRANGER)
    done = python("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path), cwd=tmp_path, timeout=60)
    assert "TestMyVoice::" not in done.stdout
    assert "TestMyRealVoice::" not in done.stdout
    assert "TestMyQuietVoice::test_a_request_is_answered_in_full" in done.stdout
    assert "what came: no words at all" in done.stdout
    assert "how to mend it: set `words = False` in the test class" in done.stdout
    assert "6 skipped" in done.stdout


def test_the_test_tools_do_not_need_pytest() -> None:
    code = "import sys, voiceloop.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_suite_without_a_provider_says_what_is_missing() -> None:
    class Nothing(TTSConformance):
        pass

    with pytest.raises(NotImplementedError, match="Nothing needs a method `provider`"):
        Nothing().test_building_opens_nothing_and_reads_no_key()


def test_names_of_the_package_are_loaded_when_asked_for() -> None:
    import voiceloop.testing as testing

    missing: Any = testing
    assert issubclass(testing.STTConformance, STTConformance)
    with pytest.raises(AttributeError, match="no attribute 'Conformance'"):
        missing.Conformance  # noqa: B018
