"""A voice that speaks artificial speech."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

from voiceloop.frames import Word
from voiceloop.sim.artificial import RATE, Lexicon
from voiceloop.sim.checks import check_seconds
from voiceloop.testing.scripted_failing import Failing, check_failing, strikes
from voiceloop.testing.scripted_timing import Pace, PerRequest, check_requests, number_for_request
from voiceloop.tts.base import TTS, Speech

__all__ = ["ScriptedTTS"]


class ScriptedTTS(TTS):
    """Speaks artificial speech, word by word as the text comes.

    Args:
        lexicon: shared with whoever listens.
        first: seconds from the first word of text to its audio; one number, or one for each request, see
            `PerRequest`. A voice is asked for each of the library's own phrases too.
        words: tell when each word is spoken; a voice without word times is made by False.
        failing: what goes wrong.
        speed: seconds of audio made in a second: 0.5 is half as fast as it is spoken, so that there are holes; 0 for
            all at once. The same for each request, or not.
        chunk: seconds of audio in a piece; a word is told with the piece in which it begins. 0: each word is a piece.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        *,
        first: PerRequest[float] = 0.0,
        words: bool = True,
        failing: Failing | None = None,
        speed: PerRequest[float] = 0.0,
        chunk: float = 0.0,
    ) -> None:
        check_requests("ScriptedTTS", first=first, speed=speed)
        check_seconds("ScriptedTTS: chunk must be", chunk)
        check_failing("ScriptedTTS", failing)
        self._lexicon = lexicon
        self.first = first
        self.words = words
        self.failing = failing
        self.speed = speed
        self.chunk = chunk
        self.count = 0
        """Requests so far."""

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """One answer."""
        number, self.count = self.count, self.count + 1
        first = number_for_request("ScriptedTTS", "first", self.first, number)
        pace = Pace(number_for_request("ScriptedTTS", "speed", self.speed, number))
        pieces = _Pieces(round(self.chunk * RATE))
        fails = strikes(self.failing)
        samples = count = 0
        async for word in _words(text):
            if count == 0 and first:
                await asyncio.sleep(first)
            if fails(count) and self.failing is not None:
                await self.failing.strike()
                return
            audio, (spoken,) = self._lexicon.speak(word)
            offset = samples / RATE
            timed = Word(spoken.text, spoken.start + offset, spoken.end + offset)
            for piece in pieces.cut(audio, timed if self.words else None):
                await pace.make(len(piece.audio) / RATE)
                yield piece
            samples += len(audio)
            count += 1
        for piece in pieces.rest():
            await pace.make(len(piece.audio) / RATE)
            yield piece

    def let_go(self) -> None:
        """End what is deaf."""
        if self.failing is not None:
            self.failing.let_go()


class _Pieces:
    """Cuts audio into pieces of one size; 0: as it comes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._audio = bytearray()
        self._words: list[tuple[int, Word]] = []  # and the sample at which each begins
        self._given = 0

    def cut(self, audio: bytes, word: Word | None) -> Iterator[Speech]:
        """The pieces that are full with this."""
        if not self._size:
            yield Speech(audio, () if word is None else (word,))
            return
        if word is not None:
            self._words.append((self._given + len(self._audio), word))
        self._audio += audio
        while len(self._audio) >= self._size:
            yield self._take(self._size)

    def rest(self) -> Iterator[Speech]:
        """What is left."""
        if self._audio:
            yield self._take(len(self._audio))

    def _take(self, size: int) -> Speech:
        audio = bytes(self._audio[:size])
        del self._audio[:size]
        self._given += size
        words = tuple(word for at, word in self._words if at < self._given)
        del self._words[: len(words)]
        return Speech(audio, words)


async def _words(text: AsyncIterator[str]) -> AsyncIterator[str]:
    """Whole words, each as soon as the space behind it is there."""
    rest = ""
    async for piece in text:
        *whole, rest = (rest + piece).split(" ")
        for words in whole:
            for word in words.split():
                yield _speakable(word)
    for word in rest.split():
        yield _speakable(word)


def _speakable(word: str) -> str:
    """Half a character, which is no text, has no sound of its own."""
    return word if word.isascii() else word.encode(errors="replace").decode()
