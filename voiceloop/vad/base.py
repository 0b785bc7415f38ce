"""What a model of voice activity is: it says how likely each window of a line's audio holds speech."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Line", "VADModel"]


class Line(Protocol):
    """One caller's audio as the model hears it. Keeps what the model must remember between windows."""

    def probability(self, window_bytes: bytes) -> float:
        """How likely the next window of this line holds speech, 0 to 1.

        Args:
            window_bytes: mu-law, 8000 Hz: exactly `VADModel.window` bytes. Windows follow each other without gap;
                after lost audio, ask the model for a new line.

        Raises:
            ValueError: the window has another length.
        """
        ...


class VADModel(Protocol):
    """A model of voice activity, built once per process and shared by all calls. Building one loads nothing."""

    @property
    def window(self) -> int:
        """Samples of a window, at 8000 Hz."""
        ...

    def new_line(self) -> Line:
        """For the audio of one call. Loads the model if that has not happened yet."""
        ...
