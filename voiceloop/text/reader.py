"""Reads text that is still being written: written words in, pieces to speak out, as soon as they are certain. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from voiceloop.text.pronunciation import Pronunciations
from voiceloop.text.reading import Reading
from voiceloop.text.rules import addresses, codes, dates, phones, quantities, short_forms, times
from voiceloop.text.speaker import Speaker
from voiceloop.text.window import Context, Match, More, Window
from voiceloop.text.words import LONGEST, Role, Word, WordCutter

__all__ = ["Piece", "Reader", "Rules", "spoken"]

MOST_WORDS = 8
"""Words held back at most, besides one that is being written …"""
MOST_CHARACTERS = LONGEST
"""… and characters in them."""

_Rule = Callable[[Window], Match | None]
_NUMBERS: tuple[_Rule, ...] = (
    phones.phone,
    addresses.address,
    dates.date,
    dates.day_or_year,
    times.time,
    quantities.fraction,
    quantities.ordinal,
    codes.figures,
    dates.year,
    quantities.quantity,
    short_forms.short_form,
    codes.code,
    codes.plain_number,
    short_forms.sign,
)
_NAMES: tuple[_Rule, ...] = (dates.month, dates.weekday, short_forms.short_form, short_forms.sign)
_ADDRESSES: tuple[_Rule, ...] = (short_forms.short_form, addresses.address)
_SIGNS: tuple[_Rule, ...] = (short_forms.short_form, dates.weekday, addresses.address, short_forms.sign)
_FIGURE = re.compile(r"[0-9½⅓⅔¼¾⅕⅛⅜⅝⅞]")
_LISTED = re.compile(r"\d{1,2}")


class Piece(NamedTuple):
    """What is spoken for a stretch of the written text."""

    spoken: str
    """With its own spaces; empty for what is not spoken."""
    end: int
    """Where the stretch ends in the written text; it begins where the one before ends."""


class Rules:
    """What readers share: a language and a pronunciation table.

    Args:
        reading: the language; None for one that cannot be read, where marks and emoji are taken out and the
            pronunciation table is heeded.
        pronounce: see `Pronunciations`.

    Raises:
        MissingExtra: there is a reading, and the package for its number words is not installed.
    """

    def __init__(self, reading: Reading | None, pronounce: Mapping[str, str] | None = None) -> None:
        self.pronunciations = Pronunciations(pronounce or {})
        self.speaker = None if reading is None else Speaker(reading)
        self.triggers: frozenset[str] = frozenset()
        if reading is not None:
            tables = (
                reading.months, reading.months_short, reading.weekdays_short, reading.weekdays_unsure,
                reading.abbreviations, reading.abbreviations_last, reading.numbered, reading.street_or_title,
                reading.extra,
            )  # fmt: skip
            self.triggers = frozenset(word.lower() for table in tables for word in table) | {"x"}


class Reader:
    """Feed it the text of one answer, get what is to be spoken. How the text is divided makes no difference.

    An ordinary word leaves as soon as the white space behind it is there. A word that something may still follow (a
    number its unit, "St" a name) waits for it, at most `MOST_WORDS` words or `MOST_CHARACTERS` characters.
    """

    __slots__ = ("_context", "_cutter", "_held", "_rules", "_said", "_silent", "_spaced")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._cutter = WordCutter()
        self._held: deque[Word] = deque()
        self._context = Context()
        self._silent = 0  # end of what was passed over and belongs to what follows
        self._said = False  # whether anything was spoken
        self._spaced = True  # whether what was spoken last ends with a space

    def feed(self, text: str) -> list[Piece]:
        """Add text; return what is certain now."""
        pieces: list[Piece] = []
        for word in self._cutter.feed(text):
            self._held.append(word)
            pieces += self._read(closed=False)
        return pieces

    def close(self) -> list[Piece]:
        """No more text will come: return what is left. The last piece ends where the text ends."""
        pieces: list[Piece] = []
        for word in self._cutter.close():
            self._held.append(word)
            pieces += self._read(closed=False)
        pieces += self._read(closed=True)
        if self._silent:
            pieces.append(Piece("", self._cutter.written))
        return pieces

    def _read(self, *, closed: bool) -> Iterator[Piece]:
        while self._held:
            try:
                yield from self._next(closed)
            except More:
                if not self._full():
                    return
                yield from self._next(True)

    def _full(self) -> bool:
        held = self._held
        return len(held) > MOST_WORDS or sum(len(word.core) + 1 for word in held) > MOST_CHARACTERS

    def _next(self, closed: bool) -> Iterator[Piece]:
        held = self._held
        word = held[0]
        if word.role is not Role.SPOKEN:
            held.popleft()
            yield from self._unspoken(word)
            return
        count, said, kind = self._decide(word, closed)
        last = held[count - 1]
        ending = self._row_end(count, closed) if last.listed and not last.trail else ""
        for _ in range(count):
            self._context.add(held.popleft(), kind)
        if not said:
            yield Piece("", last.end)
            return
        self._silent, self._said, self._spaced = 0, True, last.spaced
        yield Piece(said + ending + (" " if last.spaced else ""), last.end)

    def _unspoken(self, word: Word) -> Iterator[Piece]:
        if word.role is Role.BREAK:
            self._context.end_line()
            if self._said:
                # A space too: whoever cuts words at spaces must find one here.
                yield Piece("\n" if self._spaced else "\n ", word.end)
                self._spaced = True
            else:
                self._silent = word.end
        elif word.role is Role.AFTER:
            if word.spaced and not self._spaced:
                yield Piece(" ", word.end)
                self._spaced = True
            elif self._said:
                yield Piece("", word.end)
            else:
                self._silent = word.end
        else:
            self._silent = word.end

    def _decide(self, word: Word, closed: bool) -> tuple[int, str, str]:
        rules, core = self._rules, word.core
        ordinary = core.isalpha() and core.lower() not in rules.triggers
        if ordinary and not rules.pronunciations.begins(core):
            return 1, word.text, ""
        speaker = rules.speaker
        window = Window(self._held, self._context, speaker, closed=closed)  # type: ignore[arg-type]
        found = rules.pronunciations.match(window) if rules.pronunciations else None
        if found is None and speaker is not None and not ordinary:
            if word.fresh and _LISTED.fullmatch(core) and word.trail in (".", ")") and word.spaced:
                found = self._list_number(window, speaker)
            found = found or next((m for rule in self._suited(core) if (m := rule(window)) is not None), None)
        return (1, word.text, "") if found is None else (found.count, found.spoken, found.kind)

    @staticmethod
    def _list_number(window: Window, speaker: Speaker) -> Match | None:
        """``1.`` at the beginning of a line is "one,"."""
        following = window.peek(1)
        if following is None or (speaker.reading.dotted_days and following.core in speaker.reading.months):
            return None
        return Match(1, f"{speaker.whole(window.word.core)},")

    @staticmethod
    def _suited(core: str) -> tuple[_Rule, ...]:
        if core.isalpha():
            return _NAMES
        if _FIGURE.search(core):
            return _NUMBERS
        if "." in core and not any(sign in core for sign in "@/&"):
            return _ADDRESSES
        return _SIGNS

    def _row_end(self, count: int, closed: bool) -> str:
        """A heading, a list item and a row end like a sentence, a cell of a row like a clause."""
        held = self._held
        if not held[count - 1].in_row:
            return "." if held[count - 1].ends_line else ""
        roles = [word.role for word in list(held)[count : count + 2]]
        if not roles or roles == [Role.BAR]:
            if not closed:
                raise More
            return "." if roles else ""
        if roles[0] is Role.BREAK:
            return "."
        if roles[0] is Role.BAR:
            return "." if roles[1] is Role.BREAK else ","
        return ""


def spoken(text: str, rules: Rules) -> str:
    """A whole text as it is to be spoken."""
    reader = Reader(rules)
    return "".join(piece.spoken for piece in [*reader.feed(text), *reader.close()]).strip()
