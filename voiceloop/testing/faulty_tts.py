"""A voice of which some requests go wrong."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from itertools import cycle
from typing import Any

from voiceloop.errors import ModelError
from voiceloop.frames import Word
from voiceloop.served import Served
from voiceloop.sim.artificial import LOUD, RATE
from voiceloop.testing.faulty_common import FaultySpeech, Items
from voiceloop.testing.faulty_faults import TTSFault
from voiceloop.tts.base import TTS, Speech

__all__ = ["FaultyTTS"]

ODD = (1, 7, 333)
LONG = 10.0
NOISE = bytes(random.Random("more audio").choices(LOUD, k=2 * RATE))
BEYOND = 60.0
EVERY = 0.1
"""Seconds between pieces that never end."""
_NAN = (math.nan, math.nan)
_INFINITE = (math.inf, math.inf)


class FaultyTTS(FaultySpeech[TTSFault, TTS], TTS):
    """A voice of which some requests go wrong. A request is an answer, or one of the phrases that are rendered ahead.

    Args:
        inner: the voice.
        faults: what goes wrong. Several of one request happen together.
        skip: requests before those that are counted: the first call of a runtime has the greeting and each of the
            library's own phrases spoken first, ``len(Phrases().all()) + 1`` in all.
    """

    def __init__(self, inner: TTS, faults: Iterable[TTSFault] = (), *, skip: int = 0) -> None:
        super().__init__(inner, faults, skip)
        self._filters |= {
            "odd pieces": self._odd,
            "empty pieces": lambda items, fault: self._each(items, fault, lambda speech: [Speech(), speech, Speech()]),
            "long piece": self._long,
            "only words": lambda items, fault: self._each(items, fault, lambda speech: [Speech(b"", speech.words)]),
            "no words": lambda items, fault: self._each(items, fault, lambda speech: [Speech(speech.audio)]),
            "words backwards": self._backwards,
            "words beyond": lambda items, fault: self._times(items, fault, lambda a, b: (a + BEYOND, b + BEYOND)),
            "words before": lambda items, fault: self._times(items, fault, lambda a, b: (a - BEYOND, b - BEYOND)),
            "words nan": lambda items, fault: self._times(items, fault, lambda a, b: _NAN),
            "words infinite": lambda items, fault: self._times(items, fault, lambda a, b: _INFINITE),
            "more audio": self._more,
            "endless silence": self._endless,
            "wrong type": lambda items, fault: self._each(items, fault, lambda speech: [speech.audio]),
            "wrong audio": lambda items, fault: self._each(items, fault, lambda speech: [Speech("text", speech.words)]),  # type: ignore[arg-type]
        }

    @property
    def languages(self) -> tuple[str, ...] | None:  # type: ignore[override]  # as the voice does
        """What it speaks."""
        return self.inner.languages

    def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Served, None]:
        """What the voice says, or what becomes of it."""
        return self._broken(self.inner.generate(text), self._begin())

    def counts(self, item: Any) -> bool:
        return not isinstance(item, Served)

    def limited(self, seconds: float) -> Exception:
        """As `CartesiaTTS`, of which only the text is left."""
        wait = f" Retry in {seconds:g} s." if seconds else ""
        return ModelError(f"Cartesia: more at once than the plan allows (429): Too many requests.{wait}")

    # --- what goes wrong -----------------------------------------------------------------------------------

    async def _each(self, items: Items, fault: TTSFault, change: Callable[[Speech], Iterable[Any]]) -> Items:
        """Other items for each piece behind the first ones."""
        given = 0
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, Speech) or given < fault.after:
                    given += isinstance(item, Speech)
                    yield item
                    continue
                if given == fault.after:
                    self.note(fault)
                given += 1
                for each in change(item):
                    yield each

    def _times(self, items: Items, fault: TTSFault, change: Callable[[float, float], tuple[float, float]]) -> Items:
        return self._each(
            items,
            fault,
            lambda speech: [
                Speech(speech.audio, tuple(Word(word.text, *change(word.start, word.end)) for word in speech.words))
            ],
        )

    def _backwards(self, items: Items, fault: TTSFault) -> Items:
        latest = 0.0

        def change(start: float, end: float) -> tuple[float, float]:
            nonlocal latest
            latest = latest or end
            return (2 * latest - start, 2 * latest - end)  # its end before its start, and before the last word

        return self._times(items, fault, change)

    def _odd(self, items: Items, fault: TTSFault) -> Items:
        sizes = cycle(ODD)

        def change(speech: Speech) -> Iterable[Speech]:
            at, words = 0, speech.words
            while at < len(speech.audio):
                size = next(sizes)
                yield Speech(speech.audio[at : at + size], words)
                at, words = at + size, ()

        return self._each(items, fault, change)

    async def _long(self, items: Items, fault: TTSFault) -> Items:
        given, audio, words = 0, bytearray(), list[Word]()
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, Speech) or given < fault.after:
                    yield item
                else:
                    audio += item.audio
                    words += item.words
                given += isinstance(item, Speech)
        if given > fault.after:
            self.note(fault)
            yield Speech(bytes(audio).ljust(round(LONG * RATE), b"\xff"), tuple(words))

    async def _more(self, items: Items, fault: TTSFault) -> Items:
        async with aclosing(items):
            async for item in items:
                yield item
        self.note(fault)
        yield Speech(NOISE)

    def _endless(self, items: Items, fault: TTSFault) -> Items:
        async def rest() -> Items:
            while True:
                yield Speech()
                await asyncio.sleep(EVERY)

        return self._instead(items, fault, rest)
