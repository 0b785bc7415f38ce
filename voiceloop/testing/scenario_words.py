"""Whether words were said: whole words, whatever their case and the punctuation around them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["find", "in_order", "says", "words_of"]

# Where a script has no spaces between words, each of its characters counts as one.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_AROUND = ".,;:!?…\"'`´“”„«»‹›()[]{}<>*_-–—。、，．！？；：「」『』（）¿¡"


def words_of(text: str) -> list[str]:
    """The words of a text, to be compared: ``Hi, it's $4.50!`` is ``hi``, ``it's``, ``$4.50``."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'").casefold()
    return [word for found in _WORD.findall(plain) if (word := found.strip(_AROUND))]


def find(wanted: str, said: Sequence[str], start: int = 0) -> int:
    """Where the words of a text stand behind each other, from `start` on: the place behind the last; -1: nowhere.

    A text without a word is nowhere.
    """
    words = words_of(wanted)
    for place in range(start, len(said) - len(words) + 1 if words else 0):
        if list(said[place : place + len(words)]) == words:
            return place + len(words)
    return -1


def says(wanted: str, text: str) -> bool:
    """Whether a text holds these words, one behind the other."""
    return find(wanted, words_of(text)) >= 0


def in_order(wanted: Sequence[str], text: str) -> str | None:
    """Whether a text holds all these, each behind the one before; what it lacks, or None."""
    said, place = words_of(text), 0
    for each in wanted:
        place = find(each, said, place)
        if place < 0:
            return each
    return None
