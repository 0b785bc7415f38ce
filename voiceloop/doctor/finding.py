"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Finding", "State"]

State = Literal["ok", "warning", "wrong", "skipped"]
_SIGNS: Final[dict[State, str]] = {"ok": "ok", "warning": "warning", "wrong": "WRONG", "skipped": "-"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    """What was looked at, such as ``AnthropicLLM``."""
    state: State
    """``wrong``: calls will fail; ``warning``: they may suffer; ``skipped``: it was not looked at."""
    text: str
    """What was found and, unless it is ``ok``, what to do about it."""
    seconds: float | None = None
    """How long the service took to answer, where it was asked."""

    def line(self) -> str:
        """The finding for a console."""
        took = f" ({self.seconds * 1000:.0f} ms)" if self.seconds is not None else ""
        return f"{_SIGNS[self.state]:8} {self.what}: {self.text}{took}"

    def as_dict(self) -> dict[str, str | float | None]:
        """The finding as plain values."""
        took = None if self.seconds is None else round(self.seconds * 1000, 1)
        return {"what": self.what, "state": self.state, "text": self.text, "ms": took}
