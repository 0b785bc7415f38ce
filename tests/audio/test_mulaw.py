"""Mu-law against the decision and output values printed in ITU-T G.711, Table 2a."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.audio import mulaw


def _table_2a() -> tuple[list[int], list[int]]:
    """Decision values x1..x127 and output values y0..y127, times 4: G.711 counts in 14 bits, samples have 16."""
    edges = [0]
    for first_step, intervals in [(1, 1), (2, 15), *((2 << segment, 16) for segment in range(1, 8))]:
        for _ in range(intervals):
            edges.append(edges[-1] + first_step)
    assert [edges[i] for i in (16, 32, 48, 64, 80, 96, 112, 128)] == [31, 95, 223, 479, 991, 2015, 4063, 8159]
    outputs = [0] + [(low + high) // 2 for low, high in pairwise(edges[1:])]
    assert outputs[127] == 8031
    return [4 * edge for edge in edges[1:128]], [4 * value for value in outputs]


DECISIONS, OUTPUTS = _table_2a()


def reference_encode(sample: int) -> int:
    if sample >= 0:
        return 0xFF - bisect_right(DECISIONS, sample)
    return 0x7F - bisect_left(DECISIONS, -sample)


def reference_decode(byte: int) -> int:
    return OUTPUTS[0xFF - byte] if byte & 0x80 else -OUTPUTS[0x7F - byte]


ALL = np.arange(-32768, 32768).astype(np.int16)
BYTES = bytes(range(256))


def test_every_sample_is_coded_as_g711_says() -> None:
    assert list(mulaw.encode(ALL)) == [reference_encode(sample) for sample in range(-32768, 32768)]


def test_every_byte_is_decoded_as_g711_says() -> None:
    decoded = mulaw.decode(BYTES)
    assert decoded.dtype == np.int16
    assert decoded.tolist() == [reference_decode(byte) for byte in range(256)]


@pytest.mark.parametrize(
    ("sample", "byte"),
    [
        (0, 0xFF),
        (3, 0xFF),
        (4, 0xFE),
        (-1, 0x7F),
        (-4, 0x7F),
        (-5, 0x7E),
        (0x1234, 0xAD),
        (0x4567, 0x8E),
        (-0x4567, 0x0E),
        (32767, 0x80),
        (-32768, 0x00),
    ],
)
def test_known_samples(sample: int, byte: int) -> None:
    assert mulaw.encode(np.array([sample], dtype=np.int16)) == bytes([byte])


def test_silence_is_ff_and_both_zeros_decode_to_zero() -> None:
    assert mulaw.SILENCE == 0xFF
    assert mulaw.encode(np.zeros(3, dtype=np.int16)) == b"\xff\xff\xff"
    assert mulaw.decode(b"\xff\x7f").tolist() == [0, 0]


def test_coding_again_changes_nothing_but_negative_zero() -> None:
    again = mulaw.encode(mulaw.decode(BYTES))
    assert [(a, b) for a, b in zip(BYTES, again, strict=True) if a != b] == [(0x7F, 0xFF)]


def test_the_error_of_a_round_trip_stays_within_half_a_step() -> None:
    wide = ALL.astype(np.int32)
    error = np.abs(mulaw.decode(mulaw.encode(ALL)).astype(np.int32) - wide)
    magnitude = np.abs(wide)
    unclipped = magnitude <= 32635
    assert error[magnitude < 124].max() == 4
    assert (error[unclipped] <= (magnitude[unclipped] + 132) / 32 + 1).all()
    assert error.max() == 32768 - 32124


@given(st.lists(st.integers(-32768, 32767)))
def test_the_code_is_symmetric_and_monotonic(values: list[int]) -> None:
    samples = np.array(sorted(values), dtype=np.int16)
    coded = np.frombuffer(mulaw.encode(samples), np.uint8)
    assert (np.frombuffer(mulaw.encode(~samples), np.uint8) == coded ^ 0x80).all()
    assert (np.diff(mulaw.decode(coded.tobytes()).astype(int)) >= 0).all()


def test_views_and_empty_audio_are_coded_too() -> None:
    assert mulaw.encode(ALL[::2]) == mulaw.encode(ALL)[::2]
    assert mulaw.encode(ALL[:0]) == b""
    assert mulaw.decode(b"").tolist() == []
    assert mulaw.decode(memoryview(b"\x80")).tolist() == [32124]


def test_floats_are_refused_rather_than_cut_to_silence() -> None:
    with pytest.raises(TypeError, match="int16 samples, got float32"):
        mulaw.encode(np.zeros(4, dtype=np.float32))
