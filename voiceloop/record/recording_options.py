"""What the recording of calls is set to."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Final, Literal

__all__ = ["RecordingOptions"]

_LONGEST: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOptions:
    """Where the sound of calls is kept, and from when on.

    Raises:
        ValueError: a form or a length that cannot be.
    """

    folder: str | PathLike[str] = "recordings"
    """Where files are made: ``<folder>/<date in UTC>/<call id>-<n>.wav``."""
    start: bool = True
    """Whether a call is recorded from its beginning; else from `Recording.start` on, and `consent` is said there."""
    consent: str = ""
    """What the caller is told before anything is kept, such as ``This call is recorded.``: recording begins when they
    have heard it to its end. Empty: nothing is said."""
    form: Literal["mulaw", "pcm16"] = "mulaw"
    """``mulaw``: as it was on the phone, bit by bit, 16 kB a second. ``pcm16``: linear, twice the size, for programs
    that read nothing else."""
    longest: float = 4 * 3600.0
    """Seconds of a call that are recorded; 24 hours at most."""

    def __post_init__(self) -> None:
        if self.form not in ("mulaw", "pcm16"):
            raise ValueError(f"form is 'mulaw' or 'pcm16', got {self.form!r:.40}")
        if not 0 < self.longest <= _LONGEST:
            raise ValueError(f"longest is in seconds, more than 0 and at most {_LONGEST:g}; got {self.longest!r:.40}")
