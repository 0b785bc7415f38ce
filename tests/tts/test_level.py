"""Level and edges of a synthesised phrase."""

from __future__ import annotations

import numpy as np
import pytest

from voiceloop.tts.level import faded, limit, voiced


def test_soft_samples_are_multiplied_and_nothing_exceeds_the_ceiling() -> None:
    samples = np.linspace(-1, 1, 2001, dtype=np.float32)
    out = limit(samples, 2.2, 0.7)
    assert np.abs(out).max() <= 0.7
    soft = np.abs(samples * 2.2) < 0.49
    assert np.allclose(out[soft], samples[soft] * 2.2)
    assert (np.diff(out) >= 0).all()


@pytest.mark.parametrize(("start", "end"), [(0, 1000), (400, 700), (40, 960)])
def test_the_sound_is_found_to_five_milliseconds(start: int, end: int) -> None:
    samples = np.zeros(1000, np.float32)
    samples[start:end] = 0.3 * np.sin(np.arange(end - start))
    found = voiced(samples, 8000)
    assert abs(found[0] - start) <= 40
    assert abs(found[1] - end) <= 40


@pytest.mark.parametrize("length", [0, 3, 100])
def test_silence_has_no_sound(length: int) -> None:
    assert voiced(np.zeros(length, np.float32), 8000) == (0, 0)


def test_the_edges_asked_for_rise_from_and_sink_to_silence() -> None:
    samples = np.ones(100, np.float32)
    out = faded(samples, 1000, 0.01, start=True, end=False)
    assert out[0] < 0.01
    assert (np.diff(out[:10]) > 0).all()
    assert (out[10:] == 1).all()
    assert np.array_equal(faded(samples, 1000, 0.01, start=False, end=True), out[::-1])
    assert (samples == 1).all()


@pytest.mark.parametrize("length", [0, 1, 5])
def test_what_is_shorter_than_a_fade_is_no_error(length: int) -> None:
    out = faded(np.ones(length, np.float32), 1000, 0.01, start=True, end=True)
    assert len(out) == length
    assert out.max(initial=0.0) <= 1
