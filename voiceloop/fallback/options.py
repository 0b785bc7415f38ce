"""How long a fallback waits for its providers, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass

from voiceloop.errors import VoiceloopError

__all__ = ["FallbackFailed", "FallbackOptions"]


class FallbackFailed(VoiceloopError):
    """None of the providers could do it. The message says what each of them did instead."""


@dataclass(frozen=True, slots=True)
class FallbackOptions:
    """Waits, in seconds. None stands for what suits the kind of provider."""

    first: float | None = None
    """Until the first text (model, 0.6) or the first audio (voice, 0.6); then the next provider is asked as well, and
    whoever comes first serves. Set it to what the first provider takes in 95 of 100 requests."""
    stall: float | None = None
    """The same in the middle: since the last text (0.8) or audio (0.6), while the caller has none left to listen to;
    for a recogniser since it was told to settle (1.0)."""
    rest: float = 10.0
    """Until a provider that failed is tried again. Doubled each time it fails once more."""
    rest_most: float = 300.0
    """The longest rest."""
    give_up: float = 5.0
    """Beyond the wait for the last one, when all were asked and none gives anything; then the request fails."""
    warm: float = 5.0
    """For the others to get ready, once one is. Those that take longer go on in the background."""

    def __post_init__(self) -> None:
        waits = (self.first or 1.0, self.stall or 1.0, self.rest, self.give_up, self.warm)
        if min(waits) <= 0 or 0 in (self.first, self.stall) or self.rest_most < self.rest:
            raise ValueError(f"all waits must be positive, and rest_most not less than rest, got {self}")
