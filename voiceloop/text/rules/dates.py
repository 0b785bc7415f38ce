"""Dates, in figures and with the name of a month, and years."""

from __future__ import annotations

import re

from voiceloop.text.window import Match, Window
from voiceloop.text.words import Word

__all__ = ["date", "day_or_year", "month", "weekday", "year"]

_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T.*)?")
_SLASHED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})(?:\2(\d{4}|\d{2}))?")
_DAYS = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|º)?(?:[-–](\d{1,2})(?:st|nd|rd|th)?)?")
_YEARS = re.compile(r"(1[1-9]\d\d|20\d\d)(?:[-–](1[1-9]\d\d|20\d\d|\d\d))?")
_LONG = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _possible(day: int, month: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= _LONG[month - 1]


def date(window: Window) -> Match | None:
    """``2026-11-23``, ``11/23/2026``, ``11/23``, ``23.11.2026``."""
    word, speaker, context = window.word, window.speaker, window.context
    found = _ISO.fullmatch(word.core)
    if found:
        if not _possible(int(found[3]), int(found[2])):
            return None
        return window.match(speaker.date(int(found[3]), int(found[2]), found[1], context.last), kind="date")
    found = _SLASHED.fullmatch(word.core)
    reading = speaker.reading
    if not found or (found[2] == "-" and not (found[4] and len(found[4]) == 4)):
        return None
    first, second, dated = int(found[1]), int(found[3]), context.near(reading.date_words, 1)
    if not found[4]:
        if found[2] == "." and not (reading.dotted_days and word.trail.startswith(".")):
            return None
        if found[2] == "/" and (word.core in reading.fractions or second < 2 or first == second) and not dated:
            return None
    day, month = (first, second) if reading.day_first or found[2] == "." else (second, first)
    if not _possible(day, month):
        day, month = month, day
        if not _possible(day, month) or not found[4]:
            return None
    trail = word.trail
    if found[2] == "." and not found[4]:
        trail = window.stop()
    return window.match(speaker.date(day, month, found[4] or "", context.last), kind="date", trail=trail)


def month(window: Window) -> Match | None:
    """A short name of a month before a number; any month is noted for the number behind it."""
    word, reading = window.word, window.speaker.reading
    if word.core in reading.months:
        return window.match(word.core, kind="month")
    number = reading.months_short.get(word.core)
    if number is None or word.trail not in ("", "."):
        return None
    following = window.peek(1)
    if following is None or following.lead or not following.core[:1].isdecimal():
        return None
    return window.match(reading.months[number - 1], kind="month", trail="")


def _month_of(window: Window, word: Word | None) -> tuple[str, str] | None:
    """The month that a word names, and the punctuation behind it."""
    reading = window.speaker.reading
    if word is None or word.lead:
        return None
    if word.core in reading.months:
        return word.core, word.trail
    number = reading.months_short.get(word.core)
    return (reading.months[number - 1], word.trail.removeprefix(".")) if number else None


def day_or_year(window: Window) -> Match | None:
    """Numbers beside the name of a month: ``Nov 23, 2026``, ``23 November``, ``23. November``."""
    word, speaker, context = window.word, window.speaker, window.context
    reading, days = speaker.reading, _DAYS.fullmatch(word.core)
    day_behind = reading.code == "en" or not reading.day_first
    if context.kind == "month" and days and int(days[1]) <= 31 and day_behind:
        said = [speaker.day(days[1])] + ([speaker.day(days[2])] if days[2] else [])
        return window.match(f" {reading.to} ".join(said), kind="day")
    years = _YEARS.fullmatch(word.core)
    if years and context.kind in ("month", "day") and context.trail in ("", ",") and not years[2]:
        return window.match(speaker.year(years[1]), kind="year")
    if not days or int(days[1]) > 31 or int(days[1]) == 0 or reading.days != "ordinal":
        return _cardinal_day(window, days) if days else None
    if reading.dotted_days:
        named = _month_of(window, window.peek(1)) if word.trail == "." else None
    else:
        named = _month_of(window, window.joined(1))
    if named is None:
        return None
    said = [speaker.day(part, context.last) for part in days.groups() if part]
    spoken = reading.written_day_first.format(day=f" {reading.to} ".join(said), month=named[0])
    if context.last.lower() == "the":
        spoken = spoken.removeprefix("the ")
    return window.match(spoken, 2, "day", trail=named[1])


def _cardinal_day(window: Window, days: re.Match[str]) -> Match | None:
    """Where days are cardinal only the first of a month is special: ``1 de enero``, ``1er mai``."""
    reading = window.speaker.reading
    if reading.days == "ordinal" or int(days[1]) != 1 or days[2] or not reading.first_day:
        return None
    following = window.joined(1)
    if following is not None and following.core.lower() == "de":
        following = window.joined(2)
    if following is None or following.core.lower() not in {name.lower() for name in reading.months}:
        return None
    return window.match(reading.first_day)


def year(window: Window) -> Match | None:
    """Four figures: from 1900 a year unless something is counted, before it after words such as "in"."""
    word, speaker = window.word, window.speaker
    found = _YEARS.fullmatch(word.core)
    if not found or window.context.near(speaker.reading.code_words, 2):
        return None
    if int(found[1]) < 1900 and not window.context.near(speaker.reading.year_words, 1):
        return None
    if found[2]:
        if len(found[2]) == 2 and int(found[1][2:]) >= int(found[2]):
            return None
        end = speaker.year(found[2]) if len(found[2]) == 4 else speaker.whole(found[2])
        return window.match(f"{speaker.year(found[1])} {speaker.reading.to} {end}", kind="year")
    following = window.joined(1)
    if following is not None and _counted(following.core) and not window.context.near(speaker.reading.year_words, 1):
        return None
    return window.match(speaker.year(found[1]), kind="year")


def _counted(word: str) -> bool:
    """Whether a word looks like something that is counted: "2000 people", "2024 points"."""
    return word in ("people", "men", "women", "children") or (word.islower() and len(word) > 3 and word.endswith("s"))


def weekday(window: Window) -> Match | None:
    """``Mon``, ``Mon-Fri``, ``Sat 10am``."""
    word, reading = window.word, window.speaker.reading
    names = {**reading.weekdays_unsure, **reading.weekdays_short}
    parts = re.split("[-–]", word.core)
    if len(parts) == 2 and all(part in names for part in parts):
        return window.match(f"{names[parts[0]]} {reading.to} {names[parts[1]]}", trail=_without_stop(window))
    if word.core in reading.weekdays_short:
        return window.match(reading.weekdays_short[word.core], trail=_without_stop(window))
    if word.core not in reading.weekdays_unsure:
        return None
    following = window.peek(1)
    dated = following is not None and (
        following.core[:1].isdecimal()
        or (word.trail != "" and following.core in {*reading.months, *reading.months_short})
    )
    if following is not None and following.core in ("-", "–"):
        after = window.peek(2)
        dated = after is not None and after.core in names
    return window.match(names[word.core], trail=word.trail.removeprefix(".")) if dated else None


def _without_stop(window: Window) -> str:
    return window.stop() if window.word.trail.startswith(".") else window.word.trail
