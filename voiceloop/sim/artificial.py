"""Artificial speech: words as sounds that can be told apart for certain, so that tests know what was said and heard.

Each word is a burst of loud noise that its spelling determines, louder and softer as syllables are, followed by a short
silence. `Lexicon.listen` reads the words back from the samples: which were heard whole, and which were cut. It sounds
like nothing; it is exact.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from voiceloop.frames import Word

__all__ = ["HeardWord", "Lexicon"]

RATE = 8000
LOUD = bytes([*range(0x00, 0x40), *range(0x80, 0xC0)])
"""Mu-law codes of large amplitude: an energy VAD hears them, and none of them is silence."""
GAP = b"\xff"
KEY = 24
"""Samples by which a word is recognised."""
_BURST = re.compile(rb"[^\xff\x7f]+")
_SYLLABLE: Final = 1600
"""Samples from one syllable to the next: 0.2 s. Within a third of a second the level thus falls at least once: noise
that stays level for as long is no speech to an energy VAD."""
_SOFT: Final = 640
"""Samples at the end of a syllable that are softer: 80 ms, half as long as a silence in which speech pauses."""
_LAST: Final = 160
"""Samples at the end of a word that are loud in any case, so that its end is as easy to hear as its beginning."""
_SOFTENED: Final = bytes(code | 0x30 if code in LOUD else code for code in range(256))
"""The softest loud codes: -21 dBFS, 14 dB below the others, and as far above any quiet line."""


@dataclass(slots=True, frozen=True)
class HeardWord:
    """A word found in audio."""

    text: str
    start: int
    """First sample."""
    end: int
    """One past its last sample."""
    whole: bool
    """False when it was cut before its end."""


class Lexicon:
    """Words and their sounds. Whoever listens must share it with whoever speaks.

    Args:
        letter: seconds of sound for each letter of a word.
        gap: seconds of silence after a word; after a sentence three times that.
    """

    def __init__(self, *, letter: float = 0.05, gap: float = 0.06) -> None:
        self._letter = round(letter * RATE)
        self._gap = round(gap * RATE)
        self._sounds: dict[str, bytes] = {}
        self._words: dict[bytes, str] = {}

    def sound(self, word: str) -> bytes:
        """The sound of a word, without the silence after it: mu-law, 8000 Hz."""
        known = self._sounds.get(word)
        if known is None:
            samples = (self._letter * max(2, len(word))) or KEY
            known = _in_syllables(bytes(random.Random(word).choices(LOUD, k=max(samples, KEY))))
            self._sounds[word] = known
            self._words[known[:KEY]] = word
        return known

    def pause(self, word: str) -> bytes:
        """The silence after a word."""
        return GAP * (self._gap * (3 if word[-1:] in ".!?" else 1))

    def speak(self, text: str) -> tuple[bytes, tuple[Word, ...]]:
        """A text as audio, and when each word is spoken, in seconds from its first sample."""
        audio = bytearray()
        words = []
        for word in text.split():
            start = len(audio) / RATE
            audio += self.sound(word)
            words.append(Word(word, start, len(audio) / RATE))
            audio += self.pause(word)
        return bytes(audio), tuple(words)

    def listen(self, audio: bytes) -> list[HeardWord]:
        """The words in some audio, in order. Sounds that no word begins with are passed over."""
        found = []
        for burst in _BURST.finditer(audio):
            start, end = burst.span()
            word = self._words.get(bytes(audio[start : start + KEY]))
            if word is not None:
                sound = self._sounds[word]
                found.append(HeardWord(word, start, end, audio[start:end] == sound))
        return found

    def text(self, audio: bytes) -> str:
        """The words in some audio that were heard whole."""
        return " ".join(word.text for word in self.listen(audio) if word.whole)


def _in_syllables(sound: bytes) -> bytes:
    """The sound with a softer end of each syllable."""
    parts, done = [], 0
    for start in range(_SYLLABLE - _SOFT, len(sound) - _SOFT - _LAST + 1, _SYLLABLE):
        parts += [sound[done:start], sound[start : start + _SOFT].translate(_SOFTENED)]
        done = start + _SOFT
    return b"".join((*parts, sound[done:]))
