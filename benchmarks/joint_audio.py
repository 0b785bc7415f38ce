"""What is heard where a clause was divided: for `first_phrase.py`.

Everything is measured around the boundary of two words, on phone audio, and compared with the same boundary in the
sentence spoken in one go.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from voiceloop.audio import mulaw
from voiceloop.tts.base import Speech

RATE = 8000
HOP = RATE // 200
"""5 ms."""
WINDOW = round(0.04 * RATE)
LAGS = np.arange(round(RATE / 350), round(RATE / 90))
"""Periods of a voice, samples."""
VOICED = 0.6
"""Least autocorrelation of what counts as voiced."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Bounds:
    """How far speech at a joint may be from the same sentence spoken in one go."""

    silence: float = 0.06
    """Seconds of silence more. The pause of a comma has 0.12 s and more."""
    level: float = 4.0
    """dB by which the step in level from the word before to the word after differs."""
    pitch: float = 4.0
    """Semitones by which the step in pitch differs."""
    fall: float = 3.0
    """Semitones by which the pitch falls further at the end of the word before."""
    length: float = 1.3
    """Times as long is the word before."""

    def broken(self, differences: dict[str, float | None]) -> list[str]:
        """The names of those that are exceeded. A difference that cannot be measured breaks none."""
        found = ((name, differences[name], most) for name, most in asdict(self).items())
        return [name for name, difference, most in found if difference is not None and difference > most]


@dataclass(frozen=True)
class Place:
    """What is heard around the boundary between two words."""

    silence: float
    """Seconds."""
    level_before: float
    """Of the word before, dB."""
    level_after: float
    pitch_before: float
    """At the end of the word before, semitones over 100 Hz; nan if nothing there is voiced."""
    pitch_after: float
    pitch_earlier: float
    """Over the second before."""
    length: float
    """Of the word before, seconds."""


def place(speech: Speech, number: int) -> Place:
    """Around the beginning of word `number`."""
    samples = mulaw.decode(speech.audio).astype(np.float32) / np.float32(32768)
    last, following = speech.words[number - 1], speech.words[number]
    until = speech.words[min(number + 1, len(speech.words) - 1)].end
    return Place(
        silence=_silence(samples, (last.end + following.start) / 2),
        level_before=_level(samples, last.start, last.end),
        level_after=_level(samples, following.start, following.end),
        pitch_before=_middle(pitch(samples, last.start, last.end)[-8:]),
        pitch_after=_middle(pitch(samples, following.start, until)[:8]),
        pitch_earlier=_middle(pitch(samples, max(speech.words[0].start, last.end - 1.0), last.end)),
        length=last.end - last.start,
    )


def differences(joined: Place, whole: Place) -> dict[str, float | None]:
    """How they differ, by the names of `Bounds`; None where nothing is voiced that has a pitch."""
    found = {
        "silence": joined.silence - whole.silence,
        "level": abs((joined.level_after - joined.level_before) - (whole.level_after - whole.level_before)),
        "pitch": abs((joined.pitch_after - joined.pitch_before) - (whole.pitch_after - whole.pitch_before)),
        "fall": (whole.pitch_before - whole.pitch_earlier) - (joined.pitch_before - joined.pitch_earlier),
        "length": joined.length / whole.length,
    }
    return {name: None if np.isnan(value) else round(value, 2) for name, value in found.items()}


def pitch(samples: Floats, begin: float, end: float) -> npt.NDArray[np.float64]:
    """Semitones over 100 Hz from `begin` to `end` (seconds), for each 5 ms that is voiced.

    The period is the first high peak of the normalised autocorrelation of 40 ms: its multiples match as well.
    """
    found = []
    for at in range(max(0, round(begin * RATE) - WINDOW // 2), round(end * RATE) - WINDOW // 2, HOP):
        frame = samples[at : at + WINDOW].astype(float)
        if len(frame) < WINDOW or (frame**2).mean() < 1e-4:
            continue
        frame -= frame.mean()
        power = [np.sqrt((frame[lag:] ** 2).sum() * (frame[:-lag] ** 2).sum()) for lag in LAGS]
        match = np.array([frame[lag:] @ frame[:-lag] for lag in LAGS]) / np.maximum(power, 1e-9)
        peaks = np.flatnonzero((match[1:-1] >= match[:-2]) & (match[1:-1] >= match[2:])) + 1
        high = peaks[match[peaks] >= max(VOICED, 0.92 * match[peaks].max(initial=0.0))]
        if len(high):
            found.append(12 * np.log2(RATE / (LAGS[high[0]] + _vertex(match, int(high[0]))) / 100))
    return np.array(found)


def _vertex(values: npt.NDArray[np.float64], at: int) -> float:
    """Where between its neighbours the peak at `at` is highest: a parabola through the three."""
    left, top, right = values[at - 1 : at + 2]
    bend = left - 2 * top + right
    return float(0.5 * (left - right) / bend) if bend else 0.0


def _silence(samples: Floats, at: float) -> float:
    """Length of the longest silence that comes within 60 ms of `at`: 5 ms each with less than 2 % of the peak."""
    frames = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    quiet = np.sqrt((frames**2).mean(axis=1)) < 0.02 * float(np.abs(samples).max())
    here, near = round(at * RATE) // HOP, round(0.06 * RATE) // HOP
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(int), [0]))))
    runs = [(a, b) for a, b in edges.reshape(-1, 2) if b > here - near and a <= here + near]
    return max((int(b - a) for a, b in runs), default=0) * HOP / RATE


def _level(samples: Floats, begin: float, end: float) -> float:
    part = samples[round(begin * RATE) : round(end * RATE)].astype(float)
    return 10 * float(np.log10((part**2).mean() + 1e-9)) if len(part) else -90.0


def _middle(values: npt.NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
