"""Sounds of a caller that are no words. Pure. Loads numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voiceloop.audio.mulaw import RATE, encode

__all__ = ["cough", "hum"]

_FULL_SCALE = 32768.0
_PITCH = 110.0  # of a hum, Hz
_ATTACK = 0.01  # seconds


def cough(seconds: float = 0.3, *, level: float = -22.0, seed: int = 0) -> bytes:
    """A burst of noise that rises at once and dies away, mu-law, 8000 Hz.

    Args:
        seconds: its length; at the end it is 40 dB softer.
        level: RMS of its loudest part, dBFS.
        seed: of the noise.
    """
    size = round(seconds * RATE)
    time = np.arange(size) / RATE
    noise = np.random.default_rng(seed).standard_normal(size)
    return _sound(noise * np.minimum(time / _ATTACK, 1.0) * 10 ** (-2 * time / max(seconds, 1e-6)), level)


def hum(seconds: float = 0.8, *, level: float = -25.0) -> bytes:
    """A voiced hum of even loudness, mu-law, 8000 Hz; `level` is its RMS in dBFS."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * _PITCH * harmonic * time) / harmonic for harmonic in (1, 2, 3, 4))
    power = sum(0.5 / harmonic**2 for harmonic in (1, 2, 3, 4))
    return _sound(np.asarray(wave) / power**0.5, level)


def _sound(unit: npt.NDArray[np.float64], level: float) -> bytes:
    samples = np.clip(np.rint(unit * _FULL_SCALE * 10 ** (level / 20)), -32768, 32767)
    return encode(samples.astype(np.int16))
