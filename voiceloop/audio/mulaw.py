"""G.711 mu-law, the phone's own sample format: 8000 Hz, mono, one byte a sample.

The tables follow ITU-T G.711 (11/88), Table 2, and its reference code in ITU-T G.191 (``ulaw_compress`` and
``ulaw_expand``): 16-bit samples, of which mu-law keeps a sign, 3 bits of segment and 4 bits of step. Negative
samples are the ones' complement of positive ones, so the code is symmetric: ``encode(~x)`` is ``encode(x)`` with
the sign bit turned. (The ``audioop`` module Python once had differs at the edges of negative steps, and coded
-1 as -8.)

Error of a round trip: at most 4 below a magnitude of 124, then a 32nd of (magnitude + 132), up to 512; above 32635
the sample is clipped to 32124.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["RATE", "SILENCE", "decode", "encode"]

RATE: Final = 8000
"""Samples a second of phone audio."""

SILENCE: Final = 0xFF
"""The byte of a zero sample. ``0x7F`` is zero too (negative zero); the encoder never chooses it for 0."""

_BIAS: Final = 33
"""Added to the 14-bit magnitude, so that every segment is twice as wide as the one before."""
_CLIP: Final = 8191
"""The largest biased 14-bit magnitude the code can hold."""


def _decoding_table() -> npt.NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF  # G.711 sends all bits inverted
    segment, step = (code >> 4) & 7, code & 0x0F
    magnitude = ((((step << 1) + _BIAS) << segment) - _BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _encoding_table() -> npt.NDArray[np.uint8]:
    """Indexed by the sample's 16 bits read as unsigned: one look-up a sample."""
    sample = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    biased = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + _BIAS, _CLIP)
    segment = np.zeros_like(biased)
    for bit in range(6, 13):  # segment n holds biased magnitudes of n + 6 bits
        segment += biased >> bit != 0
    code = (segment << 4) | ((biased >> (segment + 1)) & 0x0F)
    table: npt.NDArray[np.uint8] = (~np.where(sample < 0, code | 0x80, code) & 0xFF).astype(np.uint8)
    return table


_DECODE: Final = _decoding_table()
_ENCODE: Final = _encoding_table()


def decode(data: bytes | bytearray | memoryview) -> npt.NDArray[np.int16]:
    """Mu-law bytes to 16-bit samples, shape ``[len(data)]``, full scale ±32124."""
    return _DECODE[np.frombuffer(data, dtype=np.uint8)]


def encode(samples: npt.NDArray[np.int16]) -> bytes:
    """16-bit samples, shape ``[n]``, to n mu-law bytes.

    Raises `TypeError` for any other dtype: floats would be cut to silence without a word.
    """
    if samples.dtype != np.int16:
        raise TypeError(f"encode expects int16 samples, got {samples.dtype}: use voiceloop.audio.resample.to_int16")
    return _ENCODE[np.ascontiguousarray(samples).view(np.uint16)].tobytes()
