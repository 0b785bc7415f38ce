"""Artificial speech for whole programs: a voice activity model takes it for a voice, and any program can read it.

The plain `Lexicon` makes noises: a neural voice activity model does not take them for speech, and only who shares the
lexicon knows what they mean. Here each word begins with its own spelling, in two samples a byte, and goes on as a
buzzing voice that sings its vowels.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Final

from voiceloop.sim.artificial import _BURST, RATE, HeardWord, Lexicon

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["VoicedLexicon"]

_FORMANTS: Final = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
"""Resonances of vowels in Hz, of men: Peterson and Barney, Control methods used in a study of the vowels, 1952."""
_WIDTHS: Final = (80, 100, 140)
"""Their bandwidths in Hz."""
_PEAK: Final = 12_000
_EDGE: Final = 160
"""Samples in which a word swells and fades."""
_DIGIT: Final = 0x20
"""A sample that spells a hexadecimal digit: this plus the digit, every second one with the sign bit."""
_MARK: Final = (0x5, 0xA, 0xF)
"""Digits that stand before every spelling."""
_END: Final = b"\x40\xc0"
"""The last samples of a word: loud, for otherwise its end would pass for silence."""
_LONGEST: Final = 255
"""Bytes of a word that can be spelt."""


class VoicedLexicon(Lexicon):
    """Words and their sounds. It need not be shared: what one has spoken, another one reads.

    A word of more than 255 bytes is spoken and cannot be read.
    """

    def sound(self, word: str) -> bytes:
        """The sound of a word, without the silence after it: mu-law, 8000 Hz."""
        known = self._sounds.get(word)
        if known is None:
            spelling = _spelt(word)
            samples = max(self._letter * max(2, len(word)), len(spelling) + len(_END))
            voice = _voice(word, samples)
            known = self._sounds[word] = spelling + voice[len(spelling) : samples - len(_END)] + _END
        return known

    def listen(self, audio: bytes) -> list[HeardWord]:
        """The words in some audio, in order. Sounds that no spelling stands before are passed over."""
        found = []
        for burst in _BURST.finditer(audio):
            start, end = burst.span()
            word = _read(audio[start:end])
            if word is not None:
                found.append(HeardWord(word, start, end, audio[start:end] == self.sound(word)))
        return found


def _spelt(word: str) -> bytes:
    letters = word.encode()[:_LONGEST]
    digits = [*_MARK, *(digit for byte in (len(letters), *letters) for digit in divmod(byte, 16))]
    return bytes(_DIGIT + digit | (index % 2) << 7 for index, digit in enumerate(digits))


def _read(sound: bytes) -> str | None:
    """The word that a sound begins with; None when it begins with none."""
    digits = []
    for index, sample in enumerate(sound[: len(_MARK) + 2 * (_LONGEST + 1)]):
        if sample & 0xF0 != _DIGIT | (index % 2) << 7:
            break
        digits.append(sample & 0x0F)
    if tuple(digits[: len(_MARK)]) != _MARK or len(digits) < len(_MARK) + 2:
        return None
    pairs = digits[len(_MARK) :]
    values = [16 * high + low for high, low in zip(pairs[::2], pairs[1::2], strict=False)]
    letters = bytes(values[1 : 1 + values[0]])
    return letters.decode(errors="ignore") if letters and len(letters) == values[0] else None


def _syllables(samples: int) -> npt.NDArray[np.float64]:
    """How loud a word is along its way: 14 dB softer for the last 80 ms of every 0.2 s, but not at its end.

    As in `voiceloop.sim.artificial`: what stays level for a third of a second is noise, not speech.
    """
    import numpy as np

    place = np.arange(samples)
    loudness = np.where(place % 1600 >= 960, 0.2, 1.0)
    loudness[960 + 1600 * ((samples - 160 - 640 - 960) // 1600 + 1) :] = 1.0
    return np.convolve(np.pad(loudness, 40, mode="edge"), np.ones(81) / 81, mode="valid")


def _voice(word: str, samples: int) -> bytes:
    """A voice that sings the vowels of a word, falling a little in pitch: mu-law without a silent sample."""
    import numpy as np

    from voiceloop.audio.mulaw import encode

    vowels = [letter for letter in word.lower() if letter in _FORMANTS] or ["e"]
    pitch = 120 + 40 * random.Random(word).random()
    seconds = np.arange(samples) / RATE
    falling = pitch * (1 + 0.1 * np.sin(2 * np.pi * 3 * seconds) - 0.15 * np.arange(samples) / samples)
    pulses = np.flatnonzero(np.diff(np.floor(np.cumsum(falling) / RATE), prepend=-1.0))
    tail = len(_ring("e"))
    sound = np.zeros(samples + tail)
    for pulse in pulses:
        sound[pulse : pulse + tail] += _ring(vowels[min(len(vowels) - 1, int(pulse * len(vowels) / samples))])
    ramp = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / _EDGE
    sound = sound[:samples] * np.minimum(1.0, ramp + 0.1)
    sound = sound * _syllables(samples)
    loud = np.round(sound * (_PEAK / np.abs(sound).max())).astype(np.int16)
    return encode(loud).replace(b"\xff", b"\xfe").replace(b"\x7f", b"\x7e")


@cache
def _ring(vowel: str) -> npt.NDArray[np.float64]:
    """How a mouth rings after one pulse of the vocal cords."""
    import numpy as np

    seconds = np.arange(RATE // 40) / RATE
    parts = [
        np.exp(-np.pi * width * seconds) * np.sin(2 * np.pi * formant * seconds) / (index + 1)
        for index, (formant, width) in enumerate(zip(_FORMANTS[vowel], _WIDTHS, strict=True))
    ]
    return np.sum(parts, axis=0)  # type: ignore[no-any-return]
