"""Words that nobody says twice in a call, so that each can be followed from mouth to ear to memory."""

from __future__ import annotations

from typing import Final

__all__ = ["HEADS", "head_of", "text_of"]

_SYLLABLES: Final = (
    *("ba", "ce", "di", "fo", "gu", "ha", "ji", "ka", "lo"),
    *("mu", "ne", "pi", "ra", "so", "tu", "va", "we", "zo"),
)
_EACH: Final = len(_SYLLABLES) ** 2
"""Owners of words, and words of each, before they come again."""
HEADS: Final = {"k": "caller", "m": "model", "u": "the bot's own code", "t": "argument of a tool"}
"""What a word begins with, and whose it is."""


def _word(head: str, owner: int, index: int) -> str:
    size = len(_SYLLABLES)
    places = (owner % _EACH // size, owner % size, index % _EACH // size, index % size)
    return head + "".join(_SYLLABLES[place] for place in places)


def text_of(head: str, owner: int, words: int, sentence: int = 0) -> str:
    """A text of so many words.

    Args:
        head: whose they are: one of `HEADS`.
        owner: number of what says them; up to 324 of them have words of their own.
        words: how many; up to 324 different ones.
        sentence: words in each sentence; 0: one sentence.
    """
    found = [_word(head, owner, index) for index in range(words)]
    for index in range(len(found)):
        if index + 1 == len(found) or (sentence and (index + 1) % sentence == 0):
            found[index] += "."
    return " ".join(found)


def head_of(word: str) -> str | None:
    """Whose word this is: one of `HEADS`; None when it is not one of ours."""
    word = word.strip(".")
    return word[:1] if len(word) == 9 and word[:1] in HEADS and word[1:3] in _SYLLABLES else None
