"""What `voiceloop.record.why` tells, and from when on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["About", "Explanation", "WhyOptions"]

About = Literal["slow", "unanswered", "failed", "cut", "paused", "watchdog", "end"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing that went otherwise than a caller would like, or the end."""

    at: float
    """When, seconds since the call began."""
    about: About
    text: str
    """One or two sentences."""
    turn: int = 0
    """Number of the turn, from 1; 0 when it is about none."""

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"at": round(self.at, 3), "about": self.about, "turn": self.turn, "text": self.text}


@dataclass(frozen=True, slots=True)
class WhyOptions:
    """From when on a turn is slow."""

    slow: float = 1.5
    """Seconds from the caller's last sample to the agent's first sound."""
    longer: float = 2.0
    """A part of a wait stands out when it is so many times the median of the same part in the other turns, …"""
    least: float = 0.4
    """… and so many seconds more than that. Such a turn is explained, too."""
