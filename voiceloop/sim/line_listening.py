"""Artificial speech understood through the noise and the echo of a phone line."""

from __future__ import annotations

import re
from typing import Final

from voiceloop.sim.artificial import KEY, LOUD, HeardWord, Lexicon

__all__ = ["NoisyLexicon"]

_CLEAN: Final = LOUD + b"\xff\x7f"
_SIGNS: Final = bytes(code & 0x80 for code in range(256))
_LOUD: Final = re.compile(b"[" + re.escape(bytes(code for code in range(256) if code & 0x7F < 0x50)) + b"]{%d,}" % KEY)
"""Sounds of an amplitude of at least 924; those of words have 1980, so that much may be added or taken away."""


class NoisyLexicon(Lexicon):
    """A lexicon that hears words whose samples were changed: by their signs and their length.

    Good for noise up to -36 dBFS and an echo of up to -31 dB, or both of half that amplitude; what is louder breaks
    words up, as it does for people. Audio without noise is read as ever, and at the same cost.
    """

    def __init__(self, *, letter: float = 0.05, gap: float = 0.06) -> None:
        super().__init__(letter=letter, gap=gap)
        self._by_signs: dict[bytes, str] = {}

    def sound(self, word: str) -> bytes:
        """The sound of a word, without the silence after it: mu-law, 8000 Hz."""
        sound = super().sound(word)
        self._by_signs[sound[:KEY].translate(_SIGNS)] = word
        return sound

    def listen(self, audio: bytes) -> list[HeardWord]:
        """The words in some audio, in order. Sounds that no word begins with are passed over."""
        if not audio.translate(None, _CLEAN):
            return super().listen(audio)
        found = []
        signs = audio.translate(_SIGNS)
        for burst in _LOUD.finditer(audio):
            start, end = burst.span()
            name = self._by_signs.get(signs[start : start + KEY])
            if name is not None:
                whole = signs[start:end] == self._sounds[name].translate(_SIGNS)
                found.append(HeardWord(name, start, end, whole))
        return found
