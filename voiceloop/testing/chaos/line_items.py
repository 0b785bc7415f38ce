"""How the line is, and how long recogniser and voice take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from voiceloop.testing.chaos.items import Item, to

if TYPE_CHECKING:
    from voiceloop.testing.chaos.scene import Scene

__all__ = ["Hearing", "Line", "Voice"]


@dataclass(frozen=True, slots=True)
class Line(Item):
    """Delays of the line."""

    kind: ClassVar[str] = "line"
    group: ClassVar[str] = "line"

    to_server: float = to(0.0, 0.0)
    """Seconds, from the carrier to the agent."""
    from_server: float = to(0.0, 0.0)
    """Seconds, from the agent to the carrier."""
    jitter: float = to(0.0, 0.0)
    """Up to so many seconds on top of either."""
    seed: int = to(0, 0)
    """Of the jitter."""
    first_timestamp: int = to(0, 0)
    """Milliseconds."""

    def __str__(self) -> str:
        there = f"line: {self.to_server:g} s there, {self.from_server:g} s back"
        jitter = f", up to {self.jitter:g} s more (seed {self.seed})" if self.jitter else ""
        return there + jitter + (f", timestamps from {self.first_timestamp} ms" if self.first_timestamp else "")

    def join(self, scene: Scene) -> None:
        scene.line |= {
            "delay_to_server": self.to_server,
            "delay_from_server": self.from_server,
            "jitter": self.jitter,
            "seed": self.seed,
            "first_timestamp": self.first_timestamp,
        }


@dataclass(frozen=True, slots=True)
class Hearing(Item):
    """How the recogniser works."""

    kind: ClassVar[str] = "hearing"
    group: ClassVar[str] = "latency"

    delay: float = to(0.0, 0.0)
    """Seconds from a flush to its transcript."""
    interims: float = to(0.0, 0.0)
    """Seconds of audio between transcripts of what is still being said; 0: none."""
    lag: float = to(0.0, 0.0)
    """Seconds from audio to the interim transcript of it."""
    final: float | None = to(None, None)
    """Seconds until the same words come as final; None: never."""

    def __str__(self) -> str:
        interims = f", interims every {self.interims:g} s after {self.lag:g} s" if self.interims else ""
        final = "" if self.final is None else f", final {self.final:g} s later"
        return f"recogniser: answers after {self.delay:g} s{interims}{final}"

    def join(self, scene: Scene) -> None:
        scene.hearing |= {
            "delay": self.delay,
            "interims": self.interims,
            "lag": self.lag,
            "final": self.final,
        }


@dataclass(frozen=True, slots=True)
class Voice(Item):
    """How the voice works."""

    kind: ClassVar[str] = "voice"
    group: ClassVar[str] = "latency"

    first: float = to(0.0, 0.0)
    """Seconds from the first word to its sound."""
    speed: float = to(0.0, 0.0)
    """Seconds of sound made in a second; 0: all at once."""
    chunk: float = to(0.0, 0.0)
    """Seconds of sound in a piece; 0: word by word."""
    timed: bool = to(True, True)
    """Whether it tells when each word is spoken."""

    def __str__(self) -> str:
        speed = f", {self.speed:g} s of sound a second" if self.speed else ""
        chunk = f", in pieces of {self.chunk:g} s" if self.chunk else ""
        return f"voice: first sound after {self.first:g} s{speed}{chunk}" + ("" if self.timed else ", no word times")

    def join(self, scene: Scene) -> None:
        scene.voice |= {"first": self.first, "speed": self.speed, "chunk": self.chunk, "words": self.timed}
