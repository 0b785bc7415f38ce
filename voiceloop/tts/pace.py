"""How quickly a model writes, learnt from the answers so far. Pure."""

from __future__ import annotations

import math

__all__ = ["Pace"]

_PAUSE = 0.5
"""Seconds between two pieces of text from which on it is a pause, which says nothing about the pace."""
_WEIGHT = 0.1
"""Of the newest gap in the average."""


class Pace:
    """Tell it of each piece of text; many answers may be under way, each with its own `last`."""

    def __init__(self) -> None:
        self.gap = math.inf
        """Average seconds between two pieces; infinite before there were two."""

    def note(self, last: float | None, now: float) -> None:
        """A piece of text came.

        Args:
            last: when the one before came, seconds; None for the first of an answer.
            now: when this one came.
        """
        if last is None or now - last > _PAUSE:
            return
        gap = now - last
        self.gap = gap if math.isinf(self.gap) else (1 - _WEIGHT) * self.gap + _WEIGHT * gap

    def within(self, gap: float) -> bool:
        """Whether the next piece is to be expected so soon."""
        return self.gap <= gap
