"""Sounds of a caller, and of the room around them, that are no words. Pure. Loads numpy.

All are made, none is recorded. What they have of the real thing is its length, the course of its loudness, and where
in the band of a telephone (300-3400 Hz) its energy lies. Each is mu-law at 8000 Hz; `level` is the RMS of its loudest
20 ms in dBFS where nothing else is said; the same seed gives the same sound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio.mulaw import RATE, encode

__all__ = ["NOISES", "bark", "breath", "click", "cough", "hum", "slam", "throat"]

_FULL_SCALE = 32768.0
_PITCH = 110.0  # of a hum, Hz
_ATTACK = 0.01  # seconds
_BAND = (250.0, 3400.0)
_FRAME = RATE // 50

Wave = npt.NDArray[np.float64]


def cough(seconds: float = 0.3, *, level: float = -22.0, seed: int = 0) -> bytes:
    """A burst of noise that rises at once and dies away, mu-law, 8000 Hz.

    Args:
        seconds: its length; at the end it is 40 dB softer.
        level: RMS of its loudest part, dBFS.
        seed: of the noise.
    """
    time = _time(seconds)
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return _sound(noise * np.minimum(time / _ATTACK, 1.0) * 10 ** (-2 * time / max(seconds, 1e-6)), level)


def hum(seconds: float = 0.8, *, level: float = -25.0) -> bytes:
    """A voiced hum of even loudness, mu-law, 8000 Hz; `level` is its RMS in dBFS."""
    time = _time(seconds)
    wave = sum(np.sin(2 * np.pi * _PITCH * harmonic * time) / harmonic for harmonic in (1, 2, 3, 4))
    power = sum(0.5 / harmonic**2 for harmonic in (1, 2, 3, 4))
    return _sound(np.asarray(wave) / power**0.5, level)


def slam(*, level: float = -18.0, seed: int = 0) -> bytes:
    """A door falls shut: a dull thump of which a telephone carries the upper part, and a short rattle; 0.45 s."""
    draw = np.random.default_rng(seed)
    time = _time(0.45)
    low = draw.uniform(70.0, 110.0)
    thump = sum(np.sin(2 * np.pi * low * n * time) / n for n in (1, 2, 3, 5, 7)) * np.exp(-time / 0.05)
    crack = draw.standard_normal(len(time)) * np.exp(-time / 0.02)
    after = np.maximum(time - draw.uniform(0.12, 0.18), 0.0)
    rattle = draw.standard_normal(len(time)) * (after > 0) * np.exp(-after / 0.04) * 0.2
    return _levelled(thump + crack + rattle, level)


def throat(*, level: float = -24.0, seed: int = 0) -> bytes:
    """Somebody clears their throat: two rough bursts, the second longer; rough because the pulses of a low voice come
    at uneven times. About 0.6 s."""
    draw = np.random.default_rng(seed)
    time = _time(0.6)
    pulses = np.zeros(len(time))
    at = 0.0
    while at < 0.6:
        pulses[round(at * RATE) % len(pulses)] = draw.uniform(0.3, 1.0)
        at += 1 / draw.uniform(55.0, 110.0)
    ring = np.exp(-_time(0.01) / 0.0015) * np.cos(2 * np.pi * draw.uniform(450.0, 700.0) * _time(0.01))
    rough = np.convolve(pulses, ring)[: len(time)] + 0.15 * draw.standard_normal(len(time))
    return _levelled(rough * (_bump(time, 0.02, 0.18) + _bump(time, 0.26, 0.32)), level)


def breath(seconds: float = 0.9, *, level: float = -34.0, seed: int = 0) -> bytes:
    """A breath into the receiver: noise without pitch that swells and sinks."""
    time = _time(seconds)
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return _levelled(noise * _bump(time, 0.0, seconds), level)


def click(count: int = 5, *, level: float = -28.0, seed: int = 0) -> bytes:
    """Keys of a keyboard: so many clicks of 5 ms, 70-190 ms apart."""
    draw = np.random.default_rng(seed)
    gaps = draw.uniform(0.07, 0.19, count)
    time = _time(float(gaps.sum()) + 0.02)
    wave = np.zeros(len(time))
    for at in gaps.cumsum():
        start = round(at * RATE)
        decay = np.exp(-_time(0.005) / 0.0012)[: len(wave) - start]
        wave[start : start + len(decay)] += draw.standard_normal(len(decay)) * decay * draw.uniform(0.5, 1.0)
    return _levelled(wave, level)


def bark(count: int = 2, *, level: float = -22.0, seed: int = 0) -> bytes:
    """A dog in the room: barks of 0.16 s, 0.3 s apart, each a rich tone that leaps up and falls, and noise."""
    draw = np.random.default_rng(seed)
    one = _time(0.16)
    parts = []
    for _ in range(count):
        top = draw.uniform(550.0, 800.0)
        pitch = top * (0.55 + 0.45 * np.sin(np.pi * one / one[-1]))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        tone = sum(np.sin(n * phase) / n for n in (1, 2, 3, 4))
        parts += [(tone + 0.5 * draw.standard_normal(len(one))) * _bump(one, 0.0, 0.16), np.zeros(round(0.3 * RATE))]
    return _levelled(np.concatenate(parts[:-1] or [np.zeros(0)]), level)


NOISES: Final[dict[str, Callable[[int, float], bytes]]] = {
    "cough": lambda seed, level: cough(level=level, seed=seed),
    "slam": lambda seed, level: slam(level=level, seed=seed),
    "throat": lambda seed, level: throat(level=level, seed=seed),
    "breath": lambda seed, level: breath(level=level, seed=seed),
    "keys": lambda seed, level: click(level=level, seed=seed),
    "hum": lambda seed, level: hum(0.5 + 0.05 * (seed % 7), level=level),
    "bark": lambda seed, level: bark(level=level, seed=seed),
}
"""Each by its name, made of a seed and a level in dBFS."""


def _time(seconds: float) -> Wave:
    return np.arange(round(seconds * RATE)) / RATE


def _bump(time: Wave, start: float, length: float) -> Wave:
    """From nothing to 1 and back."""
    inside = np.clip((time - start) / length, 0.0, 1.0)
    return np.asarray(np.sin(np.pi * inside) ** 2)


def _levelled(wave: Wave, level: float) -> bytes:
    """What a telephone carries of it, its loudest 20 ms of that level."""
    if not len(wave):
        return b""
    spectrum = np.fft.rfft(wave)
    frequency = np.fft.rfftfreq(len(wave), 1 / RATE)
    spectrum[(frequency < _BAND[0]) | (frequency > _BAND[1])] = 0
    heard = np.fft.irfft(spectrum, len(wave))
    frames = heard[: len(heard) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loudest = float(np.sqrt((frames**2).mean(axis=1)).max(initial=0.0))
    return _sound(heard / loudest if loudest else heard, level)


def _sound(unit: Wave, level: float) -> bytes:
    samples = np.clip(np.rint(unit * _FULL_SCALE * 10 ** (level / 20)), -32768, 32767)
    return encode(samples.astype(np.int16))
