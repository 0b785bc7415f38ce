"""Where in a piece of phone audio something is said, judged by level alone: pure functions on samples.

This does not replace voice activity detection, which has run before. It trims what a recogniser would only waste
time on, tells silence and steady noise from anything else, and finds the quietest place to cut a long utterance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FRAME", "Activity", "activity", "levels", "quietest", "speaks"]

FRAME = 160
"""Samples in a frame: 20 ms at 8000 Hz."""

_SILENCE = -50.0
"""A frame below this level (dB under full scale) says nothing; speech on a phone line is around -25."""
_OVER_FLOOR = 8.0
"""What is said stands this far above the steady background, dB."""
_UNDER_PEAK = 15.0
"""Anything within this distance of the loudest frame counts, however loud the background, dB."""
_STEADY = 4.0
"""When the loud frames are less than this above the quiet ones, it is hum or hiss, dB."""
_BEFORE, _AFTER = 11, 13
"""Frames kept before the first and after the last active one: soft consonants lie there. Half as many cost words at
the edges ("make me" became "thank me"); many more slow the recogniser and gained nothing."""
_CLICK = 3
"""Fewer active frames in a row than this are a click."""


@dataclass(slots=True, frozen=True)
class Activity:
    """The active part of a piece of audio, in samples; `start` equals `end` when there is none."""

    start: int
    end: int
    threshold: float
    """Level from which a frame was held to be active, dB under full scale."""

    def __bool__(self) -> bool:
        return self.end > self.start


def levels(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
    """Level of every whole frame, dB under full scale; -96 for digital silence."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    # Without the mean: a line may carry an offset, which is not sound.
    power = frames.var(axis=1) / 32768.0**2
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0**-9.6)))


def activity(samples: npt.NDArray[np.int16]) -> Activity:
    """The stretch from the first to the last active frame, with a little around it. `samples`: 8000 Hz."""
    db = levels(samples)
    if not len(db):
        return Activity(0, 0, _SILENCE)
    floor, loud = float(np.percentile(db, 10)), float(np.percentile(db, 95))
    peak = float(db.max())
    threshold = max(_SILENCE, min(floor + _OVER_FLOOR, peak - _UNDER_PEAK))
    steady = len(db) >= 25 and loud - floor < _STEADY
    active = _without_clicks(db > threshold)
    if steady or not active.any():
        return Activity(0, 0, threshold)
    first, last = int(np.argmax(active)), len(active) - int(np.argmax(active[::-1]))
    return Activity(max(0, first - _BEFORE) * FRAME, min(len(samples), (last + _AFTER) * FRAME), threshold)


def speaks(samples: npt.NDArray[np.int16], threshold: float) -> bool:
    """Whether anything longer than a click lies above a level found earlier, dB under full scale."""
    return bool(_without_clicks(levels(samples) > threshold).any())


def _without_clicks(active: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Only the runs of at least `_CLICK` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], active.astype(np.int8), [0]))))
    kept = np.zeros_like(active)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start >= _CLICK:
            kept[start:end] = True
    return kept


def quietest(samples: npt.NDArray[np.int16], low: int, high: int, width: int = 10 * FRAME) -> int:
    """The middle of the quietest stretch of `width` samples between `low` and `high`: where to cut, in samples."""
    power = levels(samples[low:high])
    frames = max(1, width // FRAME)
    if len(power) < frames:
        return high
    mean = np.convolve(10.0 ** (power / 10.0), np.ones(frames), mode="valid")
    return low + (int(np.argmin(mean)) * FRAME) + frames * FRAME // 2
