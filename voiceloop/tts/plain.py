"""Takes out of a written text what cannot be spoken: marks of emphasis, headings, bullets, link targets, emoji.

Pure, and word by word: each written word keeps its place, so that what was heard can be told in the words that
were written.
"""

from __future__ import annotations

import re

__all__ = ["spoken_words"]

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\ufe00-\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)
_LINE_MARK = re.compile(r"[-*+•–—]|#{1,6}|>+|[-*_=]{3,}|```\w*")
"""A bullet, the mark of a heading or a quotation, a rule, a fence: when first on a line."""
_LINK_END = re.compile(r"(.+?)\]\((?:[^()\s]|\([^()\s]*\))*\)(.*)")
_OPENING = re.compile(r"^([\"'“‘(]*)(?:\*{1,3}|_{1,3}|~~|`+)(?=\S)")
_CLOSING = re.compile(r"(?<=\S)(?:\*{1,3}|_{1,3}|~~|`+)([\"'”’).,;:!?…]*)$")


def spoken_words(text: str, *, line_start: bool = False) -> list[tuple[str, str]]:
    """The words of `text`, each as written and as to be spoken, which may be empty.

    Args:
        line_start: the text begins a line; otherwise a line begins after a line break only.
    """
    words: list[tuple[str, str]] = []
    for number, line in enumerate(text.split("\n")):
        fresh = number > 0 or line_start
        for written in line.split():
            spoken = "" if fresh and _LINE_MARK.fullmatch(written) else _spoken(written)
            # Another mark may follow a mark ("> - item"), and nothing else.
            fresh = fresh and not spoken
            words.append((written, spoken))
    return words


def _spoken(word: str) -> str:
    word = _EMOJI.sub("", word)
    link = _LINK_END.fullmatch(word)
    if link:
        word = link[1] + link[2]
    if word.startswith(("[", "![")) and (link or "]" not in word):
        word = word.lstrip("!").removeprefix("[")
    # "**Hello**", "_so_" and "`code`" lose their marks; "2*3", "snake_case" and a lone "*" keep them.
    opened = _OPENING.sub(r"\1", word)
    return _CLOSING.sub(r"\1", opened)
