from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.audio.resample import Resampler, resample, resample_int16, to_float32, to_int16

RATES = [8000, 11025, 16000, 22050, 24000, 44100, 48000]
PAIRS = [(src, dst) for src in RATES for dst in RATES if src != dst]
ODD = (7999, 3001)  # too many phases for a matrix


def tone(hertz: float, rate: int, seconds: float = 0.5, phase: float = 0.3) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate + phase).astype(np.float32)


def decibels(x: np.ndarray) -> float:
    """Of a tone: 0 for an amplitude of 1."""
    return float(20 * np.log10(np.sqrt(2 * np.mean(np.square(x, dtype=np.float64))) + 1e-12))


def middle(x: np.ndarray) -> np.ndarray:
    return x[len(x) // 5 : -len(x) // 5]


@pytest.mark.parametrize(("src", "dst"), [*PAIRS, ODD])
def test_tones_of_the_passband_pass_in_place(src: int, dst: int) -> None:
    nyquist = min(src, dst) / 2
    for part in (0.02, 0.3, 0.6, 0.9):
        result = resample(tone(part * nyquist, src), src, dst)
        expected = tone(part * nyquist, dst)[: len(result)]
        assert decibels(middle(result[: len(expected)] - expected)) < -60, f"{part} of Nyquist"


@pytest.mark.parametrize(("src", "dst"), [pair for pair in [*PAIRS, ODD] if pair[0] > pair[1]])
def test_tones_above_the_new_nyquist_do_not_alias(src: int, dst: int) -> None:
    for hertz in np.linspace(dst / 2 * 1.001, src / 2 * 0.999, 23):
        assert decibels(middle(resample(tone(hertz, src), src, dst))) < -60, f"{hertz:.0f} Hz"


@pytest.mark.parametrize(("src", "dst"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_no_images_appear_above_the_old_nyquist(src: int, dst: int) -> None:
    for hertz in (0.1 * src, 0.4 * src, 0.45 * src):
        result = middle(resample(tone(hertz, src), src, dst)).astype(np.float64)
        window = np.blackman(len(result))
        spectrum = np.abs(np.fft.rfft(result * window)) / window.sum() * 2
        above = np.fft.rfftfreq(len(result), 1 / dst) > src / 2 * 1.001
        assert 20 * np.log10(spectrum[above].max()) < -60


@given(st.integers(0, 3000), st.sampled_from([*PAIRS, ODD]))
def test_the_length_is_exact(samples: int, rates: tuple[int, int]) -> None:
    src, dst = rates
    assert len(resample(np.zeros(samples, dtype=np.float32), src, dst)) == round(Fraction(samples * dst, src))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([*PAIRS, ODD, (8000, 8000)]), st.lists(st.integers(0, 1500), max_size=12), st.integers(0, 99))
def test_a_stream_in_pieces_gives_what_the_whole_gives(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-1, 1, sum(sizes)).astype(np.float32)
    stream = Resampler(*rates)
    for _ in range(2):  # a flushed stream starts anew
        pieces = [stream.push(piece) for piece in np.split(x, np.cumsum(sizes))]
        pieces.append(stream.flush())
        joined, whole = np.concatenate(pieces), resample(x, *rates)
        assert joined.dtype == whole.dtype == np.float32
        assert len(joined) == len(whole)
        np.testing.assert_allclose(joined, whole, atol=5e-6)


def test_a_stream_lags_by_5_ms_and_holds_only_what_it_needs() -> None:
    stream = Resampler(24000, 8000)
    got = 0
    for second in range(1, 4):
        for _ in range(50):
            got += len(stream.push(np.zeros(480, dtype=np.float32)))
        assert 0 <= 8000 * second - got <= 41
    assert len(stream._held) < 1000


def test_a_constant_stays_constant() -> None:
    for src, dst in [*PAIRS, ODD]:
        assert middle(resample(np.ones(src // 4, dtype=np.float32), src, dst)) == pytest.approx(1, abs=1e-5)


def test_an_impulse_stays_where_it_was() -> None:
    for src, dst in PAIRS:
        x = np.zeros(src // 5, dtype=np.float32)
        x[src // 10] = 1
        assert np.argmax(resample(x, src, dst)) == pytest.approx(src // 10 * dst / src, abs=0.51)


def test_16_bit_audio_is_rounded_and_clipped() -> None:
    square = np.repeat(np.array([32767, -32768] * 20, dtype=np.int16), 40)
    result = resample_int16(square, 8000, 24000)
    assert result.dtype == np.int16
    assert (result.max(), result.min()) == (32767, -32768)  # the overshoot did not wrap around
    assert to_int16(np.array([-2, -1, 0, 0.5, 1, 2], dtype=np.float32)).tolist() == [
        -32768,
        -32768,
        0,
        16384,
        32767,
        32767,
    ]
    every = np.arange(-32768, 32768).astype(np.int16)
    assert (to_int16(to_float32(every)) == every).all()


def test_the_same_rate_gives_a_copy() -> None:
    x = np.ones(5, dtype=np.float32)
    result = resample(x, 8000, 8000)
    result[0] = 0
    assert x[0] == 1


def test_wrong_input_says_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"shape \[n\], got shape \[2, 3\]"):
        resample(np.zeros((2, 3), dtype=np.float32), 8000, 16000)
    with pytest.raises(TypeError, match="float samples, got int16: use resample_int16"):
        resample(np.zeros(3, dtype=np.int16), 8000, 16000)
    with pytest.raises(ValueError, match="dst must be a sample rate of 1 to 1000000 Hz, got 0"):
        Resampler(8000, 0)
