"""Numbers with what belongs to them: money, units, percentages, ranges, fractions, places in an order."""

from __future__ import annotations

import re
from functools import lru_cache

from voiceloop.text.reading import Currency, Unit
from voiceloop.text.speaker import Speaker
from voiceloop.text.window import Match, Window
from voiceloop.text.words import Word

__all__ = ["fraction", "ordinal", "quantity"]

_SIGNS = "$€£¥₹"
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8",
    "⅞": "7/8",
}  # fmt: skip
_MIXED = re.compile(rf"(\d*)([{''.join(_VULGAR)}])")
_SLASHED = re.compile(r"(\d+(?:[.,]\d+)?)/(\d+)")
_HEIGHT = re.compile(r"(\d)['’′](\d{1,2})?")


@lru_cache(maxsize=16)
def _pattern(number: str) -> re.Pattern[str]:
    sign, money = r"[-−+~≈±<>≤≥]?", rf"(?:US\$|CA\$|A\$|[{_SIGNS}])?"
    return re.compile(
        rf"({sign})({money})({number})(?:([^\d\s.,/–-]*)[-–]{money}({number}))?((?:[^\d\s].*)?)"
    )  # fmt: skip


def quantity(window: Window) -> Match | None:
    """``$4.50``, ``5 kg``, ``20%``, ``10-12 minutes``, ``$4.5 million``, ``-5°C``, ``1,250``."""
    word, speaker = window.word, window.speaker
    sign, core = _sign(word.core, speaker)
    found = _pattern(speaker.NUMBER).fullmatch(core)
    if not found:
        return None
    _, money, first, between, second, rest = found.groups()
    if between and between not in (rest, "%", *_SIGNS):
        return None
    count, trail = 1, word.trail
    if not rest and not second and (more := _thousands(window, first)):
        first, count = more
        trail = ""
    span = _spaced_span(window, count) if not rest and not second and not word.trail else None
    if span is not None:
        second, rest = span
        count += 2
        trail = _at(window, count - 1).trail
    said = _Said(window, first, second or "", sign, count, trail)
    return _with_money(said, money, rest) if money else _with_unit(said, rest)


class _Said:
    """A number, or two that are the ends of a range, and the words they stand in."""

    def __init__(self, window: Window, first: str, second: str, sign: str, count: int, trail: str) -> None:
        self.window = window
        self.speaker = window.speaker
        self.first, self.second = first, second
        self.sign, self.count, self.trail = sign, count, trail

    def next(self) -> Word | None:
        """The word behind them."""
        if self.trail:
            return None
        word = self.window.peek(self.count)
        return None if word is None or word.lead else word

    def numbers(self) -> str:
        said = self.speaker.number(self.first)
        return f"{said} {self.speaker.reading.to} {self.speaker.number(self.second)}" if self.second else said

    def amounts(self, currency: Currency) -> str:
        speaker = self.speaker
        if not self.second:
            return speaker.money(self.first, currency)
        split = speaker.split(self.first)[1] or speaker.split(self.second)[1]
        first = speaker.money(self.first, currency) if split else speaker.number(self.first)
        return f"{first} {speaker.reading.to} {speaker.money(self.second, currency)}"

    def match(self, spoken: str, more: int = 0, *, trail: str | None = None, kind: str = "number") -> Match:
        behind = self.trail if trail is None else trail
        return self.window.match(f"{self.sign}{spoken}", self.count + more, kind, trail=behind)


def _sign(core: str, speaker: Speaker) -> tuple[str, str]:
    reading = speaker.reading
    words = {"-": reading.minus, "−": reading.minus, "+": reading.plus, "~": reading.about, "≈": reading.about}
    said = words.get(core[:1], "")
    return (f"{said} ", core[1:]) if said and len(core) > 1 else ("", core)


def _at(window: Window, place: int) -> Word:
    word = window.word if place == 0 else window.peek(place)
    assert word is not None
    return word


def _thousands(window: Window, first: str) -> tuple[str, int] | None:
    """``1 250`` where thousands may be set apart by a space."""
    if not window.speaker.reading.spaced_groups or not re.fullmatch(r"[1-9]\d{0,2}", first):
        return None
    count = 1
    while (word := window.joined(count)) is not None and (
        re.fullmatch(r"\d{3}", word.core)
        or (re.fullmatch(rf"\d{{3}}{re.escape(window.speaker.reading.decimal)}\d+", word.core) and count < 4)
    ):
        first, count = first + word.core, count + 1
        if not word.core.isdecimal():
            break
    return (first, count) if count > 1 else None


def _spaced_span(window: Window, count: int) -> tuple[str, str] | None:
    """``10 - 12 minutes``."""
    dash = window.joined(count)
    if dash is None or dash.core not in ("-", "–", "—") or dash.trail:
        return None
    end = window.peek(count + 1)
    found = re.fullmatch(rf"({window.speaker.NUMBER})(%?)", end.core) if end is not None and not end.lead else None
    return (found[1], found[2]) if found else None


def _with_money(said: _Said, sign: str, rest: str) -> Match | None:
    speaker = said.speaker
    currency = speaker.reading.currencies.get(sign)
    if currency is None:
        return None
    rest, per = _per(speaker, rest)
    big = speaker.reading.magnitudes.get(rest.lower(), "") if rest else ""
    more, trail = 0, said.trail
    if not rest and not per:
        following = said.next()
        if following is not None and following.core.lower() in speaker.reading.big:
            big, more, trail = following.core.lower(), 1, following.trail
    if rest == "+":
        return said.match(f"{said.amounts(currency)} {speaker.reading.plus}{per}")
    if rest and not big:
        return None
    if not big:
        return said.match(said.amounts(currency) + per)
    return said.match(f"{said.numbers()} {big} {speaker.reading.big_of}{currency.whole.many}{per}", more, trail=trail)


def _per(speaker: Speaker, rest: str) -> tuple[str, str]:
    """``/night`` behind an amount."""
    before, slash, after = rest.partition("/")
    if not slash or not after.isalpha():
        return rest, ""
    unit = speaker.reading.units.get(after)
    name = unit.one.split(maxsplit=1)[-1] if unit is not None else after
    return before, f" {speaker.reading.per} {name}"


def _with_unit(said: _Said, rest: str) -> Match | None:
    speaker, reading = said.speaker, said.speaker.reading
    if rest:
        return _attached(said, rest)
    following = said.next()
    if following is None:
        return said.match(said.numbers()) if said.sign or said.second or said.count > 1 else None
    core, trail = following.core, following.trail
    if core in reading.currencies:
        return said.match(said.amounts(reading.currencies[core]), 1, trail=trail)
    if core in ("%", "٪"):
        return said.match(f"{said.numbers()} {reading.percent}", 1, trail=trail)
    if core.lower() in reading.big and not said.second:
        after = None if trail else said.window.peek(said.count + 1)
        if after is not None and not after.lead and after.core in reading.currencies:
            name = reading.currencies[after.core].whole.many
            return said.match(f"{said.numbers()} {core} {reading.big_of}{name}", 2, trail=after.trail)
        return said.match(speaker.number(said.first, reading.counting), kind="number")
    if core in ("x", "X", "×", "*", "+", "=", "÷") and not said.second:
        return said.match(said.numbers())
    base, per = _per(speaker, core)
    unit = reading.units.get(core) or reading.units.get(base)
    if unit is None or (len(core) == 1 and core in "sVW" and said.second):
        return said.match(said.numbers()) if said.sign or said.second or said.count > 1 else None
    end = said.window.stop(said.count) if trail.startswith(".") else trail
    return said.match(_count(said, unit) + ("" if core in reading.units else per), 1, trail=end)


def _count(said: _Said, unit: Unit) -> str:
    if not said.second:
        return said.speaker.counted(said.first, unit)
    return f"{said.speaker.number(said.first)} {said.speaker.reading.to} {said.speaker.counted(said.second, unit)}"


def _attached(said: _Said, rest: str) -> Match | None:
    speaker, reading = said.speaker, said.speaker.reading
    if rest in ("%", "٪"):
        return said.match(f"{said.numbers()} {reading.percent}")
    if rest in reading.currencies:
        return said.match(said.amounts(reading.currencies[rest]))
    if rest == "+":
        return said.match(f"{said.numbers()} {reading.plus}")
    if rest in ("x", "×") and len(said.first) <= 3:
        return said.match(f"{said.numbers()} {reading.times}")
    sides = re.fullmatch(r"[x×](\d+)", rest)
    if sides:
        return said.match(f"{said.numbers()} {reading.by} {speaker.whole(sides[1])}")
    if rest == reading.decade and reading.decade and re.fullmatch(r"\d\d|(1[1-9]|20)\d0", said.first):
        spoken = said.match(_decade(speaker, said.first))
        return Match(spoken.count, spoken.spoken.lstrip("'’‘"), spoken.kind)
    if re.fullmatch(r"(?:-[^\W\d_]+)+", rest) and not reading.units.get(rest[1:]):
        return said.match(f"{said.numbers()}{rest}")  # "5-year-old"
    unit = reading.units.get(rest.lstrip("-"))
    if unit is not None:
        return said.match(_count(said, unit), trail=said.window.stop() if said.trail.startswith(".") else None)
    base, per = _per(speaker, rest)
    if per and not base:
        return said.match(said.numbers() + per)
    return None


def _decade(speaker: Speaker, figures: str) -> str:
    said = speaker.year(figures)
    if len(figures) == 2 and figures[1] != "0":
        return f"{said}s"
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def ordinal(window: Window) -> Match | None:
    """``1st``, ``23rd``, ``2ème``."""
    reading = window.speaker.reading
    found = re.fullmatch(r"(\d{1,9})([^\d\W]+|[ºª°])", window.word.core)
    if not found or found[2].lower() not in reading.suffixes:
        return None
    return window.match(window.speaker.ordinal(found[1], window.context.last))


def fraction(window: Window) -> Match | None:
    """``1/2``, ``2½``, ``2 1/2``, ``4.5/5``, ``24/7``, ``5'10"``."""
    word, speaker, reading = window.word, window.speaker, window.speaker.reading
    core = word.core
    if core == "24/7" and reading.always:
        return window.match(reading.always)
    mixed = _MIXED.fullmatch(core)
    if mixed and _VULGAR[mixed[2]] in reading.fractions:
        return window.match(_mixed(speaker, mixed[1], _VULGAR[mixed[2]]))
    if core in reading.fractions:
        return window.match(reading.fractions[core])
    if core.isdecimal() and len(core) < 4:
        following = window.joined(1)
        if following is not None and following.core in reading.fractions:
            return window.match(_mixed(speaker, core, following.core), 2)
        return None
    height = _HEIGHT.fullmatch(core)
    if height and "ft" in reading.units and (height[2] or word.trail[:1] not in ("", ",", ".")):
        feet = speaker.counted(height[1], reading.units["ft"])
        inches = f" {speaker.whole(height[2])}" if height[2] else ""
        return window.match(feet + inches, trail=word.trail.lstrip('"”'))
    ratio = re.fullmatch(r"(\d+):(\d+)", core)
    if ratio:
        return window.match(f"{speaker.whole(ratio[1])} {reading.to} {speaker.whole(ratio[2])}")
    found = _SLASHED.fullmatch(core)
    if not found or not reading.out_of:
        return None
    return window.match(f"{speaker.number(found[1])} {reading.out_of} {speaker.whole(found[2])}")


def _mixed(speaker: Speaker, whole: str, part: str) -> str:
    reading = speaker.reading
    said = reading.fractions[part]
    if not whole or int(whole) == 0:
        return said
    if part == "1/2" and said.startswith("one "):
        said = "a half"
    return " ".join(filter(None, [speaker.whole(whole), reading.half_after, said]))
