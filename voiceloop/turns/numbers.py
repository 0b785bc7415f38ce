"""Numbers and spelled words in what was said: how many figures there are, and whether the last one is going on. Pure.

Numbers come in words and in figures, as the recogniser likes: "four one five", "4 1 5", "415", "double five", "oh",
"twenty three". What is counted is figures as they would be dialled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from voiceloop.grammar import NumberWords
from voiceloop.turns.cue_words import phrases

__all__ = ["Number", "Spelled", "read_number", "read_spelled"]


@dataclass(frozen=True, slots=True)
class Number:
    """The number that the words end with."""

    groups: tuple[int, ...] = ()
    """Figures of each number said: "four one five" is 1, 1, 1; "twenty three" 2; "415" 3. Empty: there is none."""
    start: int = 0
    """Where in the words it begins."""
    half: bool = False
    """Whether its last word wants another: "double", "two hundred and"."""
    before: int = 0
    """Figures of numbers said earlier, up to the last "no" or "sorry"."""

    @property
    def figures(self) -> int:
        """How many figures it has."""
        return sum(self.groups)

    @property
    def counts(self) -> bool:
        """Whether it is told figure by figure, or in groups as telephone numbers are."""
        return len(self.groups) > 2 or self.groups in ((1, 1), (3, 3), (3, 4), (4, 4))


@dataclass(frozen=True, slots=True)
class Spelled:
    """The letters that the words end with."""

    letters: str = ""
    start: int = 0
    half: bool = False
    """Whether its last word wants another: "b as in"."""


class _Lists:
    """The lists of one language, ready to be looked up."""

    def __init__(self, numbers: NumberWords) -> None:
        self.digits = phrases(numbers.digits).all
        self.pairs = phrases(numbers.pairs)
        self.tens = phrases(numbers.tens)
        self.powers = phrases(numbers.powers).all
        self.repeats = phrases(numbers.repeats).all
        self.triples = phrases(numbers.triples).all
        self.joins = phrases(numbers.joins).all
        self.marks = phrases(numbers.marks).all
        self.first = self.pairs.first_words | self.digits | self.powers | self.repeats
        self.spelling = phrases(numbers.spelling)
        self.letters = phrases(numbers.letters).all


@lru_cache(maxsize=64)
def _lists(numbers: NumberWords) -> _Lists:
    return _Lists(numbers)


class _Counter:
    """Goes through words from the left."""

    def __init__(self, lists: _Lists) -> None:
        self._lists = lists
        self.groups: list[int] = []
        self.start = 0
        self.half = False
        self.before = 0
        self._last = ""
        self._times = 1

    def word(self, said: list[str], at: int) -> int:
        """Take the number word that begins there; returns how many words it had, 0 when there is none."""
        word, lists = said[at], self._lists
        if word[0].isdecimal():
            return 1 if self._figures(word, at) else 0
        if n := lists.pairs.at(said, at):
            self._add(2, at, "tens" if lists.tens.at(said, at) == n else "pair")
            return n
        if word in lists.digits:
            self._add(1, at, "digit")
        elif word in lists.powers:
            self._power(word, at)
        elif word in lists.repeats:
            self._begin(at)
            self._times, self.half = (3 if word in lists.triples else 2), True
        elif self.groups and word in lists.joins:
            self.half = True
        elif not self.groups or word not in lists.marks:
            return 0
        return 1

    def other(self, correcting: bool) -> None:
        """A word that belongs to no number."""
        if correcting:
            self.before = 0
        elif not self.groups and not self.half:
            return
        elif self.groups != [1]:  # a lone figure is more often "this one", or "oh"
            self.before += sum(self.groups)
        self.groups, self.half, self._last, self._times = [], False, "", 1

    def _figures(self, word: str, at: int) -> bool:
        plain = word.replace(",", "").replace("-", "")
        if not plain.isdecimal():
            return False  # 3:30, 4.50, 21st, 3pm: values, no number that goes on
        self._add(len(plain), at, "figures")
        return True

    def _begin(self, at: int) -> None:
        if not self.groups and not self.half:
            self.start = at

    def _add(self, figures: int, at: int, kind: str) -> None:
        self._begin(at)
        inside = (self._last == "tens" and kind == "digit") or (self._last == "power" and kind != "figures")
        if not (inside and self.groups):
            self.groups.extend([figures] * self._times)
        self.half, self._times, self._last = False, 1, ("power" if self._last == "power" and kind == "tens" else kind)

    def _power(self, word: str, at: int) -> None:
        self._begin(at)
        zeros = 2 if word in _HUNDREDS else 3
        if self.groups:
            self.groups[-1] += zeros
        else:
            self.groups = [zeros + 1]
        self.half, self._last = False, "power"


_HUNDREDS = frozenset(("hundred", "hundert", "honderd", "cent", "cents", "ciento", "cien", "cento", "cem"))


def read_number(said: list[str], numbers: NumberWords, fillers: frozenset[str], corrections: frozenset[str]) -> Number:
    """The number that the words end with.

    Args:
        said: words in the form of `cue_words.words`.
        numbers: of the language.
        fillers: may stand between figures: "um".
        corrections: take back the figures before them: "no", "sorry".
    """
    lists = _lists(numbers)
    counter = _Counter(lists)
    passed = phrases(fillers)
    undone = phrases(corrections).all
    first = lists.first
    at = 0
    while at < len(said):
        word = said[at]
        if word not in first and not counter.groups and not counter.half and not word[0].isdecimal():
            if word in undone:
                counter.before = 0
            at += 1
            continue
        taken = counter.word(said, at)
        if not taken and (filler := passed.at(said, at) if counter.groups else 0):
            taken = filler
        if not taken:
            counter.other(said[at] in undone)
        at += taken or 1
    return Number(tuple(counter.groups), counter.start, counter.half, counter.before)


def read_spelled(said: list[str], numbers: NumberWords) -> Spelled:
    """The letters that the words end with: "m a r k", "m.a.r.k", "b as in boy", "double l"."""
    lists = _lists(numbers)
    spelling, repeats, named, digits = lists.spelling, lists.repeats, lists.letters, lists.digits
    if not _may_spell(said, lists):
        return Spelled()
    letters, start, half, times = "", 0, False, 1
    at = 0
    while at < len(said):
        word, taken = said[at], 1
        if (len(word) == 1 and (word.isalpha() or letters)) or word in named or (letters and word in digits):
            start = start if letters or half else at
            letters, half, times = letters + (word[0] * times), False, 1
        elif _dotted(word):
            start = start if letters else at
            letters, half = letters + word.replace(".", ""), False
        elif word in repeats:
            start = start if letters else at
            times, half = (3 if word in lists.triples else 2), True
        elif letters and (n := spelling.at(said, at)) and said[at - 1][0] == letters[-1]:
            example = said[at + n] if at + n < len(said) else ""
            if example and example[0] != letters[-1]:
                letters, half = "", False
            else:
                half = not example
                taken = n + bool(example)
        else:
            letters, half, times = "", False, 1
        at += taken
    return Spelled(letters, start, half and bool(letters))


def _may_spell(said: list[str], lists: _Lists) -> bool:
    """Whether the last words can be spelled ones at all: nearly never, so this is asked first."""
    last = said[-1]
    if len(last) == 1 or "." in last or last in lists.letters or last in lists.repeats or last in lists.digits:
        return True
    first = lists.spelling.first_words
    tail = said[-4:]
    return any(len(one) == 1 and two in first for one, two in pairwise(tail))


def _dotted(word: str) -> bool:
    return word[1:2] == "." and all(len(part) == 1 and part.isalpha() for part in word.split("."))
