"""Where a recording holds sound, and noise to put under it. Needs no model: it is the truth that models are held to."""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw

__all__ = ["RATE", "add_noise", "bounds", "voiced"]

RATE: Final = mulaw.RATE
FRAME: Final = 80
"""Samples that are judged together: 10 ms."""
FLOOR: Final = 60.0
"""RMS on the 16-bit scale below which nothing is speech: -55 dBFS."""
BELOW_PEAK: Final = 30.0
"""Nor is what is so many times softer (30 dB) than the loudest."""
ABOVE_NOISE: Final = 2.0
"""Nor what is less than so many times (6 dB) louder than the recording's quietest twentieth."""
MOST_NOISE: Final = 10.0
"""Where a recording is nothing but speech, its quietest frames are speech: at most a tenth of the loudest is noise."""
CLICK: Final = 3
"""Fewer frames than this, alone among silence, are a click."""


def voiced(audio: bytes) -> list[tuple[float, float]]:
    """The stretches that sound, in seconds from the first sample; gaps of less than 10 ms are none.

    Args:
        audio: mu-law, 8000 Hz.
    """
    frames = len(audio) // FRAME
    if not frames:
        return []
    samples = mulaw.decode(audio[: frames * FRAME]).astype(np.float64).reshape(frames, FRAME)
    levels = np.sqrt((samples * samples).mean(axis=1))
    loudest = float(np.percentile(levels, 98))
    noise = min(float(np.percentile(levels, 5)) * ABOVE_NOISE, loudest / MOST_NOISE)
    loud = levels > max(FLOOR, loudest / BELOW_PEAK, noise)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(np.int8), [0]))))
    spans = [(int(start), int(end)) for start, end in edges.reshape(-1, 2) if end - start >= CLICK]
    return [(start * FRAME / RATE, end * FRAME / RATE) for start, end in spans]


def bounds(audio: bytes) -> tuple[float, float] | None:
    """First and last sound of a recording, seconds; None for silence."""
    spans = voiced(audio)
    return (spans[0][0], spans[-1][1]) if spans else None


def add_noise(audio: bytes, snr: float, name: str) -> bytes:
    """The same with a room's noise under it: falling by 3 dB an octave, as loud everywhere.

    Args:
        audio: mu-law, 8000 Hz.
        snr: dB from the noise to the speech, both as RMS, the speech over what sounds.
        name: the same name gives the same noise.
    """
    samples = mulaw.decode(audio).astype(np.float64)
    spans = voiced(audio)
    if not spans:
        return audio
    speech = np.concatenate([samples[round(start * RATE) : round(end * RATE)] for start, end in spans])
    noise = _pink(len(samples), zlib.crc32(name.encode()))
    loud = float(np.sqrt((speech * speech).mean())) / 10 ** (snr / 20)
    mixed = np.clip(np.round(samples + noise * loud), -32768, 32767)
    return mulaw.encode(mixed.astype(np.int16))


def _pink(samples: int, seed: int) -> npt.NDArray[np.float64]:
    """Noise of RMS 1 whose power falls by 3 dB an octave above 50 Hz."""
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal(max(samples, 2)))
    frequency = np.maximum(np.fft.rfftfreq(max(samples, 2), 1 / RATE), 50.0)
    noise = np.fft.irfft(white / np.sqrt(frequency), max(samples, 2))[:samples]
    return np.asarray(noise / np.sqrt((noise * noise).mean()), dtype=np.float64)
