"""What came of answers that were begun before it was certain that the caller is done: what they cost, and gained."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Speculated", "count_gained", "count_kept", "count_wasted", "gained_of", "split_speculated"]

_PREFIX: Final = "speculation."


@dataclass(frozen=True, slots=True)
class Speculated:
    """The speculative answers of one call.

    While the call runs the same counts stand in ``call.usage``, as ``speculation.kept`` and so on.
    """

    kept: int = 0
    """Answers that were begun early and given."""
    discarded: int = 0
    """Answers that were begun early and dropped: the caller went on, the call ended, or a provider failed."""
    wasted_tokens: int = 0
    """Written by the model for those that were dropped; about, where it was cut before it had counted."""
    wasted_input_tokens: int = 0
    """Read by it for them; likewise."""
    tokens: int = 0
    """All that the model has written in the call."""
    wasted_characters: int = 0
    """Handed to the voice for those that were dropped."""
    gained: float = 0.0
    """Seconds that the caller did not have to wait, of all turns together."""

    @property
    def made(self) -> int:
        """All that were begun early."""
        return self.kept + self.discarded

    @property
    def wasted_share(self) -> float:
        """Part of the model's tokens that was written for answers that were dropped, 0 to 1."""
        return self.wasted_tokens / self.tokens if self.tokens else 0.0

    def __str__(self) -> str:
        if not self.made:
            return "no speculation"
        wasted = f"{self.wasted_tokens} tokens ({self.wasted_share:.0%}) and {self.wasted_characters} characters wasted"
        return f"{self.kept} of {self.made} speculative answers kept, {self.gained * 1000:.0f} ms gained, {wasted}"


def gained_of(milestones: Mapping[str, float]) -> float:
    """By how much sooner the caller heard an answer because it was begun before the turn was over, seconds.

    The same work, begun when the turn was decided, would have come to its first audio so much later. Of an answer that
    needed tools before its first word only the way to the request for them counts, for they wait until it is certain.

    Args:
        milestones: of the answer, with ``decided`` of its turn; see `voiceloop.latency`.
    """
    begun, decided = milestones.get("begun"), milestones.get("decided")
    ready = milestones.get("asked", milestones.get("audio"))
    if begun is None or decided is None or ready is None or "played" not in milestones:
        return 0.0
    return max(0.0, min(ready, decided) - begun)


def count_kept(usage: MutableMapping[str, Any]) -> None:
    """One was given."""
    _add(usage, kept=1)


def count_gained(usage: MutableMapping[str, Any], seconds: float) -> None:
    """A turn was answered so much sooner."""
    _add(usage, gained=seconds)


def count_wasted(
    usage: MutableMapping[str, Any], *, discarded: int = 0, written: int = 0, read: int = 0, characters: int = 0
) -> None:
    """One was dropped, or more of what was made for it has become known."""
    _add(usage, discarded=discarded, wasted_tokens=written, wasted_input_tokens=read, wasted_characters=characters)


def _add(usage: MutableMapping[str, Any], **counts: float) -> None:
    for name, count in counts.items():
        if count:
            usage[_PREFIX + name] = usage.get(_PREFIX + name, 0) + count


def split_speculated(usage: MutableMapping[str, float]) -> Speculated:
    """Take these counts out of a call's counts."""
    names = ("kept", "discarded", "wasted_tokens", "wasted_input_tokens", "wasted_characters")
    counts = {name: int(usage.pop(_PREFIX + name, 0)) for name in names}
    gained = usage.pop(_PREFIX + "gained", 0.0)
    return Speculated(**counts, tokens=int(usage.get("llm.output_tokens", 0)), gained=gained)
