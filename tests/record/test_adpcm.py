"""The sound inside a picture: what is coded comes back, at its place and near enough to be heard as the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.record.adpcm import BLOCK, HEADER, decode, encode

Samples = npt.NDArray[np.int16]

STEPS = [
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    16,
    17,
    19,
    21,
    23,
    25,
    28,
    31,
    34,
    37,
    41,
    45,
    50,
    55,
    60,
    66,
    73,
    80,
    88,
    97,
    107,
]
STEPS += [118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796, 876]
STEPS += [963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871]
STEPS += [5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385]
STEPS += [24623, 27086, 29794, 32767]


def voice(seconds: float, seed: int = 1) -> Samples:
    """Something with the pitch, the fall towards high frequencies and the syllables of speech."""
    time = np.arange(round(seconds * 8000)) / 8000
    rng = np.random.default_rng(seed)
    tones = [np.sin(2 * np.pi * 120 * n * time + rng.uniform(0, 6)) / n for n in range(1, 25)]
    return (np.sum(tones, axis=0) * 4000 * np.abs(np.sin(2 * np.pi * 2 * time))).astype(np.int16)


def ratio(before: Samples, after: Samples) -> float:
    """Signal to noise, dB."""
    noise = before.astype(float) - after
    return float(10 * np.log10((before.astype(float) ** 2).mean() / (noise**2).mean()))


def plain_decoder(block: bytes) -> list[int]:
    """The decoder of the recommendation, one sample at a time."""
    value, index = int.from_bytes(block[:2], "little", signed=True), block[2]
    samples = []
    for byte in block[HEADER:]:
        for code in (byte & 15, byte >> 4):
            step = STEPS[index]
            change = (
                (step >> 3)
                + (step if code & 4 else 0)
                + (step >> 1 if code & 2 else 0)
                + (step >> 2 if code & 1 else 0)
            )
            value = max(-32768, min(32767, value - change if code & 8 else value + change))
            index = max(0, min(88, index + (-1, -1, -1, -1, 2, 4, 6, 8)[code & 7]))
            samples.append(value)
    return samples


def test_a_voice_comes_back_more_than_20_db_above_the_noise() -> None:
    before = voice(3.0)
    assert ratio(before, decode(encode(before))) > 20


def test_it_takes_four_bits_a_sample_and_a_header_for_each_block() -> None:
    coded = encode(voice(64.0 * BLOCK / 8000) | np.int16(64))  # nowhere silent
    assert coded.runs == ((0, 64),)
    assert len(coded.data) == 64 * (HEADER + BLOCK // 2)


def test_the_decoder_is_that_of_the_recommendation() -> None:
    coded = encode(voice(0.5, seed=2) | np.int16(64))
    size = HEADER + BLOCK // 2
    expected = [
        sample for at in range(0, len(coded.data), size) for sample in plain_decoder(coded.data[at : at + size])
    ]
    assert decode(coded).tolist() == expected[: coded.samples]


def test_silence_takes_no_room_and_stays_silent() -> None:
    coded = encode(np.full(8000, 8, np.int16))  # the smallest sample mu-law knows
    assert (coded.runs, coded.data) == ((), b"")
    assert not decode(coded).any()


def test_what_stands_between_silences_comes_back_at_its_place() -> None:
    audio = np.zeros(20 * BLOCK, np.int16)
    audio[3 * BLOCK : 5 * BLOCK] = voice(2 * BLOCK / 8000) | np.int16(64)
    audio[10 * BLOCK + 7] = 9000
    coded = encode(audio)
    assert coded.runs == ((3, 2), (10, 1))
    after = decode(coded)
    assert not after[: 3 * BLOCK].any()
    assert not after[5 * BLOCK : 10 * BLOCK].any()
    assert ratio(audio[3 * BLOCK : 5 * BLOCK], after[3 * BLOCK : 5 * BLOCK]) > 15


@given(
    st.integers(0, 3 * BLOCK + 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 100, 3000, 32767]),
)
@settings(max_examples=60, deadline=None)
def test_any_audio_keeps_its_length_and_never_wraps_around(length: int, seed: int, loud: int) -> None:
    audio = np.random.default_rng(seed).integers(-loud - 1, loud + 1, length).astype(np.int16)
    after = decode(encode(audio))
    assert len(after) == length
    assert length == 0 or int(np.abs(after.astype(int)).max()) <= min(32768, 2 * loud + 24)


def test_other_samples_than_16_bits_are_refused() -> None:
    with pytest.raises(TypeError, match="int16 samples, got float32"):
        encode(np.zeros(10, np.float32))  # type: ignore[arg-type]
