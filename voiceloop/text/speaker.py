"""Says numbers of all kinds in the words of one language. Pure."""

from __future__ import annotations

import re

from voiceloop.text.numerals import LARGEST, Numerals, numerals
from voiceloop.text.reading import Currency, Reading, Unit

__all__ = ["Speaker"]

_GROUP = 4
"""Figures said in one breath; longer numbers are cut into threes."""


class Speaker:
    """A `Reading` with its number words."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.numerals: Numerals = numerals(reading)
        groups = re.escape(reading.group)
        thousands = rf"\d{{1,3}}(?:[{groups}]\d{{3}})+"
        self.NUMBER = rf"(?:{thousands}|\d+)(?:{re.escape(reading.decimal)}\d+)?|\d+\.\d+"
        """Pattern of a written number."""
        self._grouped = re.compile(rf"({thousands})(?:{re.escape(reading.decimal)}(\d+))?")
        self._plain = re.compile(rf"(\d+)(?:[{re.escape(reading.decimal)}.](\d+))?")

    def split(self, written: str) -> tuple[str, str]:
        """The figures of a number in front of its decimal sign, and behind it."""
        found = self._grouped.fullmatch(written)
        if found:
            return re.sub(r"\D", "", found[1]), found[2] or ""
        found = self._plain.fullmatch(written)
        if not found:
            return re.sub(r"\D", "", written), ""
        return found[1], found[2] or ""

    def whole(self, figures: str, rules: str | None = None) -> str:
        """A whole number; one with a nought in front, or a very long one, figure by figure."""
        if (len(figures) > 1 and figures[0] == "0") or int(figures) >= LARGEST:
            return self.figures(figures)
        return self.numerals.words(int(figures), rules or self.reading.numbering)

    def number(self, written: str, rules: str | None = None) -> str:
        """A number as it is written: ``1,250.5``."""
        whole, decimals = self.split(written)
        if not decimals:
            return self.whole(whole, rules)
        return f"{self.whole(whole)} {self.reading.point} {self.spelled(decimals)}"

    def spelled(self, figures: str) -> str:
        """Figure by figure, without a pause."""
        return " ".join(self.numerals.figures[int(figure)] for figure in figures)

    def figures(self, figures: str) -> str:
        """Figure by figure, in groups with a pause between."""
        if len(figures) <= _GROUP + 1:
            return self.spelled(figures)
        groups = [figures[at : at + 3] for at in range(0, len(figures), 3)]
        if len(groups[-1]) == 1:  # 3 3 4 rather than 3 3 3 1
            groups[-2:] = [groups[-2] + groups[-1]]
        return ", ".join(map(self.spelled, groups))

    def year(self, figures: str) -> str:
        """A year."""
        return self.numerals.words(int(figures), self.reading.year)

    def ordinal(self, figures: str, before: str = "") -> str:
        """A place in an order; `before` is the word in front of it."""
        rules = self.reading.ordinal_after.get(before.lower(), self.reading.ordinal)
        return self.numerals.words(int(figures), rules)

    def day(self, figures: str, before: str = "") -> str:
        """A day of the month."""
        if self.reading.days == "ordinal":
            return self.ordinal(figures, before)
        if int(figures) == 1 and self.reading.first_day:
            return self.reading.first_day
        return self.numerals.words(int(figures), self.reading.numbering)

    def counted(self, written: str, unit: Unit) -> str:
        """A number and what it counts."""
        if self.split(written) == ("1", ""):
            return unit.one
        rules = self.reading.counting_feminine if unit.feminine else self.reading.counting
        return f"{self.number(written, rules)} {unit.many}"

    def money(self, written: str, currency: Currency) -> str:
        """An amount: ``4.50``."""
        whole, decimals = self.split(written)
        part = decimals.ljust(2, "0") if len(decimals) <= 2 else ""
        if not decimals or part == "00":
            return self.counted(whole, currency.whole)
        if not part or currency.part is None:
            return self.counted(written, currency.whole)
        cents = self.counted(str(int(part)), currency.part)
        if int(whole) == 0:
            return cents
        return self.reading.money.format(whole=self.counted(whole, currency.whole), part=cents)

    def time(self, hour: str, minute: str = "", second: str = "") -> str:
        """A time of day."""
        reading = self.reading
        if reading.hour is not None:
            hours = self.counted(str(int(hour)), reading.hour)
        else:
            hours = self.numerals.words(int(hour), reading.hours)
        if minute in ("", "00") and not second:
            late = reading.oclock_late if not 1 <= int(hour) <= 12 else ""
            return (late or reading.oclock).format(hour=hours)
        spoken = reading.clock.format(hour=hours, minute=self.minute(minute))
        return f"{spoken} {self.minute(second)}" if second else spoken

    def minute(self, figures: str) -> str:
        """Minutes or seconds of a time."""
        said = self.numerals.words(int(figures), self.reading.numbering)
        return f"{self.reading.oh} {said}" if self.reading.oh and int(figures) < 10 else said

    def date(self, day: int, month: int, year: str = "", before: str = "") -> str:
        """A date written in figures. A year of two figures is one from 1970 to 2069."""
        said = self.reading.date.format(day=self.day(str(day), before), month=self.reading.months[month - 1])
        if not year:
            return said
        if len(year) == 2:
            year = ("19" if int(year) >= 70 else "20") + year
        return self.reading.date_year.format(date=said, year=self.year(year))
