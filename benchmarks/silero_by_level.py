"""Silero's model at work on artificial words: all of its cost, and an answer it does not always give."""

from __future__ import annotations

from typing import Any

from voiceloop.audio.levels import level
from voiceloop.vad.silero import SileroModel

SPEECH = -45.0
"""dBFS above which artificial words lie."""


class SileroByLevel(SileroModel):
    """Does all of Silero's work, and answers by level: it does not always take artificial words for speech."""

    def new_line(self) -> Any:
        """For the audio of one call."""
        line = super().new_line()

        class ByLevel:
            def probability(self, window: bytes) -> float:
                line.probability(window)
                return 1.0 if level(window) > SPEECH else 0.0

        return ByLevel()
