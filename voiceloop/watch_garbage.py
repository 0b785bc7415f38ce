"""How long the garbage collector has stopped the process: no stack shows it, for nobody can look meanwhile."""

from __future__ import annotations

import gc
from contextlib import suppress

from voiceloop.wallclock import perf_counter

__all__ = ["GarbageWatch"]


class GarbageWatch:
    """Adds up collections from `begin` to `end`."""

    __slots__ = ("_began", "_longest", "_seconds")

    def __init__(self) -> None:
        self._began = 0.0
        self._seconds = 0.0
        self._longest = (0.0, 0)

    def begin(self) -> None:
        """Count from now on."""
        self.take()
        gc.callbacks.append(self._heard)

    def end(self) -> None:
        """Count no more. Harmless when it never began."""
        with suppress(ValueError):
            gc.callbacks.remove(self._heard)

    def take(self) -> tuple[float, int]:
        """Seconds that were spent since this was last asked, and the generation of the longest collection."""
        seconds, (_, generation) = self._seconds, self._longest
        self._seconds, self._longest = 0.0, (0.0, 0)
        return seconds, generation

    def _heard(self, phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
            return
        seconds = perf_counter() - self._began
        self._seconds += seconds
        if seconds > self._longest[0]:
            self._longest = seconds, about["generation"]
