"""Where something is said, by level alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.stt.activity import FRAME, activity, levels, quietest, speaks

Samples = npt.NDArray[np.int16]
RANDOM = np.random.default_rng(1)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * 8000), np.int16)


def noise(seconds: float, level: float) -> Samples:
    """Steady noise at `level` dB under full scale."""
    return (RANDOM.standard_normal(round(seconds * 8000)) * 32768 * 10 ** (level / 20)).astype(np.int16)


def voice(seconds: float, level: float = -22.0) -> Samples:
    """Noise that swells and fades four times a second, as syllables do."""
    steady = noise(seconds, level).astype(float)
    return (steady * (0.55 + 0.45 * np.sin(np.arange(len(steady)) * 8 * np.pi / 8000))).astype(np.int16)


def joined(*parts: Samples) -> Samples:
    return np.concatenate(parts)


@pytest.mark.parametrize(
    "samples",
    [
        silence(0),
        silence(0.01),
        silence(2),
        noise(2, -60),
        noise(2, -30),
        np.full(16000, 1000, np.int16),
        joined(silence(1), noise(0.03, -10), silence(1)),
    ],
    ids=["nothing", "less than a frame", "silence", "soft noise", "steady noise", "an offset", "a click"],
)
def test_what_says_nothing(samples: Samples) -> None:
    assert not activity(samples)


@pytest.mark.parametrize("background", [silence(1), noise(1, -55), noise(1, -40)], ids=["none", "soft", "loud"])
@pytest.mark.parametrize("length", [0.12, 0.4, 3.0])
def test_the_spoken_part_is_found_with_a_little_around_it(background: Samples, length: float) -> None:
    samples = joined(background, voice(length), background)
    found = activity(samples)
    assert found
    assert 0.75 <= found.start / 8000 <= 0.9
    assert 1 + length <= found.end / 8000 <= 1 + length + 0.3


def test_a_soft_ending_is_kept() -> None:
    samples = joined(silence(0.5), voice(0.5, -20), voice(0.3, -38), silence(0.5))
    assert activity(samples).end / 8000 >= 1.25


def test_only_what_is_longer_than_a_click_counts_as_new_speech() -> None:
    assert not speaks(joined(silence(0.3), noise(0.03, -20), silence(0.3)), -40)
    assert speaks(joined(silence(0.3), voice(0.3), silence(0.3)), -40)
    assert not speaks(silence(0), -40)


def test_the_cut_lies_in_the_pause() -> None:
    samples = joined(voice(12), silence(0.4), voice(8))
    assert 12.0 <= quietest(samples, 80000, 160000) / 8000 <= 12.4


def test_levels_are_in_decibels_under_full_scale() -> None:
    square = np.tile(np.array([16384, -16384], np.int16), FRAME // 2)
    assert levels(square) == pytest.approx([-6.02], abs=0.01)
    assert levels(silence(0.02)) == pytest.approx([-96])


@given(st.binary(max_size=4000))
def test_the_part_found_lies_inside(data: bytes) -> None:
    samples = np.frombuffer(data[: len(data) // 2 * 2], np.int16)
    found = activity(samples)
    assert 0 <= found.start <= found.end <= len(samples)
