"""The tones of telephone keys, as audio.

Each key is two sines at once: https://www.itu.int/rec/T-REC-Q.23. Lengths are above the least that receivers must
accept (40 ms of tone, 40 ms of pause; https://www.itu.int/rec/T-REC-Q.24), with room for a lossy line.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["KEYS", "tones"]

RATE: Final = 8000
_ROWS: Final = (697, 770, 852, 941)
_COLUMNS: Final = (1209, 1336, 1477, 1633)
_PAD: Final = ("123A", "456B", "789C", "*0#D")
KEYS: Final = {key: (_ROWS[y], _COLUMNS[x]) for y, row in enumerate(_PAD) for x, key in enumerate(row)}
"""The two frequencies of each key, Hz."""
_TONE: Final = 0.1  # seconds
_PAUSE: Final = 0.1
_WAIT: Final = 0.5
_AMPLITUDE: Final = 8000  # of each of the two, at 16 bits: about -12 dBFS, so both together do not clip
MAX_KEYS: Final = 100
SILENCE: Final = b"\xff"


def tones(digits: str) -> bytes:
    """Key presses as mu-law audio, 8000 Hz: 0.1 s of tone and 0.1 s of silence for each; ``w`` is 0.5 s of silence.

    Raises:
        ValueError: there is nothing to press, or what is no key, or more than `MAX_KEYS`.
    """
    pressed = [digit for digit in digits.upper() if digit not in " -"]
    if not pressed or len(pressed) > MAX_KEYS or any(digit != "W" and digit not in KEYS for digit in pressed):
        raise ValueError(f"expected 1 to {MAX_KEYS} keys of 0-9 * # A-D, or w for a pause, got {digits[:50]!r}")
    return b"".join(SILENCE * round(_WAIT * RATE) if key == "W" else _tone(key) for key in pressed)


@lru_cache(maxsize=len(KEYS))
def _tone(key: str) -> bytes:
    import numpy as np

    from voiceloop.audio.mulaw import encode

    time = np.arange(round(_TONE * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * frequency * time) for frequency in KEYS[key])
    return encode(np.asarray(_AMPLITUDE * wave, np.int16)) + SILENCE * round(_PAUSE * RATE)
