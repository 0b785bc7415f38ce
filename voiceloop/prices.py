"""What a call costs: counts of what its providers used, times prices that you know from your contracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

__all__ = ["Cost", "Prices"]

_TOKENS = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of one currency, any. None is built in, for they change; what is left at 0 costs nothing."""

    stt_minute: float = 0.0
    """Speech recognition, for a minute of the caller's audio."""
    llm_input: float = 0.0
    """A million tokens read by the model that were in no cache."""
    llm_cached: float = 0.0
    """A million tokens read from its cache."""
    llm_cache_write: float = 0.0
    """A million tokens written into its cache."""
    llm_output: float = 0.0
    """A million tokens written by the model."""
    tts_characters: float = 0.0
    """A million characters spoken."""
    line_minute: float = 0.0
    """The telephone line and its stream, for a minute of the call."""

    def __post_init__(self) -> None:
        if any(getattr(self, each.name) < 0 for each in fields(self)):
            raise ValueError(f"prices must not be negative, got {self}")

    def cost(self, usage: Mapping[str, float], seconds: float) -> Cost:
        """What a call cost.

        Args:
            usage: the counts of `CallReport.usage`.
            seconds: its length.
        """
        cached, written = usage.get("llm.cached_tokens", 0), usage.get("llm.cache_write_tokens", 0)
        fresh = max(0.0, usage.get("llm.input_tokens", 0) - cached - written)
        llm = (
            fresh * self.llm_input
            + cached * self.llm_cached
            + written * self.llm_cache_write
            + usage.get("llm.output_tokens", 0) * self.llm_output
        ) / _TOKENS
        characters = usage.get("tts.characters", 0)
        tts = characters * self.tts_characters / _TOKENS
        unheard = usage.get("tts.wasted_characters", 0)
        wasted = tts * min(1.0, unheard / characters) if characters else 0.0
        stt = usage.get("stt.seconds", 0) / 60 * self.stt_minute
        return Cost(stt, llm, tts, seconds / 60 * self.line_minute, wasted)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, in the currency of the prices."""

    stt: float
    llm: float
    tts: float
    line: float
    wasted: float = 0.0
    """Of `tts`: for speech that nobody heard."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.stt + self.llm + self.tts + self.line

    def as_dict(self) -> dict[str, float]:
        """As plain values, rounded to millionths."""
        parts = {each.name: round(getattr(self, each.name), 6) for each in fields(self)}
        return {**parts, "total": round(self.total, 6)}
