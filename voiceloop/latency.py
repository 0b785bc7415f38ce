"""How long the caller waited, and for what.

Milestones are moments on the loop's clock. They are clamped to be monotonic and the parts are their differences, so
that the parts always add up to the total: from the last sample of the caller's speech to the first sound played.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise

__all__ = ["Latency", "latency_of"]


@dataclass(frozen=True, slots=True)
class Latency:
    """The parts of one wait, in seconds. They add up to `total`."""

    endpoint: float
    """From the last sample of speech until the silence was held to be long enough."""
    stt: float
    """Then until the recogniser had answered for all of it."""
    llm: float
    """Then until the model's first words."""
    tts: float
    """Then until the first audio of the voice."""
    output: float
    """Then until it was handed to the carrier's socket."""
    carrier: float
    """Then until it was heard, as estimated from marks. Holds the network's delay both ways."""

    @property
    def total(self) -> float:
        """End of speech to first sound, seconds."""
        return self.endpoint + self.stt + self.llm + self.tts + self.output + self.carrier

    def as_ms(self) -> dict[str, float]:
        """Total and parts in milliseconds, rounded to a tenth; the parts still add up to the total."""
        parts = {name: round(seconds * 1000, 1) for name, seconds in asdict(self).items()}
        return {"total": round(sum(parts.values()), 1), **parts}

    def __str__(self) -> str:
        parts = self.as_ms()
        total = parts.pop("total")
        return f"{total:.0f} ms ({', '.join(f'{name} {value:.0f}' for name, value in parts.items())})"


MILESTONES = ("ended", "endpointed", "decided", "text", "audio", "sent", "played")
"""In order: the caller's last sample, enough silence, turn decided, first text, first audio, first byte sent, first
sound."""


def latency_of(milestones: Mapping[str, float]) -> Latency | None:
    """The parts of a wait, or None when nothing was played or no turn of the caller came before it."""
    if "ended" not in milestones or "played" not in milestones:
        return None
    times = [milestones["ended"]]
    for name in MILESTONES[1:]:
        times.append(max(times[-1], min(milestones.get(name, times[-1]), milestones["played"])))
    return Latency(*(after - before for before, after in pairwise(times)))
