"""Who says what is in the audio that Google's simulator gets: artificial speech read exactly, or a real recogniser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Protocol

from voiceloop.frames import Transcript, Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.stt.base import STT, Flush

__all__ = ["LexiconListener", "Listener", "STTListener", "listener_of"]

RATE = 8000


class Listener(Protocol):
    """Understands a piece of speech."""

    every: float
    """Seconds of new audio after which it is worth asking again while somebody speaks."""

    async def words(self, audio: bytes) -> list[Word]:
        """The words in mu-law audio of 8000 Hz that are complete, with seconds from its first sample."""
        ...


class LexiconListener:
    """Reads artificial speech, word for word, as each word ends."""

    every = 0.0

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    async def words(self, audio: bytes) -> list[Word]:
        return [
            Word(heard.text, heard.start / RATE, heard.end / RATE)
            for heard in self._lexicon.listen(audio)
            if heard.whole
        ]


class STTListener:
    """Asks a recogniser of voiceloop, such as `Moonshine`. Its words share the time of the speech evenly."""

    every = 1.0

    def __init__(self, stt: STT) -> None:
        self._stt = stt

    async def words(self, audio: bytes) -> list[Word]:
        async def stream() -> AsyncIterator[bytes | Flush]:
            yield audio
            yield Flush()

        segments: dict[int, str] = {}
        async with aclosing(self._stt.transcribe(stream())) as items:
            async for item in items:
                if isinstance(item, Transcript):
                    segments[item.segment] = item.text
        texts = " ".join(segments[number] for number in sorted(segments)).split()
        each = len(audio) / RATE / max(1, len(texts))
        return [Word(text, index * each, (index + 1) * each) for index, text in enumerate(texts)]


def listener_of(listens: Lexicon | STT | Listener) -> Listener:
    """The listener that is meant."""
    if isinstance(listens, Lexicon):
        return LexiconListener(listens)
    return STTListener(listens) if isinstance(listens, STT) else listens
