"""The agent's own words in what was recognised: a line that echoes is transcribed too. Pure.

Both texts are compared word by word, as runs of words in the same order (local alignment: Smith and Waterman, J. Mol.
Biol. 147, 1981). A recogniser garbles an echo: in a run one word in three may be wrong or missing, but never the first
or the last, which would be the caller's own.

Callers repeat an agent's words on purpose. So `played` must hold no more than what sounded while, or a moment before,
the words in question were spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["is_echo", "without_echo"]

_SOLID = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no spaces between words, as in `voiceloop.output.align`: a letter counts as a word."""
_WORD = re.compile(rf"[{_SOLID}]|[^\s{_SOLID}]+")
_LEAST: Final = 3
"""Words of a run that is cut out of a text that holds others."""
_LATEST_HEARD: Final = 60
"""Words of a transcript that are looked at; those before them stay."""
_LATEST_PLAYED: Final = 60
_LIKE: Final = 0.5
"""How alike two words are, 0 to 1, of which one may be the other misheard."""
_NEAR: Final = 0.4
"""What a word adds to the score of a run that is like the one played; the same word adds 1."""
_MISSED: Final = -0.4
"""What one adds that was not recognised."""
_WRONG: Final = -0.7
"""What one adds that is another, or more than was played, where all words of a text must be echo."""
_STRANGE: Final = -1.0
"""And where a part may be: a word of the caller's between two that the agent said too is not bridged."""
_JOINED: Final = 3
"""Words of one text that may be written as one in the other: "ice cream", "5 5 5"."""


def is_echo(heard: str, played: str, *, certain_silence: bool = False) -> bool:
    """Whether all these words are some of those the agent was saying.

    Args:
        heard: as recognised, perhaps garbled. One word alone is none: a caller may well say one that the agent says.
        played: the words that sounded then, as spoken or as written.
        certain_silence: no speech was detected where the words were recognised. Then one word is enough.
    """
    said, own = _words(heard), _words(played)[-_LATEST_PLAYED:]
    if not said or len(said) > _LATEST_HEARD or (len(said) < 2 and not certain_silence):
        return False
    if len(said) == 1:
        return any(said[0].key == word.key or _alike(said[0], word) for word in own)
    run = _best(said, own, _WRONG)
    return run is not None and len(run.place) == len(said) and run.good


def without_echo(heard: str, played: str) -> str:
    """What the caller said, where some of what was recognised is what the agent was saying: runs of three words or
    more are taken out.

    Args:
        heard: as recognised.
        played: the words that sounded then, as spoken or as written.

    Returns: the rest as it was written; nothing when all was echo.
    """
    if is_echo(heard, played):
        return ""
    said = _words(heard)[-_LATEST_HEARD:]
    echoes = sorted(_echoes(said, _words(played)[-_LATEST_PLAYED:], 0), key=lambda place: place.start)
    if not echoes:
        return heard
    rest, at = list[str](), 0
    for place in echoes:
        rest.append(heard[at : said[place.start].start])
        at = said[place.stop - 1].end
    return " ".join(part for piece in (*rest, heard[at:]) if (part := piece.strip()))


# --- words ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Word:
    key: str
    """In lower case, without punctuation."""
    pairs: frozenset[str]
    """Its letters two by two."""
    start: int
    end: int


def _words(text: str) -> list[_Word]:
    found = []
    for match in _WORD.finditer(text):
        key = "".join(letter for letter in match[0].casefold() if letter.isalnum())
        if key:
            framed = f"^{key}$"
            pairs = frozenset(framed[at : at + 2] for at in range(len(framed) - 1))
            found.append(_Word(key, pairs, match.start(), match.end()))
    return found


def _alike(a: _Word, b: _Word) -> bool:
    """Whether one may be the other misheard (Dice's coefficient of pairs of letters). A word of two letters is itself
    or is another: "no" is not "not"."""
    if len(a.key) < 3 or len(b.key) < 3:
        return False
    return 2 * len(a.pairs & b.pairs) >= _LIKE * (len(a.pairs) + len(b.pairs))


# --- runs -------------------------------------------------------------------------------------------------------


class _Cell(NamedTuple):
    """The best run that ends at a pair of words."""

    score: float
    start: int
    """The first heard word."""
    matched: int
    """Heard words that were played."""
    wrong: float
    """Words that differ, half for those that are alike or were not recognised."""


@dataclass(frozen=True, slots=True)
class _Run:
    place: range
    matched: int
    wrong: float

    @property
    def good(self) -> bool:
        """No more than one in three is wrong."""
        return self.wrong * 3 <= len(self.place)


_NOTHING = _Cell(0.0, 0, 0, 0.0)


def _echoes(said: list[_Word], own: list[_Word], offset: int) -> Iterator[range]:
    """Where runs of the agent's words are; places count from `offset`."""
    run = _best(said, own, _STRANGE)
    if run is None or run.matched < _LEAST or not run.good:
        return
    place = run.place
    yield range(place.start + offset, place.stop + offset)
    yield from _echoes(said[: place.start], own, offset)
    yield from _echoes(said[place.stop :], own, offset + place.stop)


def _best(said: list[_Word], own: list[_Word], wrong: float) -> _Run | None:
    """The best run of all; None when no word is the same."""
    same = {
        (i, j): place
        for i in range(len(said))
        for j in range(len(own))
        if (place := _same(said, i, own, j)) is not None
    }
    if not same:
        return None
    best, end = _NOTHING, 0
    rows = [[_NOTHING] * (len(own) + 1)]
    for i, word in enumerate(said):
        above, row = rows[-1], [_NOTHING]
        for j, played in enumerate(own):
            if (counts := same.get((i, j))) is not None:
                heard = counts[0]
                cell = _on(rows[i + 1 - heard][j + 1 - counts[1]], i + 1 - heard, heard, heard, 0)
            else:
                cell = _other(word, i, played, (above[j], above[j + 1], row[j]), wrong)
            row.append(cell)
            if cell.score > best.score:
                best, end = cell, i + 1
        rows.append(row)
    return _Run(range(best.start, end), best.matched, best.wrong) if best.matched else None


def _other(word: _Word, place: int, played: _Word, before: tuple[_Cell, _Cell, _Cell], wrong: float) -> _Cell:
    """The best run that ends with two words that are not the same, by those before both, the heard, the played."""
    both, extra, missed = before
    found = _NOTHING
    if _alike(word, played):
        found = _on(both, place, _NEAR, 1, 0.5)
    elif both.score > -wrong:
        found = _on(both, place, wrong, 0, 1)
    if extra.score + wrong > found.score:
        found = _on(extra, place, wrong, 0, 1)
    if missed.score + _MISSED > found.score:
        found = _on(missed, place, _MISSED, 0, 0.5)
    return found


def _on(before: _Cell, place: int, score: float, matched: int, wrong: float) -> _Cell:
    """A run goes on, or begins."""
    if before is _NOTHING:
        return _Cell(score, place, matched, wrong)
    return _Cell(before.score + score, before.start, before.matched + matched, before.wrong + wrong)


def _same(said: list[_Word], i: int, own: list[_Word], j: int) -> tuple[int, int] | None:
    """How many words of each that end here are the same, written together; None when they are not."""
    a, b = said[i].key, own[j].key
    if a == b:
        return 1, 1
    if a.endswith(b):
        count = _joined(a, own, j)
        return None if count is None else (1, count)
    if b.endswith(a):
        count = _joined(b, said, i)
        return None if count is None else (count, 1)
    return None


def _joined(whole: str, words: list[_Word], last: int) -> int | None:
    """How many words, up to this one, make a whole."""
    letters = ""
    for count, word in enumerate(reversed(words[max(0, last + 1 - _JOINED) : last + 1]), 1):
        letters = word.key + letters
        if letters == whole:
            return count
    return None
