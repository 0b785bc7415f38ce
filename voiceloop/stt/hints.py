"""Words the caller is likely to say: a recognised word that sounds like one of them is written like it.

A small recogniser spells rare words by ear: "mocker" for mocha, "capuchino" for cappuccino. Words are compared by a
key that keeps what is heard and drops how it is spelled. It is rough and English, and a hint never replaces a word
whose key differs. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["Hints", "sound"]

_WORD = re.compile(r"[^\W\d_]+")
_RULES = (
    (re.compile(r"ph"), "f"),
    (re.compile(r"ch|ck|qu|[cqk]"), "k"),
    (re.compile(r"(?<=[aeiouy])([^aeiouy])e$"), r"\1"),  # a silent e: late is no latte
    (re.compile(r"(.)\1+"), r"\1"),
    (re.compile(r"(er|or|ar|ur|re|ah)$"), "a"),
)
_SHORTEST = 4
"""Letters of a hint: shorter words sound like too many others."""


def sound(word: str) -> str:
    """A key that words of the same sound share, more or less."""
    key = word.lower()
    for pattern, replacement in _RULES:
        key = pattern.sub(replacement, key)
    return key


class Hints:
    """Corrects the spelling of recognised words.

    Args:
        words: each at least four letters; case is kept as given.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._by_sound = {sound(word): word for word in words if len(word) >= _SHORTEST}

    def correct(self, text: str) -> str:
        """The text with every word that sounds like a hint written like it."""
        if not self._by_sound:
            return text
        return _WORD.sub(lambda match: self._by_sound.get(sound(match[0]), match[0]), text)
