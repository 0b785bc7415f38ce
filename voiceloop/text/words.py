"""Cuts text that is still being written into words, each with its place in the text. Pure.

A word is what stands between white space. It is certain when the white space after it is there, so how the text was
divided when fed makes no difference. Scripts without spaces give one word a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from voiceloop.text.marks import cleaned, is_line_mark

__all__ = ["LONGEST", "Role", "Word", "WordCutter"]

LONGEST = 80
"""Characters. A word without end is cut here."""

_SOLID = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Scripts that put no spaces between words, as in `voiceloop.output.align`."""
_PIECE = re.compile(rf"\s+|[{_SOLID}]|[^\s{_SOLID}]{{1,{LONGEST}}}")
_PARTS = re.compile(r"^([\"'“‘„«(\[{¿¡]*)(.*?)([.,;:!?…\"'”’“»)\]}]*)$", re.DOTALL)
_LINK = re.compile(r"[<(\[]*(?:https?://|www\.|data:)", re.IGNORECASE)
_ITEM = re.compile(r"[-*+•–—]|#{1,6}")
_NUMBERED = re.compile(r"\d{1,2}[.)]")
_LINK_WORDS = 8
"""Words that the address of a link may have, with its title, before it is taken to be none."""


class Role(Enum):
    """What a word is for the ear."""

    SPOKEN = "spoken"
    BREAK = "break"
    """The end of a line."""
    BAR = "bar"
    """Between two cells of a table."""
    BEFORE = "before"
    """Nothing, and it belongs to what follows: a bullet."""
    AFTER = "after"
    """Nothing, and it belongs to what came before: an emoji."""


@dataclass(slots=True)
class Word:
    """A written word."""

    end: int
    """Its end in the written text."""
    role: Role
    lead: str = ""
    """Opening quotes and brackets."""
    core: str = ""
    """The word itself, without marks of any kind."""
    trail: str = ""
    """Closing punctuation."""
    spaced: bool = False
    """Whether a space follows, rather than a line break or nothing."""
    fresh: bool = False
    """Whether it is the first on its line."""
    listed: bool = False
    """Whether it stands in a heading, a list item or a table: its line ends like a sentence."""
    ends_line: bool = False
    """Whether a line break is right behind it."""
    in_row: bool = False
    """Whether it stands in a row of a table."""

    @property
    def text(self) -> str:
        """As it is to be spoken if no rule says otherwise."""
        return self.lead + self.core + self.trail


class WordCutter:
    """Feed it text, get the words that are certain."""

    __slots__ = ("_fresh", "_listed", "_offset", "_row", "_swallow", "_target", "_text")

    def __init__(self) -> None:
        self._text = ""  # not cut yet
        self._offset = 0  # of its beginning in the written text
        self._fresh = True
        self._listed = self._row = False
        self._swallow = False  # the rest of a long address
        self._target = 0  # words of a link's address that may still come

    def feed(self, text: str) -> list[Word]:
        """Add text; return the words that are complete now."""
        self._text += text
        return list(self._cut(closed=False))

    def close(self) -> list[Word]:
        """No more text will come: return what is left."""
        return list(self._cut(closed=True))

    @property
    def written(self) -> int:
        """Length of the text fed so far."""
        return self._offset + len(self._text)

    def _cut(self, *, closed: bool) -> Iterator[Word]:
        text, at = self._text, 0
        while at < len(text):
            found = _PIECE.match(text, at)
            assert found is not None
            piece, end = found[0], found.end()
            if piece[0].isspace():  # no need to wait for the end of it
                yield from self._space(piece, self._offset + at)
                at = end
                continue
            # What follows decides whether a word ends here, and whether a space or a line break is behind it.
            if end == len(text) and not closed:
                break
            following = text[end : end + 1]
            yield from self._word(piece, self._offset + end, following)
            at = end
        self._offset += at
        self._text = text[at:]

    def _space(self, piece: str, offset: int) -> Iterator[Word]:
        self._swallow = False
        for place, character in enumerate(piece, 1):
            if character == "\n":
                if not self._fresh:  # one for several
                    yield Word(offset + place, Role.BREAK)
                self._fresh, self._listed, self._row, self._target = True, False, False, 0

    def _word(self, piece: str, end: int, following: str) -> Iterator[Word]:
        fresh, self._fresh = self._fresh, False
        spaced = following.isspace() and following != "\n"
        if self._swallow or self._in_target(piece):
            yield Word(end, Role.AFTER, spaced=spaced)
            return
        cut = bool(following) and not following.isspace()
        if fresh and piece.startswith("|"):
            self._row = self._listed = True
        if fresh and not cut and is_line_mark(piece):
            self._listed = self._listed or _ITEM.fullmatch(piece) is not None
            self._fresh = True  # another mark may follow a mark ("> - item")
            yield Word(end, Role.BEFORE)
            return
        self._listed = self._listed or (fresh and spaced and _NUMBERED.fullmatch(piece) is not None)
        if self._row and "|" in piece:
            yield from self._cells(piece, end, spaced)
            return
        if "](" in piece and ")" not in piece.rpartition("](")[2]:
            self._target = _LINK_WORDS
        if cut and len(piece) == LONGEST and _LINK.match(piece):
            self._swallow = True
        word = self._made(piece, end, spaced, fresh)
        word.ends_line = following == "\n"
        yield word

    def _cells(self, piece: str, end: int, spaced: bool) -> Iterator[Word]:
        at = end - len(piece)
        for part in re.findall(r"\||[^|]+", piece):
            at += len(part)
            if part == "|" or re.fullmatch(r":?-+:?", part):
                yield Word(at, Role.BAR if part == "|" else Role.BEFORE)
            else:
                yield self._made(part, at, spaced or at < end, False)

    def _in_target(self, piece: str) -> bool:
        if not self._target:
            return False
        self._target = 0 if ")" in piece else self._target - 1
        return True

    def _made(self, piece: str, end: int, spaced: bool, fresh: bool) -> Word:
        text = piece if piece.isalpha() else cleaned(piece, fresh=fresh)
        if not text or (text != piece and not any(c.isalnum() or c in "$€£¥%&@+=" for c in text)):
            return Word(end, Role.AFTER, spaced=spaced)
        if text == piece and piece.isalpha():
            return Word(end, Role.SPOKEN, "", piece, "", spaced, fresh, self._listed, in_row=self._row)
        parts = _PARTS.match(text)
        assert parts is not None
        return Word(end, Role.SPOKEN, parts[1], parts[2], parts[3], spaced, fresh, self._listed, in_row=self._row)
