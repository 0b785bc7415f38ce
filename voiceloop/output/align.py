"""Lay the words a voice spoke onto the text the model wrote.

A voice reports words in its own form: other case, no punctuation, numbers written out, words left out. What belongs
in the conversation is the model's text. Both sides are cut into plain tokens, and each spoken token is looked for a
little way ahead of the one before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Alignment", "align", "token_ends"]

_SOLID = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no spaces between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese): one token a letter."""
_TOKEN = re.compile(rf"[{_SOLID}]|(?:(?![{_SOLID}])[^\W_])+(?:['’](?:(?![{_SOLID}])[^\W_])+)*")
_SOLID_CLOSERS = frozenset("。、，！？：；」』）】》…～")
"""Punctuation that ends a phrase although no space follows."""

_AHEAD = 3
"""How many tokens the voice may leave out; each spoken token that was not found widens this by one …"""
_AHEAD_MOST = 12
"""… up to here."""
_TELLING = 5
"""A token of so many letters is found ahead without another one behind it to confirm."""
_LOST = 8
"""After so many spoken tokens without a match they are taken to be one token of text each, this many behind."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the text stands after each spoken word."""

    ends: tuple[int, ...]
    """For each spoken word the offset in the text behind what had been said at its end; never falls."""
    sure: tuple[bool, ...]
    """Whether that word itself was found in the text."""


def token_ends(text: str) -> list[int]:
    """Offsets behind each token of a text, with the punctuation that closes it."""
    matches = list(_TOKEN.finditer(text))
    limits = [match.start() for match in matches[1:]] + [len(text)]
    return [_closed(text, match.end(), limit) for match, limit in zip(matches, limits, strict=False)]


def align(text: str, spoken: Sequence[str], *, complete: bool) -> Alignment:
    """Find spoken words in a text.

    Args:
        text: as the model wrote it.
        spoken: words in the order they are spoken.
        complete: True when no more words will come: what is left of the text is then shared among words not found.
    """
    tokens = _plain(text)
    flat = [(index, token) for index, word in enumerate(spoken) for token in _plain(word)]
    after = [0] * len(spoken)  # tokens of the text said at the end of each word
    sure = [False] * len(spoken)
    missed: list[int] = []  # words of the tokens not found since the last match
    cursor = 0
    for place, (index, token) in enumerate(flat):
        following = flat[place + 1][1] if place + 1 < len(flat) else None
        skipped = _find(tokens, cursor, token, following, len(missed))
        if skipped is None:
            missed.append(index)
        else:
            _share(after, missed, cursor, skipped)
            missed, cursor = [], cursor + skipped + 1
            sure[index] = True
        after[index] = max(after[index], cursor)
    if complete:
        _share(after, missed, cursor, len(tokens) - cursor)
    else:
        for nth, index in enumerate(missed[_LOST:], 1):
            after[index] = min(len(tokens), cursor + nth)
    ends, offsets, furthest = [0, *token_ends(text)], [], 0
    for count in after:  # a word of mere punctuation stands where the one before it does
        furthest = max(furthest, count)
        offsets.append(ends[furthest])
    return Alignment(tuple(offsets), tuple(sure))


def _plain(text: str) -> list[str]:
    found: list[str] = _TOKEN.findall(text)
    return [unicodedata.normalize("NFKC", token).casefold().replace("’", "").replace("'", "") for token in found]


def _find(tokens: Sequence[str], cursor: int, token: str, following: str | None, missed: int) -> int | None:
    """How many tokens of the text to skip to the next one like this; None if there is none near enough."""
    for skipped in range(min(_AHEAD + missed, _AHEAD_MOST) + 1):
        at = cursor + skipped
        if at >= len(tokens):
            return None
        if tokens[at] != token:
            continue
        confirmed = following is not None and at + 1 < len(tokens) and tokens[at + 1] == following
        accounted = bool(missed) and skipped <= 1 + missed // 2  # by words that were not found before
        if skipped == 0 or accounted or confirmed or len(token) >= _TELLING:
            return skipped
    return None


def _share(after: list[int], missed: Sequence[int], cursor: int, skipped: int) -> None:
    """Tokens of the text that were passed over were said by the words not found before: share them out evenly."""
    for nth, index in enumerate(missed, 1):
        after[index] = max(after[index], cursor + skipped * nth // len(missed))


def _closed(text: str, end: int, limit: int) -> int:
    """The offset behind the punctuation that closes a token; `limit` is where the next token starts."""
    stop = end
    while stop < limit and not text[stop].isspace():
        stop += 1
    if stop < limit or limit == len(text):
        return stop
    while end < limit and text[end] in _SOLID_CLOSERS:
        end += 1
    return end
