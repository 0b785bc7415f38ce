"""Somebody types, softly: a sound for the time in which an agent works. Made, not recorded."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["typing"]

RATE: Final = 8000
SECONDS: Final = 9.6
"""Of the sound. It is played again and again; so long nobody notices that."""
_SEED: Final = 5
_KEY: Final = 0.07
"""Seconds that a key sounds."""
_BETWEEN: Final = (0.11, 0.24)
"""Seconds from one key to the next, within a word."""
_WORD: Final = (0.35, 0.9)
"""And from one word to the next."""


def typing() -> npt.NDArray[np.float32]:
    """Keys of a computer, at 8000 Hz, in -1..1. The same on every run.

    A key is the knock of its plunger on the ground (low, 60 ms) with the click of its cap (noise between 1 and 3 kHz,
    some milliseconds), and softer the same again when it comes up. Ends in a pause, so that it can be repeated.
    """
    chance = np.random.default_rng(_SEED)
    sound = np.zeros(round(SECONDS * RATE), dtype=np.float32)
    at, letters = 0.05, 0
    while at < SECONDS - _WORD[0] - 2 * _KEY:
        strength = chance.uniform(0.6, 1.0) * (1.25 if letters == 0 else 1.0)
        _add(sound, at, strength * _key(chance))
        _add(sound, at + chance.uniform(0.06, 0.09), 0.35 * strength * _key(chance))
        letters = letters - 1 if letters > 0 else int(chance.integers(2, 8))
        at += chance.uniform(*(_WORD if letters == 0 else _BETWEEN))
    loudest = float(np.abs(sound).max())
    return sound / np.float32(loudest)


def _key(chance: np.random.Generator) -> npt.NDArray[np.float32]:
    time = np.arange(round(_KEY * RATE)) / RATE
    noise = chance.standard_normal(len(time))
    click = np.convolve(noise, [0.5, 0.0, -0.5], mode="same") * np.exp(-time / 0.006)
    knock = np.sin(2 * np.pi * chance.uniform(250, 340) * time) * np.exp(-time / 0.014)
    rise = np.minimum(1.0, time / 0.001)
    return np.asarray(rise * (0.8 * click + 0.5 * knock), dtype=np.float32)


def _add(sound: npt.NDArray[np.float32], at: float, key: npt.NDArray[np.float32]) -> None:
    start = round(at * RATE)
    sound[start : start + len(key)] += key[: len(sound) - start]
