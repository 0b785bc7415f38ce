"""How long echoes of marks are waited for. Pure.

A carrier may lose an echo, send it late, or send none at all: then the clock says what was played.
"""

from __future__ import annotations

import math

from voiceloop.output.events import PlayoutOptions

__all__ = ["Echoes"]

HELD = 0.1
"""Seconds by which a timer must be late to say that the process stood still; as long are messages then waited for that
lie unread."""


class Echoes:
    """What is known of a carrier's echoes. While none has ever come, one limit that passes in vain is enough: this
    carrier does not echo, and from then on nothing is waited for."""

    __slots__ = ("_asked", "_came", "_fence", "_mark", "excused", "never")

    def __init__(self, options: PlayoutOptions) -> None:
        self._mark = options.echo_limit
        self._fence = options.fence_limit
        self._came = False
        self._asked = math.inf
        self.never = False
        """True while no echo is waited for."""
        self.excused = -math.inf
        """Nothing is given up before this, seconds: what came while the process stood still is about to be read."""

    @property
    def mark(self) -> float:
        """How long after its time the echo of a mark may come, seconds."""
        return 0.0 if self.never else self._mark

    @property
    def fence(self) -> float:
        """The same for the fence behind a clear, from when that was sent."""
        return 0.0 if self.never else self._fence

    def came(self) -> None:
        """An echo came, also a late one."""
        self._came, self.never = True, False

    def missed(self) -> None:
        """One did not come within its limit."""
        self.never = not self._came

    def wakes(self, when: float | None) -> float | None:
        """Note when the next `woke` is asked for; returns it."""
        self._asked = math.inf if when is None else when
        return when

    def woke(self, now: float) -> None:
        """The timer has fired, or something else has happened."""
        if now > self._asked + HELD:
            self.excused = now + HELD
            self._asked = math.inf
