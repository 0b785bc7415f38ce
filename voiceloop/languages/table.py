"""How the word lists of the languages are written down."""

from __future__ import annotations

__all__ = ["compounds", "listed", "several"]


def listed(text: str) -> frozenset[str]:
    """Single words, between spaces."""
    return frozenset(text.split())


def several(text: str) -> frozenset[str]:
    """Entries of one or more words, between commas."""
    return frozenset(entry for part in text.split(",") if (entry := " ".join(part.split())))


def compounds(first: tuple[str, ...], middle: str, last: tuple[str, ...]) -> frozenset[str]:
    """Numbers that are written as one word: "drei", "und", "zwanzig" gives dreiundzwanzig."""
    return frozenset(f"{one}{middle}{two}" for one in first for two in last)
