"""How a language is read aloud: all of its words and forms in one object, so that another language is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import import_module

__all__ = ["LANGUAGES", "Currency", "Reading", "Unit", "reading_for", "words"]

LANGUAGES = {"en": "english", "de": "german", "es": "spanish", "fr": "french"}
"""Languages that come with the library, and the module of each."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, for tables that are read more easily so."""
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Unit:
    """What follows a number."""

    one: str
    """With the number one in front: ``one hour``, ``une heure``."""
    many: str
    """Behind any other number: ``hours``."""
    feminine: bool = False
    """Whether numbers before it take the feminine form."""


@dataclass(frozen=True, slots=True)
class Currency:
    """Money: the unit, and its hundredth part if it has one."""

    whole: Unit
    part: Unit | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One language. Copy one with `dataclasses.replace` to change what you like."""

    code: str
    """Language of the number words, as in CLDR: ``en``."""
    months: tuple[str, ...]
    """January to December."""
    point: str
    """Between a whole number and its decimals."""
    minus: str
    plus: str
    about: str
    """For ``~5``."""
    to: str
    """Between the ends of a range."""
    by: str
    """Between the sides of ``4x6``."""
    times: str
    per: str
    percent: str
    number: str
    """For ``#5``."""
    at: str
    """In an e-mail address."""
    dot: str
    slash: str
    dash: str
    underscore: str
    and_: str
    """For ``&``."""
    equals: str
    counting: str = "spellout-cardinal-masculine"
    """Rule set of numbers before a noun."""
    counting_feminine: str = "spellout-cardinal-feminine"
    numbering: str = "spellout-numbering"
    """Rule set of a number alone."""
    year: str = "spellout-numbering-year"
    ordinal: str = "spellout-ordinal"
    ordinal_after: Mapping[str, str] = field(default_factory=dict)
    """Rule set of an ordinal behind one of these words, where another one holds: German ``am``."""
    hyphens: bool = True
    """Whether number words keep their hyphens."""
    decimal: str = "."
    group: str = ","
    """Characters that may stand between thousands."""
    spaced_groups: bool = False
    """Whether a space may stand between thousands too."""
    suffixes: tuple[str, ...] = ()
    """What a written ordinal ends with: ``st``, ``nd``."""
    dotted_days: bool = False
    """Whether a day of the month is written with a full stop: ``23. November``."""
    days: str = "ordinal"
    """``ordinal`` or ``cardinal``: how a day of the month is read."""
    first_day: str = ""
    """How the first is read where days are cardinal and the first is not."""
    day_first: bool = True
    """Whether ``3/4`` is the third of April."""
    date: str = "{day} {month}"
    """A date written in figures; fields ``day`` and ``month``."""
    date_year: str = "{date} {year}"
    written_day_first: str = "{day} {month}"
    """A date written ``23 November``; the default is that order."""
    months_short: Mapping[str, int] = field(default_factory=dict)
    """Short names of months, with a capital where they have one; 1 to 12."""
    weekdays_short: Mapping[str, str] = field(default_factory=dict)
    """Read so wherever they stand."""
    weekdays_unsure: Mapping[str, str] = field(default_factory=dict)
    """Also words of their own: read so before a number and in a range."""
    clock: str = "{hour} {minute}"
    oclock: str = "{hour}"
    """A full hour."""
    oclock_late: str = ""
    """A full hour after twelve, if it is said otherwise."""
    hours: str = "spellout-numbering"
    """Rule set of the hour."""
    oh: str = ""
    """Before a minute below ten."""
    hour: Unit | None = None
    """Where the hour is counted: French ``quinze heures trente``."""
    clock_words: tuple[str, ...] = ()
    """Words that follow a time and are part of the forms above already."""
    halves: Mapping[str, str] = field(default_factory=dict)
    """Of the day: ``pm`` is read ``p m``."""
    currencies: Mapping[str, Currency] = field(default_factory=dict)
    """By sign and by ISO code."""
    money: str = "{whole} {part}"
    big: tuple[str, ...] = ()
    """Words such as million, which stand between a number and its currency."""
    big_of: str = ""
    """Between such a word and the currency: French ``d'``."""
    magnitudes: Mapping[str, str] = field(default_factory=dict)
    """Letters behind an amount of money: ``k``."""
    units: Mapping[str, Unit] = field(default_factory=dict)
    """By symbol, as it is written."""
    fractions: Mapping[str, str] = field(default_factory=dict)
    """``1/2``."""
    half_after: str = ""
    """Between a whole number and a fraction: ``and``."""
    always: str = ""
    """How ``24/7`` is read."""
    out_of: str = ""
    """For ``4.5/5``."""
    decade: str = ""
    """Ending of a decade's last word: ``1990s``, and the letter it is written with."""
    abbreviations: Mapping[str, str] = field(default_factory=dict)
    """In small letters, without the last full stop, which is dropped; ones that stand before something."""
    abbreviations_last: Mapping[str, str] = field(default_factory=dict)
    """The same for ones that may end a sentence: the full stop stays if a capital follows."""
    dotted: frozenset[str] = frozenset()
    """Those of both that are words without a full stop: ``no``, ``co``."""
    numbered: Mapping[str, str] = field(default_factory=dict)
    """Abbreviations before a number: ``No. 5``."""
    street_or_title: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Behind a name, and before one: ``st`` is Street and Saint."""
    code_words: frozenset[str] = frozenset()
    """Words before a number that is said figure by figure if it has four or more."""
    phone_words: frozenset[str] = frozenset()
    """Words before a telephone number, however short."""
    date_words: frozenset[str] = frozenset()
    """Words after which ``3/4`` is a date rather than a fraction."""
    year_words: frozenset[str] = frozenset()
    """Words after which four figures are a year, also before 1900."""
    phone_groups: tuple[tuple[int, ...], ...] = ()
    """Lengths of groups of figures that are a telephone number without further signs."""
    trunk: str = ""
    """What a national telephone number begins with, if anything."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Whole words that are read otherwise: ``w/o``."""


@lru_cache(maxsize=32)
def reading_for(language: str) -> Reading | None:
    """The reading of a language by its BCP-47 tag, such as ``en-GB``; None for one that the library cannot read."""
    code, _, rest = language.replace("_", "-").lower().partition("-")
    module = LANGUAGES.get(code)
    if module is None:
        return None
    reading: Reading = import_module(f"voiceloop.text.{module}").READING
    if code == "en" and rest and rest not in ("us", "ph", "latn-us"):
        reading = replace(reading, day_first=True, date="the {day} of {month}", phone_groups=(), trunk="0")
    return reading
