"""The conformance suite finds what is wrong with a recogniser."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from voiceloop.frames import Transcript
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush
from voiceloop.testing import (
    ScriptedSTT,
    STTConformance,
)

LEXICON = Lexicon()
SAID = ("two large coffees please", "and some cake today")
TWO = "a_second two_requests"
Item = Transcript | Flush


class Artificial(STTConformance):
    """Of recognisers that know artificial speech."""

    def utterances(self) -> tuple[tuple[bytes, str], tuple[bytes, str]]:
        first, second = ((LEXICON.speak(text)[0], text) for text in SAID)
        return first, second


class Recogniser(STT):
    """As the scripted one, each item as `change` makes it."""

    def change(self, item: Item) -> list[Item]:
        return [item]

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        async for item in ScriptedSTT(LEXICON).transcribe(audio):
            for changed in self.change(item):
                yield changed


class FlushTwice(Recogniser):
    def change(self, item: Item) -> list[Item]:
        return [item, item] if isinstance(item, Flush) else [item]


class OwnFlush(Recogniser):
    def change(self, item: Item) -> list[Item]:
        return [Flush()] if isinstance(item, Flush) else [item]


class FlushFirst(STT):
    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        words: list[Transcript] = []
        async for item in ScriptedSTT(LEXICON).transcribe(audio):
            if isinstance(item, Transcript):
                words.append(item)
                continue
            yield item
            for transcript in words:
                yield transcript
            words.clear()


class FlushOnlyWithWords(STT):
    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        words = 0
        async for item in ScriptedSTT(LEXICON).transcribe(audio):
            words += isinstance(item, Transcript)
            if isinstance(item, Transcript) or words:
                yield item


class FinalTooSoon(Recogniser):
    def change(self, item: Item) -> list[Item]:
        return [Transcript(item.text, True)] if isinstance(item, Transcript) else [item]


class CountsFromOne(Recogniser):
    def change(self, item: Item) -> list[Item]:
        return [Transcript(item.text, segment=1)] if isinstance(item, Transcript) else [item]


class HearsVoices(Recogniser):
    """Makes up words at every flush."""

    def change(self, item: Item) -> list[Item]:
        return [Transcript("Thank you for watching."), item] if isinstance(item, Flush) else [item]


class AtTheEnd(STT):
    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        for item in [item async for item in ScriptedSTT(LEXICON).transcribe(audio)]:
            yield item


class OneUtterance(STT):
    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        async for item in ScriptedSTT(LEXICON).transcribe(audio):
            yield item
            if isinstance(item, Flush):
                return


class TakesBackAtTheEnd(STT):
    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Item, None]:
        async for item in ScriptedSTT(LEXICON).transcribe(audio):
            yield item
        yield Transcript("")


CASES: list[tuple[type[Any], str, str]] = [
    # The provider, the tests that find it (by their beginnings, without "test_"), what the first of them says.
    (Recogniser, "", ""),
    (FlushTwice, "a_request every silence", "came: of 2 flushes came back: .0, 0, 1, 1."),
    (OwnFlush, "a_request every silence words", "came back: .'one of its own', 'one of its own'."),
    (FlushFirst, "a_request every", "came: all after it: 'two large coffees please'"),
    (FlushOnlyWithWords, "every silence", "came: of 4 flushes came back: .1, 2, 3."),
    (FinalTooSoon, "a_request every", "a final segment is not revised"),
    (CountsFromOne, "a_request every", "came: segment 1 after 0 segments"),
    (HearsVoices, f"a_request {TWO} every silence", "came: 'Thank you for watching.'"),
    (AtTheEnd, "a_closed words", "came: nothing for 10 s"),
    (OneUtterance, "a_request every words", "came: of 2 flushes came back: .0."),
    (TakesBackAtTheEnd, "a_ closing no_audio nothing silence two_requests warming", "came: nothing in"),
]


@pytest.mark.parametrize(("provider", "found_by", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_wrong_is_found_by_its_test_and_no_other(
    findings: Callable[..., None], provider: type[Any], found_by: str, says: str
) -> None:
    findings(Artificial, provider, found_by, says)
