"""IMA ADPCM: 16-bit speech in four bits a sample, for the sound inside a call's picture.

The code is that of the Interactive Multimedia Association's "Recommended Practices for Enhancing Digital Audio
Compatibility in Multimedia Systems", revision 3.00 (1992): a difference to the sample before, in steps whose size
follows the signal. The arrangement in blocks is our own. Each block begins with a header, so it can be decoded alone,
all blocks are coded at once (the loop runs over the samples of a block), and blocks of silence can be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK", "HEADER", "Adpcm", "decode", "encode"]

BLOCK: Final = 512
"""Samples of a block: 64 ms of a phone call."""
HEADER: Final = 4
"""Bytes before a block's codes: its first sample (16 bits, little-endian), the index of its first step, and zero."""
SILENT: Final = 8
"""A block without a larger magnitude is silence: it is mu-law's smallest step, 72 dB below full scale."""

Samples = npt.NDArray[np.int16]
_Ints = npt.NDArray[np.int32]

_STEPS: Final = np.array(
    [
        *(7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97),
        *(107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796),
        *(876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428),
        *(4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350),
        *(22385, 24623, 27086, 29794, 32767),
    ],
    dtype=np.int32,
)
_MOVES: Final = np.array([-1, -1, -1, -1, 2, 4, 6, 8], dtype=np.int32)


def _difference_table() -> _Ints:
    """What a code adds to the sample before, shape ``[89, 16]``: each bit adds a shifted step, cut to whole numbers."""
    step, code = _STEPS[:, None], np.arange(8)
    size = (
        (step >> 3) + np.where(code & 4, step, 0) + np.where(code & 2, step >> 1, 0) + np.where(code & 1, step >> 2, 0)
    )
    return np.concatenate([size, -size], axis=1).astype(np.int32)


_DIFFERENCE: Final = _difference_table().ravel()
_NEXT: Final = np.clip(np.arange(89)[:, None] + np.tile(_MOVES, 2), 0, 88).astype(np.int32).ravel()
"""The index of the next step, by index and code."""


@dataclass(frozen=True, slots=True)
class Adpcm:
    """Coded audio. Blocks that are not in `runs` are silent."""

    samples: int
    """The length before coding; the last block is filled with zeros."""
    runs: tuple[tuple[int, int], ...]
    """The blocks there are: number of the first, and how many follow each other."""
    data: bytes
    """Their headers and codes, one after the other. The code of an even sample is in the low four bits."""


def encode(samples: Samples) -> Adpcm:
    """Code audio of shape ``[n]``.

    Raises `TypeError` for samples that are not int16.
    """
    if samples.dtype != np.int16:
        raise TypeError(f"encode expects int16 samples, got {samples.dtype}")
    count = -(-len(samples) // BLOCK)
    filled = np.zeros(count * BLOCK, dtype=np.int32)
    filled[: len(samples)] = samples
    blocks = filled.reshape(count, BLOCK)
    sounding = np.flatnonzero(np.abs(blocks).max(axis=1) > SILENT) if count else np.zeros(0, dtype=np.intp)
    kept = np.ascontiguousarray(blocks[sounding].T)
    if not len(sounding):
        return Adpcm(len(samples), (), b"")
    # The step a block should begin with is not known before it is coded. Speech changes slowly: a block before it ends
    # with about the right one, so blocks are coded once with a guess and again with what the first round found.
    _, ends = _code(kept, _guess(kept))
    starts = np.concatenate([_guess(kept[:, :1]), ends[:-1]])
    codes, _ = _code(kept, starts)
    packed = np.empty((len(sounding), HEADER + BLOCK // 2), dtype=np.uint8)
    packed[:, :2] = kept[0].astype("<i2")[:, None].view(np.uint8)
    packed[:, 2], packed[:, 3] = starts, 0
    packed[:, HEADER:] = (codes[0::2] | codes[1::2] << 4).T
    return Adpcm(len(samples), _runs(sounding), packed.tobytes())


def _guess(blocks: _Ints) -> _Ints:
    """The step index for the mean difference at the beginning of blocks, shape ``[BLOCK, n]``."""
    mean = np.abs(np.diff(blocks[:16], axis=0)).mean(axis=0)
    index: _Ints = np.minimum(np.searchsorted(_STEPS, mean), 88).astype(np.int32)
    return index


def _code(blocks: _Ints, index: _Ints) -> tuple[npt.NDArray[np.uint8], _Ints]:
    """Codes of blocks, shape ``[BLOCK, n]``, that begin with these step indices, and the indices they end with."""
    codes = np.empty(blocks.shape, dtype=np.uint8)
    before = blocks[0].copy()
    for at, sample in enumerate(blocks):
        difference = sample - before
        code = np.minimum((np.abs(difference) << 2) // _STEPS[index], 7) + ((difference < 0) << 3)
        entry = (index << 4) + code
        before = np.clip(before + _DIFFERENCE[entry], -32768, 32767)
        index = _NEXT[entry]
        codes[at] = code
    return codes, index


def _runs(numbers: npt.NDArray[np.intp]) -> tuple[tuple[int, int], ...]:
    first = np.flatnonzero(np.diff(numbers, prepend=-2) > 1)
    counts = np.diff(first, append=len(numbers))
    return tuple(zip(numbers[first].tolist(), counts.tolist(), strict=True))


def decode(coded: Adpcm) -> Samples:
    """The audio again, shape ``[samples]``; what the picture's own decoder gives, sample by sample."""
    count = -(-coded.samples // BLOCK)
    audio = np.zeros((count, BLOCK), dtype=np.int16)
    packed = np.frombuffer(coded.data, dtype=np.uint8).reshape(-1, HEADER + BLOCK // 2)
    codes = np.empty((BLOCK, len(packed)), dtype=np.int32)
    codes[0::2], codes[1::2] = (packed[:, HEADER:] & 15).T, (packed[:, HEADER:] >> 4).T
    value = np.ascontiguousarray(packed[:, :2]).view("<i2")[:, 0].astype(np.int32)
    index = packed[:, 2].astype(np.int32)
    decoded = np.empty((BLOCK, len(packed)), dtype=np.int16)
    for at, code in enumerate(codes):
        entry = (index << 4) + code
        value = np.clip(value + _DIFFERENCE[entry], -32768, 32767)
        index = _NEXT[entry]
        decoded[at] = value
    where = [number for first, run in coded.runs for number in range(first, first + run)]
    audio[where] = decoded.T
    return audio.ravel()[: coded.samples]
