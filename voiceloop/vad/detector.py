"""From probabilities of speech to events: speech started, speech paused.

Pure: positions and probabilities in, events out. Positions count samples of the line, from wherever the caller of
this module starts to count; nothing here knows what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Event", "Paused", "SpeechDetector", "Started", "VADOptions"]


@dataclass(frozen=True, slots=True)
class VADOptions:
    """When speech is held to begin and to pause."""

    threshold: float = 0.5
    """Probability from which a window is speech while none is going on."""
    release: float = 0.35
    """Probability below which a window is silence while speech is going on. At most `threshold`: between the two,
    whatever was goes on."""
    min_speech: float = 0.064
    """Seconds of speech in a row before `Started`. A cough or a click is shorter."""
    min_silence: float = 0.16
    """Seconds of silence in a row before `Paused`. The gap inside a stop consonant is shorter."""
    rate: int = 8000
    """Samples a second of the line, Hz."""

    def __post_init__(self) -> None:
        if not 0 <= self.release <= self.threshold <= 1:
            raise ValueError(f"expected 0 <= release <= threshold <= 1, got {self.release} and {self.threshold}")
        if self.min_speech < 0 or self.min_silence < 0:
            raise ValueError(
                f"expected seconds of 0 or more, got min_speech={self.min_speech}, min_silence={self.min_silence}"
            )
        if self.rate < 1:
            raise ValueError(f"expected a rate in Hz, got {self.rate}")


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began, or went on after a `Paused`: whether it is the same utterance is not decided here."""

    at_sample: int
    """The first sample of speech."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A first short silence after speech."""

    at_sample: int
    """Where speech ended: the first sample of the silence."""


Event = Started | Paused
_NONE: tuple[Event, ...] = ()


class SpeechDetector:
    """Turns one line's probabilities into events, which alternate: started, paused, started, …

    Windows come in order and need not touch: what lies between two windows counts as silence, and never as speech.
    """

    def __init__(self, options: VADOptions | None = None) -> None:
        self.options = options or VADOptions()
        self._min_speech = round(self.options.min_speech * self.options.rate)
        self._min_silence = round(self.options.min_silence * self.options.rate)
        self._speaking = False
        self._position = 0  # the end of the last window
        self._begun: int | None = None  # where a run of speech windows began, while none is going on
        self._heard = 0  # samples in that run
        self._speech_end = 0  # the end of the last window of speech, while it is going on

    @property
    def speaking(self) -> bool:
        """Between `Started` and `Paused`."""
        return self._speaking

    def feed(self, probability: float, start: int, samples: int) -> tuple[Event, ...]:
        """The next window: its probability of speech, the position of its first sample and its length in samples.

        Returns the events it brings about: seldom more than none, and more than one only where audio was lost.

        Raises `ValueError` for a window that begins before the last one ended.
        """
        if samples < 1 or start < self._position:
            raise ValueError(f"expected a window at sample {self._position} or later, got {samples} samples at {start}")
        lost: tuple[Event, ...] = _NONE
        if start > self._position:
            lost = self._gap(start)
        self._position = start + samples
        event = self._go_on(probability) if self._speaking else self._begin(probability, start, samples)
        if event is None:
            return lost
        return (*lost, event)

    def finish(self) -> tuple[Event, ...]:
        """The line has ended: `Paused` if speech was going on. A later window may follow as if after silence."""
        self._begun = None
        return (self._pause(),) if self._speaking else _NONE

    def _gap(self, start: int) -> tuple[Event, ...]:
        """Audio before `start` is missing."""
        if self._speaking and start - self._speech_end >= self._min_silence:
            return (self._pause(),)
        if start - self._position >= self._min_silence:
            self._begun = None
        return _NONE

    def _begin(self, probability: float, start: int, samples: int) -> Event | None:
        if not probability >= self.options.threshold:  # not "<": a NaN is not speech
            self._begun = None
            return None
        if self._begun is None:
            self._begun, self._heard = start, 0
        self._heard += samples
        if self._heard < self._min_speech:
            return None
        event = Started(self._begun)
        self._speaking, self._begun, self._speech_end = True, None, self._position
        return event

    def _go_on(self, probability: float) -> Event | None:
        if probability >= self.options.release:
            self._speech_end = self._position
        elif self._position - self._speech_end >= self._min_silence:
            return self._pause()
        return None

    def _pause(self) -> Paused:
        self._speaking = False
        return Paused(self._speech_end)
