"""Which voices have fallen silent in the middle of an answer. Pure.

An answer that never ends would keep all others waiting.
"""

from __future__ import annotations

__all__ = ["VoiceLimit"]


class VoiceLimit:
    """Answers that have begun to speak, and until when each of them sounds at least.

    Args:
        limit: seconds without sound after which an answer is given up.
    """

    __slots__ = ("_sounds", "limit")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._sounds: dict[int, float] = {}

    def sounds(self, key: int, until: float) -> None:
        """An answer has sound up to a time, seconds, or is kept waiting by others until then."""
        self._sounds[key] = max(until, self._sounds.get(key, until))

    def forget(self, key: int) -> None:
        """An answer is over."""
        self._sounds.pop(key, None)

    def due(self, key: int) -> float:
        """When it is too much, if no more comes, seconds."""
        return self._sounds[key] + self.limit

    def silent(self, key: int, now: float) -> float | None:
        """For how long an answer has been silent, seconds, when that is too long; else None."""
        return now - self._sounds[key] if now >= self.due(key) else None
