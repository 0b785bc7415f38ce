"""What a model of voice activity is: it says how likely each window of a line's audio holds speech."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

__all__ = ["Line", "SharedLine", "SharedModel", "VADModel"]


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


@runtime_checkable
class SharedLine(Line, Protocol):
    """A line of a `SharedModel`."""

    def known(self, window_bytes: bytes) -> float:
        """The next window's probability where that is known without running the model; NaN where it is not.

        The same as `probability` would say. A window that is not known has not been heard: it is to be judged still.
        """
        ...


@runtime_checkable
class SharedModel(VADModel, Protocol):
    """A model that judges windows of several lines in one go, at less cost than one by one.

    Windows of all calls on an event loop that run such a model are judged together, see `voiceloop.vad.tick`; those
    of any other model at once.
    """

    @property
    def shared(self) -> object:
        """What models have in common that can judge each other's lines: the same hashable object."""
        ...

    def probabilities(self, lines: Sequence[Any], windows: Sequence[bytes]) -> list[float]:
        """How likely the next window of each line holds speech, as `Line.probability` says. Every line comes once.

        No line has moved on when it raises an error.
        """
        ...
