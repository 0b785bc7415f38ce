"""Voice activity by loudness alone: pure Python, a few microseconds a window, no model to install.

Good enough for tests, quiet lines and very small machines. It cannot tell a voice from any other sound that comes and
goes; `SileroModel` can.

The noise floor is the minimum of the level over the last second and a half, since speech dips that often and steady
noise does not (minimum statistics: R. Martin, IEEE Trans. Speech Audio Proc. 9(5), 2001). Sound that stays level
for a third of a second is taken for noise at once, so that a hum that begins does not hold the line.
"""

from __future__ import annotations

from math import exp
from typing import Final

from voiceloop.audio.levels import level

__all__ = ["EnergyLine", "EnergyModel"]

WINDOW: Final = 160
"""Samples of a window: 20 ms, as the phone sends it."""

_QUIETEST: Final = -60.0
"""dBFS below which nothing is speech; digital silence and comfort noise are both "quiet"."""
_ASSUMED: Final = -45.0
"""The noise floor a line is taken to have before it was heard, dBFS. A caller who is talking already is found, a
usual amount of noise is not."""
_MIDDLE: Final = 10.0
"""dB above the floor where speech is as likely as not."""
_SLOPE: Final = 2.0
"""dB from there that make speech e times as likely."""
_BLOCK: Final = 16
"""Windows over which one minimum is taken: 0.32 s."""
_BLOCKS: Final = 5
"""Minima the floor is taken over."""
_STEADY: Final = 3.0
"""dB within which a whole block must stay to be noise. White noise stays within 3, syllables do not."""


class EnergyLine:
    """The noise floor of one line."""

    __slots__ = ("_count", "_floor", "_highest", "_lowest", "_minima", "_previous")

    def __init__(self) -> None:
        self._minima = [_ASSUMED] * _BLOCKS
        self._floor = _ASSUMED
        self._count = 0
        self._lowest, self._highest = 0.0, _QUIETEST
        self._previous = 0.0

    @property
    def floor(self) -> float:
        """The noise floor now, dBFS."""
        return self._floor

    def probability(self, window_bytes: bytes) -> float:
        """How likely these 20 ms hold speech (160 mu-law bytes), 0 to 1."""
        if len(window_bytes) != WINDOW:
            raise ValueError(f"expected a window of {WINDOW} mu-law bytes, got {len(window_bytes)}")
        loud = max(level(window_bytes), _QUIETEST)
        lasting = max(loud, self._previous)  # one window alone, as a lost packet leaves it, is no floor
        self._previous = loud
        self._lowest = min(self._lowest, lasting)
        self._floor = min(self._floor, lasting)
        self._highest = max(self._highest, lasting)
        self._count += 1
        if self._count == _BLOCK:
            self._end_block()
        return 1 / (1 + exp((_MIDDLE - (loud - self._floor)) / _SLOPE))

    def _end_block(self) -> None:
        if self._highest - self._lowest <= _STEADY:
            self._minima = [self._lowest] * _BLOCKS
        else:
            del self._minima[0]
            self._minima.append(self._lowest)
        self._floor = min(self._minima)
        self._count = 0
        self._lowest, self._highest = 0.0, _QUIETEST


class EnergyModel:
    """Voice activity by loudness above the line's noise floor."""

    window: Final = WINDOW

    def new_line(self) -> EnergyLine:
        """For the audio of one call."""
        return EnergyLine()
