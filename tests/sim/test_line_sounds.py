"""Sounds that are no words."""

from __future__ import annotations

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.sim.line_sounds import NOISES, bark, breath, click, hum, slam, throat

FRAME = 160


def levels(audio: bytes) -> np.ndarray:
    """Of each 20 ms, dBFS."""
    samples = mulaw.decode(audio).astype(np.float64) / 32768
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(10 * np.log10((frames**2).mean(axis=1) + 1e-12))


@pytest.mark.parametrize("name", sorted(NOISES))
def test_a_seed_gives_the_same_sound_and_a_level_is_kept(name: str) -> None:
    audio = NOISES[name](3, -30.0)
    assert audio == NOISES[name](3, -30.0)
    assert levels(audio).max() == pytest.approx(-32.5 if name == "cough" else -30.0, abs=1.6)  # one rises, dies away
    assert levels(NOISES[name](3, -20.0)).max() - levels(audio).max() == pytest.approx(10.0, abs=0.5)


@pytest.mark.parametrize("name", sorted(set(NOISES) - {"hum"}))
def test_another_seed_gives_another_sound(name: str) -> None:
    assert NOISES[name](3, -30.0) != NOISES[name](4, -30.0)


@pytest.mark.parametrize("made", [slam(), throat(), breath(), click(), bark()])
def test_a_telephone_carries_it(made: bytes) -> None:
    spectrum = np.abs(np.fft.rfft(mulaw.decode(made).astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(len(made), 1 / 8000)
    assert spectrum[(hertz > 240) & (hertz < 3410)].sum() > 0.98 * spectrum.sum()


def test_loudness_takes_the_course_of_the_real_thing() -> None:
    assert np.argmax(levels(slam(seed=1))) <= 1  # at once
    assert levels(slam(seed=1))[-3:].max() < -45
    swell = levels(breath(0.9, seed=1))
    assert 15 <= np.argmax(swell) <= 30
    assert swell[0] < swell.max() - 20 > swell[-1]
    assert np.count_nonzero(levels(click(5, seed=1)) > -45) in range(5, 11)  # five clicks, each in a frame or two
    barks = levels(bark(2, seed=1)) > -40
    assert np.count_nonzero(np.diff(barks.astype(int)) == 1) + int(barks[0]) == 2
    assert np.ptp(levels(hum(0.5))) < 3


def test_nothing_asked_for_is_nothing() -> None:
    assert click(0) == b"\xff" * 160
    assert bark(0) == b""
    assert breath(0.0) == b""
