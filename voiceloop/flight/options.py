"""What a flight recorder is set to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from os import PathLike
from typing import Final

from voiceloop.errors import VoiceloopError

__all__ = ["SUFFIX", "FlightOptions"]

SUFFIX: Final = ".vlog"
"""Of the name of a recording."""
_PARTS: Final = ("audio", "text")


@dataclass(frozen=True, slots=True)
class FlightOptions:
    """Where calls are recorded, and what is left out.

    Raises:
        VoiceloopError: there is nothing of that name to leave out.
    """

    path: str | PathLike[str]
    """A folder, in which each call gets a file of its own, or a file that ends in ``.vlog``, for one call."""
    redact: Collection[str] = ()
    """``audio``: both voices are kept as silence of the same length. ``text``: what was said, asked, written and
    looked up is kept as its length. A call with anything left out can be inspected and not replayed."""
    most: int = 512 * 1024 * 1024
    """Bytes after which no more is written; more than 8 hours."""

    def __post_init__(self) -> None:
        if isinstance(self.redact, str) or not set(self.redact) <= set(_PARTS):
            raise VoiceloopError(f"redact= takes a collection of {' and '.join(_PARTS)}, got {self.redact!r:.100}")
