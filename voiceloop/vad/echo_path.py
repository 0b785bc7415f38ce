"""How much of what is heard is what was played: correlation and least squares. Pure, without memory.

Both are weighed alike over the voice's band first (pre-emphasis): else the fundamental of any voice fits that of any
other. A lag is where in the reference the heard audio begins, in samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio.mulaw import decode

__all__ = ["BEFORE", "TAPS", "Fit", "find", "fit", "samples"]

Samples = npt.NDArray[np.float32]

TAPS: Final = 24
"""Length of the echo path that is fitted, samples: 3 ms, which a telephone line's filters need."""
BEFORE: Final = 8
"""Of these, before the lag."""
_EMPHASIS: Final = np.float32(0.9)
_SMOOTH: Final = 512
"""Lengths of a transform are multiples of it: one with a large prime factor takes ten times as long."""
_RIDGE: Final = 1e-3
"""Of the reference's energy: keeps a narrow voice from fitting what it does not hold."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What an echo path of a few milliseconds explains."""

    explained: float
    """Of the heard energy, 0 to 1."""
    gain: float
    """Energy of the echo against that of the reference."""


def samples(audio: bytes) -> Samples:
    """Mu-law as numbers, with pre-emphasis; one sample shorter."""
    plain = decode(audio).astype(np.float32)
    weighed: Samples = plain[1:] - _EMPHASIS * plain[:-1]
    return weighed


def fit(heard: Samples, reference: Samples, lag: int) -> Fit:
    """How much of the heard is explained by the reference around a lag.

    Args:
        heard: shape ``[n]``.
        reference: from `TAPS` - `BEFORE` samples before the lag to n + `BEFORE` behind it, at least.
        lag: where the heard begins in the reference, samples.
    """
    size = len(heard)
    part = reference[lag - (TAPS - BEFORE) : lag + size + BEFORE - 1]
    rows = np.ascontiguousarray(np.lib.stride_tricks.as_strided(part, (TAPS, size), part.strides * 2))
    own = rows @ rows.T
    with_heard = rows @ heard
    energy = float(heard @ heard)
    power = float(np.trace(own)) / TAPS
    if energy <= 0 or power <= 0:
        return Fit(0.0, 0.0)
    own[np.diag_indices(TAPS)] += np.float32(_RIDGE * power)
    path = np.linalg.solve(own, with_heard)
    explained = float(path @ with_heard) / energy
    return Fit(min(1.0, max(0.0, explained)), explained * energy / power)


def find(heard: Samples, reference: Samples) -> int:
    """The lag at which the two are most alike.

    Args:
        heard: shape ``[n]``.
        reference: shape ``[m]``, m > n: lags 0 to m - n are tried.
    """
    size, reach = len(heard), len(reference)
    length = -(-reach // _SMOOTH) * _SMOOTH
    spectrum = np.fft.rfft(reference, length)
    spectrum *= np.conj(np.fft.rfft(heard, length))
    alike = np.fft.irfft(spectrum, length)[: reach - size + 1]
    energy = np.cumsum(np.square(reference), dtype=np.float64)
    under = energy[size - 1 :].copy()
    under[1:] -= energy[:-size]
    # An echo is softer than what was played: where that is not loud enough, any likeness is chance.
    under += float(heard @ heard) + 1e-9
    return int(np.argmax(np.square(alike) / under))
