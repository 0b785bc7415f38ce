"""Numbers and quotations for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from voiceloop.record.scene import plain

__all__ = ["Quoting", "joined", "ordinal", "seconds", "times"]

_NUMBERS: Final = ("", "", "", "three", "four", "five", "six", "seven", "eight")
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def seconds(value: float) -> str:
    """``2.9 s``; ``40 ms`` of what is less than a tenth."""
    return f"{value * 1000:.0f} ms" if value < 0.0995 else f"{value:.1f} s"


def times(ratio: float) -> str:
    """``four times as long``."""
    whole = round(ratio)
    if whole < 2 or abs(ratio - whole) > 0.25 or whole >= len(_NUMBERS):
        return f"{ratio:.{1 if ratio < 9.5 else 0}f} times as long"
    return "twice as long" if whole == 2 else f"{_NUMBERS[whole]} times as long"


def ordinal(number: int) -> str:
    """``first``, of 1."""
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"


def joined(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


class Quoting:
    """What was said, in quotation marks; its number of words where the text was left out of the recording.

    Args:
        left_out: whether it was.
    """

    def __init__(self, left_out: bool) -> None:
        self.left_out = left_out

    def __call__(self, text: str, most: int = 12) -> str:
        """The first words of a text."""
        words = plain(text).split()
        return self._quoted(words, " ".join(words[:most]) + (" …" if len(words) > most else ""))

    def end(self, text: str, most: int = 4) -> str:
        """The last words of a text."""
        words = plain(text).split()
        return self._quoted(words, ("… " if len(words) > most else "") + " ".join(words[-most:]).rstrip(",.;:"))

    def _quoted(self, words: list[str], shown: str) -> str:
        if self.left_out:
            return "a word" if len(words) == 1 else f"{len(words)} words"
        return f"'{shown}'"
