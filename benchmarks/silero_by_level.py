"""Silero's model at work on artificial words: all of its cost, and an answer it does not always give."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from voiceloop.audio.levels import level
from voiceloop.vad.silero import SileroLine, SileroModel

SPEECH = -45.0
"""dBFS above which artificial words lie."""


class ByLevel:
    """A line of it."""

    def __init__(self, line: SileroLine) -> None:
        self.line = line

    def known(self, window_bytes: bytes) -> float:
        """As Silero's lines say; what they know is silence."""
        known = self.line.known(window_bytes)
        return known if isnan(known) else 0.0

    def probability(self, window_bytes: bytes) -> float:
        """All of the work, and 1 for what is loud."""
        self.line.probability(window_bytes)
        return _loud(window_bytes)


class SileroByLevel:
    """Does all of Silero's work, and answers by level: it does not always take artificial words for speech."""

    window = SileroModel.window
    shared = "silero by level"

    def __init__(self) -> None:
        self._model = SileroModel()

    def warm(self) -> None:
        """Load the model."""
        self._model.warm()

    def new_line(self) -> ByLevel:
        """For the audio of one call."""
        return ByLevel(self._model.new_line())

    def probabilities(self, lines: Sequence[ByLevel], windows: Sequence[bytes]) -> list[float]:
        """The next window of each line."""
        self._model.probabilities([each.line for each in lines], windows)
        return [_loud(window) for window in windows]


def _loud(window: bytes) -> float:
    return 1.0 if level(window) > SPEECH else 0.0
