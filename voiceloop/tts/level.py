"""Level and edges of a synthesised phrase: pure functions on float samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["faded", "limit", "voiced"]

Floats = npt.NDArray[np.float32]

_KNEE = 0.7
"""Below this share of the ceiling, `limit` changes nothing."""
_QUIET = 0.01
"""A hop whose level is less than this share of the loudest one is silence at an edge (-40 dB)."""
_HOP = 0.005
"""Seconds over which a level is taken at the edges."""


def faded(samples: Floats, rate: int, seconds: float, *, start: bool, end: bool) -> Floats:
    """A copy that rises from silence at its start, sinks to it at its end, or both, within `seconds` (a raised cosine).

    Without it, two pieces that were cut out of speech click where they are joined. `rate` in Hz.
    """
    count = min(round(seconds * rate), len(samples) // 2)
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(1, count))).astype(np.float32)
    out = samples.copy()
    if start:
        out[:count] *= rise
    if end and count:
        out[-count:] *= rise[::-1]
    return out


def limit(samples: Floats, gain: float, ceiling: float) -> Floats:
    """Multiply by `gain`, and bend what would come near `ceiling` (of full scale 1) so that it never exceeds it.

    The same for each sample on its own, so phrases that were made apart sound alike.
    """
    louder = samples * np.float32(gain)
    knee = np.float32(ceiling * _KNEE)
    room = np.float32(ceiling) - knee
    over = np.abs(louder) - knee
    bent = np.sign(louder) * (knee + room * np.tanh(np.maximum(over, 0) / room))
    return np.where(over > 0, bent, louder).astype(np.float32)


def voiced(samples: Floats, rate: int) -> tuple[int, int]:
    """First and last sample of what is not silence at the edges; (0, 0) if all is. `rate` in Hz."""
    hop = max(1, round(_HOP * rate))
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    if not len(frames):
        return 0, 0
    level = np.sqrt(np.square(frames).mean(axis=1))
    loud = np.flatnonzero(level > _QUIET * float(level.max()))
    if not len(loud):
        return 0, 0
    return int(loud[0]) * hop, (int(loud[-1]) + 1) * hop
