"""The conformance suite finds what is wrong with a voice."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from voiceloop.frames import Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import (
    ScriptedTTS,
    TTSConformance,
)
from voiceloop.tts.base import TTS, Speech

LEXICON = Lexicon()
ALL = "no_text a_cancelled a_closed a_request a_second closing how it_speaks nothing two_requests warming"
TWO = "a_second two_requests"


class AllAtTheEnd(TTS):
    """Speaks at the end, all at once."""

    def speech(self, text: str) -> list[Speech]:
        return [Speech(*LEXICON.speak(text))] if text.strip() else []

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        for speech in self.speech("".join([piece async for piece in text])):
            yield speech


class ByPiece(TTS):
    """Takes each piece of text for words."""

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        at = 0.0
        async for piece in text:
            for word in piece.split(" "):
                audio = LEXICON.sound(word) if word.strip() else b""
                yield Speech(audio, (Word(word[:4], at, at + len(audio) / 8000),) if audio else ())
                at += len(audio) / 8000


class Streams(TTS):
    """As the scripted voice, each item as `change` makes it."""

    def change(self, speech: Speech, at: float) -> Speech:
        return speech

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        at = 0.0
        async for speech in ScriptedTTS(LEXICON).generate(text):
            yield self.change(speech, at)
            at += len(speech.audio) / 8000


class WideAudio(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio * 6, speech.words)


class NoLastWord(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio, tuple(word for word in speech.words if word.text not in ("coffee?", "me.")))


class TimesOfThePiece(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio, tuple(Word(word.text, word.start - at, word.end - at) for word in speech.words))


class LateWords(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio, tuple(Word(word.text, word.start, word.end + 1) for word in speech.words))


class Milliseconds(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio, tuple(Word(word.text, word.start * 1e3, word.end * 1e3) for word in speech.words))


class Untold(Streams):
    def change(self, speech: Speech, at: float) -> Speech:
        return Speech(speech.audio)


class PlainBytes(Streams):
    def change(self, speech: Speech, at: float) -> Any:
        return speech.audio


class Hums(Streams):
    """Says something where there is nothing to say."""

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        yield Speech(b"\xff" * 800)


class OneSentence(TTS):
    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        async for speech in ScriptedTTS(LEXICON).generate(text):
            yield speech
            if speech.words[-1].text.endswith("."):
                return


CASES: list[tuple[type[Any], str, str]] = [
    # The provider, the tests that find it (by their beginnings, without "test_"), what the first of them says.
    (AllAtTheEnd, "a_closed it_speaks", "gives its first item while its input goes on"),
    (ByPiece, "how no_text", "Good morning"),
    (Streams, "", ""),
    (WideAudio, "a_request", "0.6 to 16.5 s\n  what came: 164160 bytes, 20.52 s"),
    (NoLastWord, f"a_request {TWO} how", "came: '.* like some'"),
    (TimesOfThePiece, "a_request", "words are in order"),
    (LateWords, "a_request", "came: it ends at 4.240 s, the audio at 3.420 s"),
    (Milliseconds, "a_request", "came: it ends at 3240.000 s"),
    (Untold, "a_request", "set `words = False`"),
    (PlainBytes, ALL, "."),
    (Hums, "a_request it_speaks no_text", "came: 800 bytes, 0.10 s"),
    (OneSentence, f"a_request {TWO} how it_speaks", "came: '"),
]


@pytest.mark.parametrize(("provider", "found_by", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_wrong_is_found_by_its_test_and_no_other(
    findings: Callable[..., None], provider: type[Any], found_by: str, says: str
) -> None:
    findings(TTSConformance, provider, found_by, says)
