"""A recogniser that hears artificial speech."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from voiceloop.frames import Transcript
from voiceloop.sim.artificial import RATE, Lexicon
from voiceloop.sim.checks import check_seconds
from voiceloop.stt.base import STT, Flush
from voiceloop.testing.scripted_failing import Failing, check_failing, strikes
from voiceloop.testing.scripted_timing import PerRequest, check_requests, number_for_request

__all__ = ["Mishearing", "ScriptedSTT"]

_SIGNS = ".,!?;:"


@dataclass(slots=True, frozen=True)
class Mishearing:
    """What a scripted recogniser gets wrong. The same seed mishears the same words of the same utterances."""

    words: Mapping[str, str] = field(default_factory=dict)
    """What it takes each word for: without the signs behind it, in lower case. A word that stands here is misheard as
    often as `rate` says."""
    rate: float = 1.0
    """Probability of that, 0 to 1."""
    drop: float = 0.0
    """Probability that any word is not heard."""
    repeat: float = 0.0
    """Probability that any word is heard twice."""
    seed: int = 0

    def __post_init__(self) -> None:
        if not all(0.0 <= chance <= 1.0 for chance in (self.rate, self.drop, self.repeat)):
            raise ValueError(f"probabilities lie between 0 and 1, got {self}")

    def heard(self, words: Sequence[str], utterance: int) -> list[str]:
        """What is understood of the words of an utterance."""
        found: list[str] = []
        for place, word in enumerate(words):
            # For each word a generator of its own: what comes later must not change what was heard before.
            draw = random.Random(f"mishearing {self.seed} {utterance} {place} {word}")
            chances = [draw.random() for _ in range(3)]
            if chances[0] < self.drop:
                continue
            plain = word.rstrip(_SIGNS)
            if plain.lower() in self.words and chances[1] < self.rate:
                word = self.words[plain.lower()] + word[len(plain) :]
            found += [word, word] if chances[2] < self.repeat else [word]
        return found


class ScriptedSTT(STT):
    """Hears artificial speech word for word.

    Args:
        lexicon: shared with whoever speaks.
        delay: seconds from a flush to its transcript; one number, or one for each flush, see `PerRequest`.
        failing: what goes wrong.
        interims: seconds of audio between transcripts of what is still being said; 0 for none but at a flush.
        lag: seconds from audio to the interim transcript of it.
        final: seconds from the answer to a flush until the same words come once more as final; 0: they are final at
            once; None: nothing is ever final. Words behind a flush are another segment then.
        mishearing: what it gets wrong.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        *,
        delay: PerRequest[float] = 0.0,
        failing: Failing | None = None,
        interims: float = 0.0,
        lag: float = 0.0,
        final: float | None = None,
        mishearing: Mishearing | None = None,
    ) -> None:
        check_requests("ScriptedSTT", delay=delay)
        for name, seconds in (("interims", interims), ("lag", lag), ("final", 0.0 if final is None else final)):
            check_seconds(f"ScriptedSTT: {name} must be", seconds)
        check_failing("ScriptedSTT", failing)
        self._lexicon = lexicon
        self.delay = delay
        self.failing = failing
        self.interims = interims
        self.lag = lag
        self.final = final
        self.mishearing = mishearing
        self.count = 0
        """Requests so far."""
        self.flushes = 0
        """Flushes so far."""

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        """One utterance; the words so far at each flush."""
        if self.interims or self.final is not None:
            live = _Live(self, self._number())
            async for item in live.items(audio):
                yield item
            return
        fails, given, number = strikes(self.failing), 0, self._number()
        heard = bytearray()
        async for piece in audio:
            if fails(given) and self.failing is not None:
                await self.failing.strike()
                return
            if isinstance(piece, bytes):
                heard += piece
                continue
            if delay := self._delay():
                await asyncio.sleep(delay)
            if text := self.understood(bytes(heard), number):
                given += 1
                yield Transcript(text)
            yield piece

    def understood(self, audio: bytes, utterance: int) -> str:
        """The words in some audio, as it hears them."""
        if self.mishearing is None:
            return self._lexicon.text(audio)
        words = [word.text for word in self._lexicon.listen(audio) if word.whole]
        return " ".join(self.mishearing.heard(words, utterance))

    def let_go(self) -> None:
        """End what is deaf."""
        if self.failing is not None:
            self.failing.let_go()

    def _number(self) -> int:
        self.count += 1
        return self.count - 1

    def _delay(self) -> float:
        self.flushes += 1
        return number_for_request("ScriptedSTT", "delay", self.delay, self.flushes - 1)


class _Live:
    """An utterance of which something is known before it is over, and finally known after that."""

    def __init__(self, stt: ScriptedSTT, number: int) -> None:
        self._stt = stt
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._heard = bytearray()  # of the segment
        self._segment = 0
        self._looked = 0  # bytes of it in the last interim
        self._text = ""  # the last one
        self._due = 0.0
        self._order = 0
        self._out: list[tuple[float, int, Transcript | Flush]] = []

    async def items(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        failing = self._stt.failing
        fails, given = strikes(failing), 0
        pieces = aiter(audio)
        reading: asyncio.Future[bytes | Flush] | None = asyncio.ensure_future(anext(pieces))
        try:
            while reading is not None or self._out:
                while self._out and self._out[0][0] <= self._loop.time():
                    item = heapq.heappop(self._out)[2]
                    given += isinstance(item, Transcript)
                    yield item
                if not await self._wait(reading):
                    continue
                assert reading is not None
                try:
                    piece = reading.result()
                except StopAsyncIteration:
                    reading = None
                    continue
                if fails(given) and failing is not None:
                    await failing.strike()
                    return
                self._take(piece)
                reading = asyncio.ensure_future(anext(pieces))
        finally:
            if reading is not None:
                reading.cancel()

    async def _wait(self, reading: asyncio.Future[bytes | Flush] | None) -> bool:
        """For audio, or until something is to be told; whether audio is there."""
        limit = max(0.0, self._out[0][0] - self._loop.time()) if self._out else None
        if reading is None:
            await asyncio.sleep(limit or 0.0)
            return False
        await asyncio.wait({reading}, timeout=limit)
        return reading.done()

    def _take(self, piece: bytes | Flush) -> None:
        stt = self._stt
        if isinstance(piece, bytes):
            self._heard += piece
            if stt.interims and len(self._heard) - self._looked >= stt.interims * RATE:
                self._looked = len(self._heard)
                text = self._read()
                if text and text != self._text:
                    self._text = text
                    self._tell(Transcript(text, segment=self._segment), stt.lag)
            return
        text, delay = self._read(), stt._delay()
        if text:
            self._text = text
            self._tell(Transcript(text, stt.final == 0, self._segment), delay)
        self._tell(piece, delay)
        if text and stt.final is not None:
            if stt.final:
                self._later(Transcript(text, True, self._segment), self._due + stt.final)
            self._segment += 1
            self._heard.clear()
            self._looked, self._text = 0, ""

    def _read(self) -> str:
        return self._stt.understood(bytes(self._heard), self._number)

    def _tell(self, item: Transcript | Flush, delay: float) -> None:
        """In order: an answer to a flush does not overtake the words before it."""
        self._due = max(self._due, self._loop.time() + delay)
        self._later(item, self._due)

    def _later(self, item: Transcript | Flush, due: float) -> None:
        self._order += 1
        heapq.heappush(self._out, (due, self._order, item))
