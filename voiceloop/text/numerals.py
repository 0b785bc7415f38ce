"""Number words, by the rules of the Unicode CLDR (package unicode-rbnf)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from voiceloop.errors import require
from voiceloop.text.reading import Reading

__all__ = ["Numerals", "numerals"]

LARGEST = 10**15
"""Whole numbers from here on are said figure by figure."""
_KEPT = 4096


class Numerals:
    """The numbers of one language. Made once per process and language, by `numerals`."""

    def __init__(self, reading: Reading) -> None:
        module: Any = require("unicode_rbnf", "text", "SpokenText")
        self._engine = module.RbnfEngine.for_language(reading.code)
        self._hyphens = reading.hyphens
        self.words = lru_cache(maxsize=_KEPT)(self._words)
        """The words of a whole number by a rule set: ``words(21, "spellout-ordinal")``."""
        self.figures = tuple(self.words(figure, reading.numbering) for figure in range(10))
        """Nought to nine."""

    def _words(self, number: int, rules: str) -> str:
        text: str = self._engine.format_number(number, ruleset_names=[rules]).text
        text = text.replace("\xad", "")
        return text if self._hyphens else text.replace("-", " ")


_made: dict[tuple[str, str, bool], Numerals] = {}


def numerals(reading: Reading) -> Numerals:
    """The numbers of a language. The first call for a language reads a file (about 5 ms, and 50 ms for the package).

    Raises:
        MissingExtra: unicode-rbnf is not installed.
        ValueError: it does not know the language.
    """
    key = (reading.code, reading.numbering, reading.hyphens)
    if key not in _made:
        _made[key] = Numerals(reading)
    return _made[key]
