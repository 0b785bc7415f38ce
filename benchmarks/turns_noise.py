"""The band of a phone, and noise for the calls of `turns_corpus.py`."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["RATE", "Floats", "babble", "band", "pink", "power", "room_noise", "room_of"]

RATE = 8000
VOICES = 8
"""Of a babble."""

Floats = npt.NDArray[np.float32]


def band(samples: Floats) -> Floats:
    """What a phone lets through: 300 to 3400 Hz (ITU-T G.712), with soft edges."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    weight = np.clip((hertz - 200) / 100, 0, 1) * np.clip((3600 - hertz) / 200, 0, 1)
    return np.asarray(np.fft.irfft(spectrum * weight, len(samples)), dtype=np.float32)


def room_of(samples: Floats) -> Floats:
    """The mean spectrum of the quietest tenth: of what is left when nobody speaks."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 256)[::128] * np.hanning(256)
    power = (frames**2).mean(axis=1)
    audible = np.flatnonzero(power > 1e-9)  # a file may begin with digital silence, which is no room
    if not len(audible):
        return np.full(129, 1e-6, np.float32)
    quiet = audible[np.argsort(power[audible])][: max(3, len(audible) // 10)]
    # Divided so that noise made of it has the power of the frames, whose window took some.
    return np.asarray(np.sqrt((np.abs(np.fft.rfft(frames[quiet], axis=1)) ** 2).mean(axis=0) / 96), dtype=np.float32)


def room_noise(room: Floats, length: int, choose: random.Random) -> Floats:
    """Noise with the spectrum of a room."""
    white = _generator(choose).standard_normal(length)
    spectrum = np.fft.rfft(white)
    shape = np.interp(np.linspace(0, 1, len(spectrum)), np.linspace(0, 1, len(room)), room)
    return np.asarray(np.fft.irfft(spectrum * shape, length), dtype=np.float32)


def pink(length: int, choose: random.Random) -> Floats:
    """Noise whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(_generator(choose).standard_normal(length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20)
    return band(np.asarray(np.fft.irfft(spectrum / np.sqrt(hertz), length), dtype=np.float32))


def babble(length: int, voices: Sequence[Floats], choose: random.Random) -> Floats:
    """`VOICES` people who all talk without a pause."""
    mixed = np.zeros(length, np.float32)
    for _ in range(VOICES):
        at = -round(choose.uniform(0, 2) * RATE)
        while at < length:
            speech = choose.choice(voices)
            begin, end = max(0, -at), min(len(speech), length - at)
            if begin < end:
                mixed[at + begin : at + end] += speech[begin:end]
            at += len(speech)
    return mixed


def power(samples: Floats) -> float:
    """Mean, dB under full scale."""
    return float(10 * np.log10((samples.astype(np.float64) ** 2).mean() + 1e-12))


def _generator(choose: random.Random) -> np.random.Generator:
    return np.random.default_rng(choose.getrandbits(64))
