"""How the end of what somebody has said sounds: whether the voice is done. Pure.

What is known of speakers about to give up the turn (Duncan, "Some signals and rules for taking speaking turns in
conversations", 1972; Gravano and Hirschberg, "Turn-taking cues in task-oriented dialogue", Computer Speech and Language
25, 2011), and what is made of it:

- *Intonation.* Pitch falls, or rises high; before a pause inside a turn it stays level, and so it does in "um". What
  counts here is how steep the last pitch is, up or down.
- *Voice.* It becomes rougher: less periodic.
- *Loudness* sinks as well. Of that no use is made: on a line with noise the last sounds are under it, and between an
  artificial voice and recordings of people it pointed in different directions.
- *Lengthening* of the last syllable comes before pauses inside a turn too. It is not used either.

This is weak evidence, to be added to that of the words: alone it is right in two of three cases, and with noise 10 dB
below the speech hardly ever more often than a coin.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw

__all__ = ["Ending", "done", "ending", "pitches"]

RATE: Final = 8000
LISTENS: Final = 7200
"""Samples, the latest ones, that are looked at: 0.9 s."""
HOP: Final = 80
"""Samples from one frame to the next: 10 ms."""
WINDOW: Final = 320
"""Samples of a frame: 40 ms, nearly three periods of the deepest voice."""
PERIODS: Final = np.arange(19, 117)
"""Samples of a period: 420 Hz to 69 Hz, and one at either end to see a peak by."""
SEMITONES: Final = 12 * np.log2(RATE / PERIODS[1:-1] / 100)
"""The same as pitch, over 100 Hz."""

VOICED: Final = 0.5
"""Normalised autocorrelation from which a frame is a voice."""
STRONG: Final = 0.7
"""From which it tells the speaker's pitch."""
FIRST: Final = 0.9
"""The shortest period with so much of the best one's is taken: two periods fit a voice as well as one."""
AROUND: Final = 10.0
"""Semitones from the speaker's pitch within which it is looked for: less than an octave, so none is jumped."""
BELOW: Final = 22.0
"""dB under the loudest frame: what is softer is no voice."""
AUDIBLE: Final = 1e-9
"""Power (-90 dB) under which there is no sound."""
ENOUGH: Final = 12
"""Frames with a voice, at the least: 0.12 s."""
LAST: Final = 25
"""Frames before the last one with a voice over which its slope is taken: the last syllable or two."""
STEEP, ROUGH = 0.8, 0.3
"""What they weigh at the most, as log-odds. A cue that puts two ends in three before a pause inside a turn (area under
the curve 0.67; two normal distributions 0.62 of their width apart) tells so much where it is clear, and no more."""

Floats = npt.NDArray[np.float64]


class Ending(NamedTuple):
    """What the end of speech sounds like."""

    slope: float
    """Of the last pitch, semitones a second; below 0 it falls."""
    rough: float
    """By how much less periodic the last voice is than the one before."""


def done(audio: bytes) -> float:
    """How likely the caller is done, 0 to 1, by the sound alone; 0.5 when nothing tells. Takes about a millisecond.

    From 0.25 to 0.75: see the module.

    Args:
        audio: mu-law, 8000 Hz, up to a first short silence, of which it may hold 0.2 s. The last 0.9 s are looked at.
    """
    found = ending(audio)
    return 0.5 if found is None else 1 / (1 + math.exp(-_log_odds(found)))


def _log_odds(found: Ending) -> float:
    """By hand, from an artificial voice's whole and broken-off sentences."""
    steep = _between(abs(found.slope), 4.0, 20.0)
    rough = _between(found.rough, -0.05, 0.15)
    return STEEP * steep + ROUGH * rough


def _between(value: float, low: float, high: float) -> float:
    """-1 up to `low`, 1 from `high` on."""
    return min(max(2 * (value - low) / (high - low) - 1, -1.0), 1.0)


def ending(audio: bytes) -> Ending | None:
    """What the end sounds like; None when there is hardly a voice: silence, noise, a whisper, a click."""
    if len(audio) < WINDOW + HOP * ENOUGH:
        return None
    pitch, periodic = pitches(mulaw.decode(audio[-LISTENS:]).astype(np.float64) / 32768)
    voiced = np.flatnonzero(~np.isnan(pitch))
    if len(voiced) < ENOUGH:
        return None
    smooth = _medians(pitch[voiced])
    last = voiced >= voiced[-1] - LAST
    slope = _slope(voiced[last] * (HOP / RATE), smooth[last])
    before = periodic[voiced[:-ENOUGH]]
    rough = float(np.median(before) - periodic[voiced[-ENOUGH:]].mean()) if len(before) >= ENOUGH else 0.0
    return Ending(slope, rough)


def _slope(seconds: Floats, pitch: Floats) -> float:
    at = seconds - seconds.mean()
    return float(at @ (pitch - pitch.mean()) / max(float(at @ at), 1e-9))


def _medians(values: Floats) -> Floats:
    """Each with two on either side: a frame or two that are wrong are gone."""
    padded = np.pad(values, 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1))


def pitches(samples: Floats) -> tuple[Floats, Floats]:
    """Frame by frame: pitch (semitones over 100 Hz; NaN where there is no voice), and how periodic it is.

    The peak of the autocorrelation, normalised by the power of both parts, with the parabola through its neighbours.
    First without memory, which tells the speaker's pitch; then within `AROUND` of that.

    Args:
        samples: 8000 Hz, -1 to 1, at least a frame of them.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    alike = _autocorrelation(frames)
    level = 10 * np.log10((frames**2).mean(axis=1) + AUDIBLE)
    middle = alike[:, 1:-1]
    peaks = np.where((middle >= alike[:, :-2]) & (middle > alike[:, 2:]), middle, 0.0)
    best = peaks.max(axis=1)
    loud = (level > level.max() - BELOW) & (level > 10 * math.log10(4 * AUDIBLE))
    sure = loud & (best > STRONG)
    if sure.sum() < ENOUGH // 2:
        sure = loud & (best > VOICED)
    if sure.sum() < ENOUGH // 2:
        return np.full(len(level), np.nan), best
    first = (peaks >= FIRST * best[:, None]).argmax(axis=1)
    near = np.where(np.abs(SEMITONES - np.median(SEMITONES[first[sure]])) <= AROUND, peaks, 0.0)
    at, periodic = near.argmax(axis=1), near.max(axis=1)
    rows = np.arange(len(at))
    left, top, right = (alike[rows, at + step] for step in (0, 1, 2))
    bend = np.minimum(left - 2 * top + right, -1e-9)
    period = PERIODS[at + 1] + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
    return np.where(loud & (periodic > VOICED), 12 * np.log2(RATE / period / 100), np.nan), periodic


def _autocorrelation(frames: Floats) -> Floats:
    """How much each frame is like itself a period later, -1 to 1, for `PERIODS`."""
    spectrum = np.fft.rfft(frames, 512)  # 320 samples and the longest period: nothing comes round
    raw = np.fft.irfft(spectrum.real**2 + spectrum.imag**2)[:, PERIODS]
    power = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    whole = power[:, -1:]
    return np.asarray(raw / np.sqrt(np.maximum(power[:, WINDOW - PERIODS] * (whole - power[:, PERIODS]), 1e-12)))
