"""What a call can be told about the keeping of its sound."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Recording"]


class Recording(Protocol):
    """Keeps what is said on a call; `voiceloop.record.wav_recorder` writes it to a file."""

    @property
    def running(self) -> bool:
        """Whether sound is being kept now."""

    @property
    def files(self) -> tuple[str, ...]:
        """Where it is kept."""

    def announce(self) -> None:
        """Say what must be said before anything is kept."""

    def start(self) -> None:
        """Keep what is said from now on. Harmless when it is being kept."""

    def stop(self) -> None:
        """Keep nothing more, until `start`: while a card's number is said. Harmless when nothing is kept."""
