"""Whether what is heard is the agent's own voice, coming back down the line. Pure.

While the agent sounds, and a moment after, audio in which speech was detected is compared with what was played. The
first time the delay of the echo is looked for wherever it may be; from then on a fit at that delay tells how much of
what is heard the echo explains. What it leaves over is the caller.

The delay is nearly the same for the whole call. It moves by as much as a block of the carrier's (20 ms) with every
answer, and more when the caller lifts the receiver off the speaker. So it is looked for again, first near by, whenever
it explains little.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import log10
from typing import Final

import numpy as np

from voiceloop.played import Played
from voiceloop.vad.echo_path import BEFORE, TAPS, Fit, Samples, find, fit, samples

__all__ = ["EchoGuard", "EchoOptions"]

RATE: Final = 8000
SIZE: Final = 512
"""Samples that are compared: 64 ms. Of voices of others the best fit anywhere explains less than half of that in 99 of
100 cases, at one delay less than a quarter."""
NEAR: Final = 480
"""Samples around the known delay that are searched first: 60 ms."""
FRAME: Final = 64
"""Samples of a frame, for levels: 8 ms."""
SOUND: Final = 5
"""Frames with sound before a delay is believed: a shorter sound is like too many others."""
CERTAIN: Final = 0.7
"""So much explained at any delay is an echo."""
LIKELY: Final = 0.35
"""So much is one if it lasts."""
CLOSE: Final = 0.5
"""So much is one at a delay near the known one."""
LASTING: Final = 0.1
"""Seconds that a likely delay must be found again and again."""
USUAL: Final = 0.8
"""Of what is usually explained, so much is echo and nothing else."""
LOUDER: Final = 8.0
"""Energy against that of the expected echo from which on it is the caller, whatever it is like: 9 dB."""
REST: Final = 0.05
"""What remains is no caller when it is so much softer than the loudest echo a moment before: 13 dB."""
MOMENT: Final = 0.25
"""Seconds that this is held against it: a room, and a model of voice activity, go on after a sound."""
NOISE: Final = 4.0
"""Nor when its energy is below so many times what usually remains: 6 dB. It is noise, or what an echo path of a few
milliseconds does not explain."""
LATELY: Final = 3.0
"""Seconds that this is known."""
PAST: Final = 8000
"""Samples in which the quietest frame tells what noise the line has: one second, in which every voice dips."""
ABOVE: Final = 4.0
"""Energy against that frame from which on a sound stands out: 6 dB, of which noise itself has 3 over its quietest."""
QUIET: Final = 300.0
"""Energy of a window, with pre-emphasis, below which nothing is a caller who speaks over an agent: about -60 dBFS."""
TRIES: Final = 10
"""Searches in vain after which only every fifth window is searched: it is the caller who speaks."""


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """Where echoes are expected."""

    enabled: bool = True
    """False: whatever sounds like speech is the caller's."""
    longest: float = 0.56
    """Seconds from the caller's ear back into the line, at most."""
    slack: float = 0.1
    """Seconds by which the time of the way there and back may be less than it seems."""
    loudest: float = -3.0
    """dB, against what was played. No line gives back more, and a caller may say the same words."""

    def __post_init__(self) -> None:
        if self.longest <= 0 or self.slack < 0 or self.longest + self.slack > 2:
            raise ValueError(
                f"expected longest above 0 s and slack of 0 s or more, together at most 2 s, "
                f"got {self.longest} and {self.slack}"
            )


@dataclass(slots=True)
class _Path:
    """An echo as it is known. Energies are means per sample."""

    lag: float
    """Seconds from sending to hearing."""
    gain: float
    """Energy against that of what was played."""
    explained: float
    """How much it usually explains."""
    rest: float = 0.0
    """What usually remains."""
    loudest: float = 0.0
    """Of the echo lately."""
    at: float = 0.0
    """When it was heard last, seconds."""


class EchoGuard:
    """Judges one line's audio, window by window.

    Args:
        played: what was played.
        options: where echoes are expected.
    """

    __slots__ = ("_likely", "_likely_since", "_path", "_recent", "_searched", "_tries", "_windows", "options", "played")

    def __init__(self, played: Played, options: EchoOptions | None = None) -> None:
        self.played = played
        self.options = options or EchoOptions()
        self._recent: deque[bytes] = deque(maxlen=1)
        self._windows = 0  # samples in a window
        self._path: _Path | None = None
        self._likely, self._likely_since = 0.0, 0.0  # a delay that is not believed yet, and since when
        self._tries, self._searched = 0, 0.0

    @property
    def delay(self) -> float | None:
        """Seconds from the caller's ear back into the line, as far as known."""
        return None if self._path is None else self._path.lag - self.played.round_trip

    @property
    def level(self) -> float | None:
        """Of the echo against what was played, dB; None while none is known."""
        return None if self._path is None else _decibels(self._path.gain)

    def hear(self, window: bytes, end: float, speech: bool) -> bool:
        """The next window of the line; every one is to be given. Returns whether its speech is the agent's own.

        Args:
            window: mu-law, 8000 Hz; all are of one length.
            end: when its last sample was spoken, seconds, dated like `CallerAudio.at`.
            speech: whether a model hears speech in it. Nothing is compared otherwise.
        """
        recent = self._recent
        if len(window) != self._windows:
            self._windows = len(window)
            self._recent = recent = deque(maxlen=-(-PAST // len(window)))
        recent.append(window)
        played = self.played
        if not speech or end - played.round_trip - self.options.longest > played.end or not self.options.enabled:
            return False
        return self._is_echo(b"".join(recent), end)

    def lost(self) -> None:
        """Audio is missing behind the last window."""
        self._recent.clear()

    # --- judging -------------------------------------------------------------------------------------------------

    def _is_echo(self, recent: bytes, end: float) -> bool:
        if len(recent) <= SIZE:
            return False
        heard = samples(recent[-SIZE - 1 :])
        energy = float(heard @ heard) / SIZE
        path = self._path
        if path is not None and self._known(path, heard, energy, end):
            return True
        return not self._stands_out(recent) or self._search(heard, energy, end)

    def _stands_out(self, recent: bytes) -> bool:
        """Whether the last window is more than the line's noise: what a model takes for the begin of speech may well
        be the begin of an echo, too soft yet to be known."""
        past = samples(recent)
        now = past[-min(self._windows, SIZE) :]
        sounding = float(now @ now) / len(now)
        frames = past[len(past) % FRAME :].reshape(-1, FRAME)
        return sounding > max(QUIET, ABOVE / FRAME * float(np.einsum("ij,ij->i", frames, frames).min()))

    def _known(self, path: _Path, heard: Samples, energy: float, end: float) -> bool:
        """Whether it is the echo as it is known."""
        reference = self._reference(end - path.lag, NEAR, NEAR)
        place = NEAR + TAPS
        now = heard[-min(self._windows, SIZE) :]
        sounding = float(now @ now) / len(now)
        if sounding > LOUDER * path.gain * _loudest(reference) and sounding > path.rest * NOISE:
            return False
        found = fit(heard, reference, place)
        if self._explains(path, found, energy, end):
            return self._confirm(path, found, energy, end)
        near = find(heard, reference[TAPS:-TAPS])
        moved = near + TAPS - place
        if abs(moved) <= BEFORE or not _sounds(heard, 2):
            return False
        closer = fit(heard, reference, near + TAPS)
        if closer.explained < CLOSE or not self._possible(closer):
            return False
        path.lag -= moved / RATE
        return self._confirm(path, closer, energy, end)

    def _explains(self, path: _Path, found: Fit, energy: float, end: float) -> bool:
        if found.explained >= USUAL * path.explained:
            return self._possible(found)
        rest, ago = (1 - found.explained) * energy, end - path.at
        return (ago < MOMENT and rest < REST * path.loudest) or (ago < LATELY and rest < NOISE * path.rest)

    def _confirm(self, path: _Path, found: Fit, energy: float, end: float) -> bool:
        """It is the echo: remember what it is like."""
        if found.explained >= USUAL * path.explained and self._possible(found):
            echo, rest = found.explained * energy, (1 - found.explained) * energy
            path.explained += 0.1 * (found.explained - path.explained)
            path.gain *= (found.gain / path.gain) ** 0.2
            path.rest = max(0.9 * path.rest, rest)
            path.loudest = max(0.9 * path.loudest, echo)
            path.at = end
        self._tries = 0
        return True

    # --- searching -----------------------------------------------------------------------------------------------

    def _search(self, heard: Samples, energy: float, end: float) -> bool:
        """By an echo at any delay."""
        if end - self._searched > 2.0:
            self._tries = 0
        self._searched = end
        self._tries += 1
        if (self._tries > TRIES and self._tries % 5) or not _sounds(heard, SOUND):
            return False
        longest = round(self.options.longest * RATE)
        slack = round(self.options.slack * RATE)
        # The lag of the first of these is the longest one.
        reference = self._reference(end - self.played.round_trip, longest, slack)
        place = find(heard, reference[TAPS:-TAPS]) + TAPS
        found = fit(heard, reference, place)
        lag = self.played.round_trip - (place - longest - TAPS) / RATE
        if not self._possible(found) or not self._believed(found, lag, end):
            return False
        self._path = path = _Path(lag, found.gain, found.explained)
        self.played.returns = True
        return self._confirm(path, found, energy, end)

    def _believed(self, found: Fit, lag: float, end: float) -> bool:
        if self._path is not None and abs(lag - self._path.lag) * RATE <= BEFORE:  # that is known: others speak too
            return found.explained >= USUAL * self._path.explained
        if found.explained >= CERTAIN:
            return True
        if found.explained < LIKELY:
            return False
        if abs(lag - self._likely) * RATE > BEFORE:
            self._likely, self._likely_since = lag, end
        return end - self._likely_since >= LASTING

    def _possible(self, found: Fit) -> bool:
        return found.gain > 0 and _decibels(found.gain) <= self.options.loudest

    def _reference(self, end: float, before: int, after: int) -> Samples:
        """What was played where the heard audio would end at a time of sending, and some samples more on both sides."""
        start = end - (SIZE + before + TAPS + 1) / RATE
        return samples(self.played.between(start, end + (after + TAPS) / RATE))


def _loudest(reference: Samples) -> float:
    """Energy of the loudest frame."""
    frames = reference[: len(reference) // FRAME * FRAME].reshape(-1, FRAME)
    return float(np.einsum("ij,ij->i", frames, frames).max()) / FRAME


def _sounds(heard: Samples, frames: int) -> bool:
    """Whether there is sound in so many frames: not 20 dB softer than in the loudest."""
    energies = (heard * heard).reshape(-1, FRAME).sum(axis=1)
    return int((energies > 0.01 * energies.max()).sum()) >= frames


def _decibels(energy: float) -> float:
    return 10 * log10(energy)
