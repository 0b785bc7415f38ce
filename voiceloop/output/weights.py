"""How long the words of a text take to say, in letters, and where a voice may pause. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Final

from voiceloop.output.align import token_ends

__all__ = ["Weighed", "weigh"]

_SENTENCE: Final = frozenset(".!?。！？")
_CLAUSE: Final = frozenset(",;:–—…、，；：")
_FIGURES: Final = (0.0, 4.0, 8.0, 16.0, 16.0)
"""Letters of a number of so many figures, about: "204" is said as "two hundred and four"."""
_POINT: Final = 6.0
"""Letters of what is said for the point before such a number, or of the "cents" behind it."""
_SOLID: Final = 3.0
"""Of one in a script without spaces: each is a syllable or two."""
_PAUSED: Final = 1.5
"""Letters by which a word before a pause is longer."""
_PASSED: Final = (0.0, 1.0, 5.0)
"""How unlikely it is that there is no pause behind a word: without punctuation, within a sentence, at its end."""
_UNSURE: Final = 0.3
"""How far the letters of a figure may be off, as a share, in those that a word is off by: "555" is said in two ways."""
_SIGNS: Final = {"%": 7.0, "$": 7.0, "€": 5.0, "£": 6.0, "&": 3.0, "@": 2.0, "+": 4.0, "=": 6.0}
"""Letters of signs that are read as words."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The words of a text. They are those of `align.token_ends`."""

    weights: tuple[float, ...]
    """Letters of each, as spoken."""
    closers: tuple[int, ...]
    """What follows it: 0 no punctuation, 1 some within a sentence, 2 the end of one."""
    text: str = ""
    starts: tuple[int, ...] = ()
    """Where each begins, with what stands before it."""
    totals: tuple[float, ...] = field(default=(0.0,))
    """Letters up to the end of each; one more than there are words."""
    doubts: tuple[float, ...] = field(default=(0.0,))
    """How unsure these are, in words that are as unsure as words are (variances): figures count for several."""
    passed: tuple[float, ...] = field(default=(0.0,))
    """How unlikely it is that there is no pause behind any of the first so many words; one more than there are."""

    @property
    def total(self) -> float:
        """Letters of the whole text."""
        return self.totals[-1]


def weigh(text: str, before: Weighed | None = None) -> Weighed:
    """Weigh the words of a text; `before` is the same for a beginning of it, of which all but the end is kept."""
    keep = max(0, len(before.weights) - 2) if before is not None else 0
    offset = before.starts[keep] if before is not None and keep else 0
    weights: list[float] = []
    closers: list[int] = []
    starts: list[int] = []
    rest = text[offset:]
    ends = token_ends(rest)
    for start, end in zip([0, *ends], ends, strict=False):
        word = rest[start:end]
        closer = _closer(word)
        weights.append(_letters(word) + (_PAUSED if closer else 0.0))
        closers.append(closer)
        starts.append(offset + start)
    if before is not None:
        weights[:0], closers[:0], starts[:0] = before.weights[:keep], before.closers[:keep], before.starts[:keep]
    doubts = map(_doubt, weights, (text[start:end] for start, end in pairwise([*starts, len(text)])))
    totals = tuple(accumulate(weights, initial=0.0))
    unsure = tuple(accumulate(doubts, initial=0.0))
    passed = tuple(accumulate((_PASSED[closer] for closer in closers), initial=0.0))
    return Weighed(tuple(weights), tuple(closers), text, tuple(starts), totals, unsure, passed)


def _closer(word: str) -> int:
    for character in reversed(word):
        if character in _SENTENCE:
            return 2
        if character in _CLAUSE:
            return 1
        if character.isalnum():
            break
    return 0


def _doubt(weight: float, word: str) -> float:
    return max(1.0, (_UNSURE * weight) ** 2) if any(map(str.isdigit, word)) else 1.0


def _letters(word: str) -> float:
    letters = [character for character in word if character.isalpha()]
    figures = sum(map(str.isdigit, word))
    size = sum(_SOLID if ord(letter) >= 0x3000 else 1.0 for letter in letters)
    if len(letters) > 1 and len(letters) <= 5 and all(map(str.isupper, letters)):
        size *= 2.5  # spelled, as a rule
    if figures:
        known = figures < len(_FIGURES) and not word.lstrip("$€£(").startswith("0")
        size += _FIGURES[figures] if known else 4.5 * figures
        size += _POINT if word.startswith((".", ",")) else 0.0
    return max(1.0, size + sum(_SIGNS.get(character, 0.0) for character in word))
