"""Change of sample rate by a windowed-sinc filter, for whole signals and for streams.

Every output sample is a weighted sum of the input around its instant: a low-pass filter (sinc times a Kaiser
window; J. F. Kaiser, 1974), evaluated at the fractions of a sample the two rates need. Passband to 0.9 of the lower
Nyquist frequency, nothing above that frequency itself (at least 60 dB down), no delay: output ``n`` is the instant
``n / dst`` of the input.

The weights of one period of the two rates form a matrix, so that a stretch of audio is one matrix product. That is
what makes it fast in plain numpy.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, gcd, pi
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Resampler", "resample", "resample_int16", "to_float32", "to_int16"]

Floats = npt.NDArray[np.float32]

_ATTENUATION: Final = 66.0
"""Of the stopband, dB. A little more than is promised: rounding to a finite window costs some."""
_TRANSITION: Final = 0.1
"""From passband edge to stopband edge, as a part of the lower Nyquist frequency."""
_HALF_WIDTH: Final = ceil((_ATTENUATION - 7.95) / (2.285 * _TRANSITION * pi) / 2)
"""Half the filter's length in samples of the lower rate (Kaiser's formula): 5 ms at 8000 Hz."""
_BETA: Final = 0.1102 * (_ATTENUATION - 8.7)
_BLOCK: Final = 64
"""Outputs of a matrix product, at least: wide enough for the processor, narrow enough to waste little."""
_LARGEST_MATRIX: Final = 2_000_000
"""Weights. Odd pairs of rates beyond that (8000 and 44101 Hz) compute weights as they go, slower."""
_ROWS: Final = 8
"""Blocks of one product. Small products stay on the calling thread; large ones (11025 Hz to or from others) wake the
BLAS's own threads, which a server full of calls has no use for."""


def _kernel(distance: npt.NDArray[np.float64], scale: float, half: int) -> npt.NDArray[np.float64]:
    """Weight of an input sample `distance` input samples away; `scale` is the lower rate over the input rate."""
    cutoff = scale * (1 - _TRANSITION / 2)
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    window = np.where(np.abs(distance) <= half, np.i0(_BETA * np.sqrt(inside)), 0.0)
    return np.asarray(np.sinc(cutoff * distance) * window, dtype=np.float64)


class _Plan:
    """The weights of one pair of rates, and sums with them. Holds no signal: shared by all that use the pair."""

    def __init__(self, src: int, dst: int) -> None:
        divisor = gcd(src, dst)
        self.up, self.down = dst // divisor, src // divisor
        scale = min(1.0, dst / src)
        self.half = ceil(_HALF_WIDTH / scale)
        """Input samples needed on either side of an output."""
        self.block = self.up * ceil(_BLOCK / self.up)
        """Outputs of a block: whole periods, so that all blocks have the same weights."""
        self.step = self.block // self.up * self.down
        """Input samples from one block to the next."""
        self.reach = (self.block - 1) * self.down // self.up + 2 * self.half + 1
        """Input samples a block looks at."""
        self._offsets = np.arange(-self.half, self.half + 1, dtype=np.float64)
        self._scale = scale
        self._matrix: Floats | None = None
        if self.block * self.reach <= _LARGEST_MATRIX:
            self._matrix = np.zeros((self.reach, self.block), dtype=np.float32)
            positions = np.arange(self.block) * self.down
            weights = self._weights(positions % self.up / self.up)
            rows = (positions // self.up)[:, None] + np.arange(2 * self.half + 1)
            self._matrix[rows, np.arange(self.block)[:, None]] = weights
        else:
            # A fine table of the kernel, read with linear interpolation: errors stay far below the stopband.
            self._fine = np.arange(-256 * self.half - 256, 256 * self.half + 257) / 256
            self._table = _kernel(self._fine, scale, self.half)

    def _weights(self, fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """[outputs, 2 * half + 1], for outputs that far (0..1) behind the input sample before them."""
        distance = self._offsets - fraction[:, None]
        if self._matrix is None:
            weights = np.interp(distance, self._fine, self._table)
        else:
            weights = _kernel(distance, self._scale, self.half)
        # Each phase sums to one: a constant stays constant, and no tone appears at the period of the rates.
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

    def length(self, samples: int) -> int:
        """Outputs of a signal of that many input samples."""
        return round(Fraction(samples * self.up, self.down))

    def ready(self, samples: int) -> int:
        """Outputs that no input after the first `samples` can change."""
        return max(0, -((self.half - samples) * self.up // self.down))

    def first_input(self, output: int) -> int:
        """The first input sample needed for this output and all later ones; negative before the signal."""
        if self._matrix is None:
            return output * self.down // self.up - self.half
        return output // self.block * self.step - self.half

    def outputs(self, x: Floats, origin: int, first: int, end: int) -> Floats:
        """Outputs `first` to `end` of a signal of which x[0] is sample `origin` and all after x is silent."""
        if end <= first:
            return np.zeros(0, dtype=np.float32)
        if self._matrix is None:
            return self._by_weights(x, origin, first, end)
        return self._by_blocks(x, origin, first, end, self._matrix)

    def _by_blocks(self, x: Floats, origin: int, first: int, end: int, matrix: Floats) -> Floats:
        block, last = first // self.block, (end - 1) // self.block
        pieces = []
        for begin in range(block, last + 1, _ROWS * 16):  # bounded memory for signals of any length
            rows = min(_ROWS * 16, last + 1 - begin)
            low = begin * self.step - self.half - origin
            view = _padded(x, low, low + (rows - 1) * self.step + self.reach)
            windows = np.lib.stride_tricks.as_strided(
                view, (rows, self.reach), (self.step * view.itemsize, view.itemsize), writeable=False
            )
            whole = rows // _ROWS * _ROWS
            if whole:
                stacked = np.ascontiguousarray(windows[:whole]).reshape(-1, _ROWS, self.reach)
                pieces.append((stacked @ matrix).reshape(-1))
            if whole < rows:
                pieces.append((np.ascontiguousarray(windows[whole:]) @ matrix).reshape(-1))
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return joined[first - block * self.block : end - block * self.block].copy()

    def _by_weights(self, x: Floats, origin: int, first: int, end: int) -> Floats:
        result = np.empty(end - first, dtype=np.float32)
        for begin in range(first, end, 1024):
            positions = np.arange(begin, min(begin + 1024, end)) * self.down
            starts = positions // self.up - self.half - origin
            low = int(starts[0])
            view = _padded(x, low, int(starts[-1]) + 2 * self.half + 1)
            windows = np.lib.stride_tricks.sliding_window_view(view, 2 * self.half + 1)[starts - low]
            result[begin - first : begin - first + len(positions)] = np.einsum(
                "ij,ij->i", windows, self._weights(positions % self.up / self.up)
            )
        return result


def _padded(x: Floats, low: int, high: int) -> Floats:
    """x[low:high], with zeros where that is outside of x."""
    if low >= 0 and high <= len(x):
        return x[low:high]
    view = np.zeros(high - low, dtype=np.float32)
    inside = x[max(low, 0) : max(high, 0)]
    view[max(-low, 0) : max(-low, 0) + len(inside)] = inside
    return view


@lru_cache(maxsize=32)
def _plan(src: int, dst: int) -> _Plan:
    for name, rate in (("src", src), ("dst", dst)):
        if not 1 <= rate <= 1_000_000:
            raise ValueError(f"{name} must be a sample rate of 1 to 1000000 Hz, got {rate}")
    return _Plan(src, dst)


def resample(x: npt.NDArray[np.floating], src: int, dst: int) -> Floats:
    """A whole signal, shape ``[n]``, from `src` to `dst` samples a second (Hz, any integers).

    Returns float32 of exactly ``round(n * dst / src)`` samples. Linear, so any scale of samples does; outside of
    the signal there is silence.
    """
    x = _mono(x)
    if src == dst:
        return x.copy()
    plan = _plan(src, dst)
    return plan.outputs(x, 0, 0, plan.length(len(x)))


class Resampler:
    """Changes the rate of a stream; the pieces joined are what `resample` gives for the whole (to float32 rounding).

    Output lags the input by half a filter: 5 ms where the lower rate is 8000 Hz. `flush` brings the rest.
    """

    def __init__(self, src: int, dst: int) -> None:
        self.src, self.dst = src, dst
        self._plan = _plan(src, dst)
        self._reset()

    def _reset(self) -> None:
        self._held = np.zeros(0, dtype=np.float32)
        self._origin = 0  # the input sample that _held[0] is
        self._done = 0  # outputs returned

    def push(self, x: npt.NDArray[np.floating]) -> Floats:
        """The next piece of input, shape ``[n]``; returns the output that is certain by now, perhaps none."""
        x = _mono(x)
        if self.src == self.dst:
            return x.copy()
        self._held = np.concatenate((self._held, x)) if len(self._held) else x.copy()
        result = self._until(self._plan.ready(self._origin + len(self._held)))
        unneeded = self._plan.first_input(self._done) - self._origin
        if unneeded > 0:
            self._held = self._held[unneeded:].copy()
            self._origin += unneeded
        return result

    def flush(self) -> Floats:
        """The end of the stream: returns the rest of the output, and is ready for another stream."""
        result = self._until(self._plan.length(self._origin + len(self._held)))
        self._reset()
        return result

    def _until(self, end: int) -> Floats:
        result = self._plan.outputs(self._held, self._origin, self._done, end)
        self._done = max(self._done, end)
        return result


def resample_int16(x: npt.NDArray[np.int16], src: int, dst: int) -> npt.NDArray[np.int16]:
    """`resample` for 16-bit samples, rounded and clipped to 16 bits."""
    return to_int16(resample(to_float32(x), src, dst))


def to_float32(x: npt.NDArray[np.int16]) -> Floats:
    """16-bit samples to float32 in -1..1 (full scale 32768)."""
    return x.astype(np.float32) * np.float32(1 / 32768)


def to_int16(x: npt.NDArray[np.floating]) -> npt.NDArray[np.int16]:
    """Samples in -1..1 to 16 bits: rounded, and clipped where they are louder than full scale."""
    samples: npt.NDArray[np.int16] = np.clip(np.rint(x * 32768.0), -32768, 32767).astype(np.int16)
    return samples


def _mono(x: npt.NDArray[np.floating]) -> Floats:
    if x.ndim != 1:
        raise ValueError(f"expected samples of shape [n], got shape {list(x.shape)}: mix channels to one first")
    if not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"expected float samples, got {x.dtype}: use resample_int16 or to_float32")
    return np.ascontiguousarray(x, dtype=np.float32)
