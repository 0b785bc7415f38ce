"""The text of one answer, and which part of it may be handed over to be spoken. Pure.

Pieces joined are the text as it was written, space for space; no word is ever divided between two of them. A word that
may still grow ("coff" of "coffee") is kept until the text goes on or ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from voiceloop.tts.phrases import PhraseCutter, PhraseRules

__all__ = ["Pieces"]

_EARLY = 0.002
"""Seconds by which a timer may fire before its time."""
_HAN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_SOLID_END = re.compile("[。！？；…][」』）】》]*")
"""Ends a sentence where there are no spaces between words."""
_EDGE = re.compile(f"[\\s{_HAN}、。！？；：」』）】》]")
"""Behind one of these no word is being written: a space, or a letter of a script that needs none."""
_FINISHED = re.compile(r"(?:^|\s|['\"“‘(])[^\W\d_]{2,}(?:['’-][^\W\d_]+)*[.!?,;:…]+['\"”’)]*$")
"""A word of letters alone that punctuation closes: it will not grow, although no space follows yet."""
_OPEN_TAG = re.compile(r"</?(?:b|s|e|v)[a-z]*\b[^<>]{0,60}$")
"""A tag such as ``<break time="1s"/>`` that is not whole yet."""


class Pieces:
    """Feed it text, take pieces.

    Args:
        phrases: pieces are phrases, the first of them short (see `PhraseCutter`); otherwise whole words as they come.
        idle: seconds without new text after which whole words are a piece although their phrase goes on.
        language: of the text, a tag.
        eager: the first word alone is a piece, whatever phrase it begins.
    """

    def __init__(self, *, phrases: bool, idle: float, language: str = "en", eager: bool = False) -> None:
        self._rules = PhraseRules(language=language)
        self._cutter: PhraseCutter | None = PhraseCutter(self._rules) if phrases else None
        self._idle = idle
        self._eager = eager and phrases
        self._text = ""
        self._cut = 0  # where the cutter's last phrase ended
        self._ends: list[int] = []  # where pieces end, ascending
        self._fed_at: float | None = None  # None when there is nothing that idling could release
        self._closed = False
        self.given = 0
        """Characters that were taken."""

    @property
    def text(self) -> str:
        """All that was fed."""
        return self._text

    @property
    def closed(self) -> bool:
        """Whether no more text will come."""
        return self._closed

    @property
    def ended(self) -> bool:
        """Whether all was taken that will ever come."""
        return self._closed and self.given == len(self._text)

    @property
    def speakable(self) -> bool:
        """Whether there are pieces to take, with something in them that can be spoken."""
        return bool(self._ends) and any(map(str.isalnum, self._text[self.given : self._ends[-1]]))

    @property
    def due(self) -> float | None:
        """When idling will release what is there; None when nothing will."""
        return None if self._fed_at is None else self._fed_at + self._idle

    def feed(self, text: str, now: float) -> None:
        """The text goes on; `now` in seconds."""
        if not text:
            return
        self._text += text
        self._fed_at = now
        if self._cutter is None:
            self._end_at(_whole(self._text))
            return
        if self._eager and any(map(str.isalnum, self._text[: (end := _whole(self._text))])):
            self._eager = False
            self._end_at(end)
            self._begin_anew()
            return
        for phrase in self._cutter.feed(text):
            self._cut += len(phrase.text)
            self._end_at(_behind_spaces(self._text, self._cut))
        last = self._ends[-1] if self._ends else 0
        if ends := [match.end() for match in _SOLID_END.finditer(self._text, max(last, self.given))]:
            self._end_at(ends[-1])
            self._begin_anew()

    def close(self) -> None:
        """The text is complete."""
        self._closed, self._fed_at = True, None
        if len(self._text) > (self._ends[-1] if self._ends else 0):
            self._ends.append(len(self._text))

    def release(self, now: float, *, at_once: bool = False) -> None:
        """Make a piece of the words that are there, if no text came for long enough, or `at_once`."""
        if self._fed_at is None or not (at_once or now + _EARLY >= self._fed_at + self._idle):
            return
        self._fed_at = None
        if self._cutter is not None:
            self._end_at(_whole(self._text))
            self._begin_anew()

    def take(self, *, opening: bool = False) -> str:
        """The next piece; empty when there is none yet.

        Args:
            opening: it is to be the first of a context, which must hold something that can be spoken.
        """
        start, index = self.given, bisect_right(self._ends, self.given)
        if opening and not self.speakable:
            return ""
        while index < len(self._ends):
            self.given = self._ends[index]
            piece = self._text[start : self.given]
            if not opening or any(map(str.isalnum, piece)):
                return piece
            index += 1
        return ""

    def rewind(self, offset: int) -> None:
        """Give again what stands behind `offset`, which must have been taken."""
        self.given = offset

    def _end_at(self, end: int) -> None:
        tag = _OPEN_TAG.search(self._text, max(0, end - 100), end)
        end = tag.start() if tag else end
        if end > max(self._ends[-1] if self._ends else 0, self.given):
            self._ends.append(end)

    def _begin_anew(self) -> None:
        """Forget how the phrase that was cut began."""
        self._cut = self._ends[-1] if self._ends else 0
        self._cutter = PhraseCutter(self._rules)
        for phrase in self._cutter.feed(self._text[self._cut :]):
            self._cut += len(phrase.text)
            self._end_at(_behind_spaces(self._text, self._cut))


def _whole(text: str) -> int:
    """Up to where no word is being written."""
    if _FINISHED.search(text, max(0, len(text) - 200)):
        return len(text)
    for at in range(len(text) - 1, -1, -1):
        if _EDGE.match(text[at]):
            return at + 1
    return 0


def _behind_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
