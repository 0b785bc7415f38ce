"""How loud audio is.

Levels are RMS over the piece, in dBFS: 0 is the RMS of a square wave at 16-bit full scale (32768), so a sine at full
scale is -3 dBFS. Speech on a phone line lies around -20 to -30 dBFS, a quiet line below -55.

The mu-law functions need no numpy and take a few microseconds for 20 ms: they sum exact squares from a table.
"""

from __future__ import annotations

from math import log10, sqrt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SILENT", "level", "level_samples", "peak", "rms", "rms_samples"]

SILENT: Final = -120.0
"""The level of nothing at all, dBFS; no level is reported below it."""

_FULL_SCALE: Final = 32768.0


def _square(code: int) -> int:
    code = ~code & 0xFF  # G.711 sends all bits inverted; the sign does not matter here
    return (((((code & 0x0F) << 1) + 33) << (code >> 4 & 7)) - 33 << 2) ** 2


_SQUARES: Final = [_square(code) for code in range(256)]  # a list: its __getitem__ is twice as fast as a tuple's
_square_of: Final = _SQUARES.__getitem__
_LOUDNESS: Final = bytes(~code & 0x7F for code in range(256))
"""The seven magnitude bits, the right way up: they order as the magnitudes do."""


def rms(data: bytes) -> float:
    """Root mean square of mu-law audio on the 16-bit scale (0 to 32124), exact; 0 for no audio."""
    if not data:
        return 0.0
    return sqrt(sum(map(_square_of, data)) / len(data))


def level(data: bytes) -> float:
    """Level of mu-law audio, dBFS, at least `SILENT`."""
    return _decibels(rms(data))


def peak(data: bytes) -> int:
    """The largest magnitude in mu-law audio on the 16-bit scale (0 to 32124)."""
    loudest = max(data.translate(_LOUDNESS), default=0)
    return round(sqrt(_SQUARES[~loudest & 0xFF]))


def rms_samples(samples: npt.NDArray[np.int16]) -> float:
    """Root mean square of 16-bit samples of any shape, on their own scale; 0 for none."""
    if not samples.size:
        return 0.0
    wide = samples.astype("float64").ravel()
    return sqrt(float(wide @ wide) / wide.size)


def level_samples(samples: npt.NDArray[np.int16]) -> float:
    """Level of 16-bit samples of any shape, dBFS, at least `SILENT`."""
    return _decibels(rms_samples(samples))


def _decibels(value: float) -> float:
    return max(SILENT, 20 * log10(value / _FULL_SCALE)) if value > 0 else SILENT
