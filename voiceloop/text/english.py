"""How English is read aloud. Dates are month first; `voiceloop.text.reading_for` turns them round for ``en-GB``."""

from __future__ import annotations

from voiceloop.text.reading import Currency, Reading, Unit, words

__all__ = ["READING"]


def _unit(one: str, many: str = "") -> Unit:
    return Unit(f"one {one}", many or f"{one}s")


_CENT = _unit("cent")
_DOLLAR = Currency(_unit("dollar"), _CENT)
_CURRENCIES = {
    "$": _DOLLAR,
    "US$": Currency(_unit("U S dollar"), _CENT),
    "CA$": Currency(_unit("Canadian dollar"), _CENT),
    "A$": Currency(_unit("Australian dollar"), _CENT),
    "USD": _DOLLAR,
    "CAD": Currency(_unit("Canadian dollar"), _CENT),
    "AUD": Currency(_unit("Australian dollar"), _CENT),
    "€": Currency(_unit("euro"), _CENT),
    "EUR": Currency(_unit("euro"), _CENT),
    "£": Currency(_unit("pound"), Unit("one penny", "pence")),
    "GBP": Currency(_unit("pound"), Unit("one penny", "pence")),
    "¥": Currency(_unit("yen", "yen")),
    "JPY": Currency(_unit("yen", "yen")),
    "₹": Currency(_unit("rupee"), Unit("one paisa", "paise")),
    "INR": Currency(_unit("rupee"), Unit("one paisa", "paise")),
    "CHF": Currency(_unit("Swiss franc"), _CENT),
    "¢": Currency(_CENT),
}
_UNITS = {
    symbol: unit
    for symbols, unit in {
        "kg Kg KG kgs": _unit("kilogram"),
        "g": _unit("gram"),
        "mg": _unit("milligram"),
        "lb lbs": _unit("pound"),
        "oz": _unit("ounce"),
        "km KM": _unit("kilometer"),
        "m": _unit("meter"),
        "cm": _unit("centimeter"),
        "mm": _unit("millimeter"),
        "mi": _unit("mile"),
        "ft": Unit("one foot", "feet"),
        "yd yds": _unit("yard"),
        "m² m2 sqm": _unit("square meter"),
        "sqft": Unit("one square foot", "square feet"),
        "l L": _unit("liter"),
        "ml mL": _unit("milliliter"),
        "km/h kmh kph": Unit("one kilometer per hour", "kilometers per hour"),
        "mph": Unit("one mile per hour", "miles per hour"),
        "h hr hrs": _unit("hour"),
        "min mins": _unit("minute"),
        "s sec secs": _unit("second"),
        "ms": _unit("millisecond"),
        "yr yrs": _unit("year"),
        "mo mos": _unit("month"),
        "wk wks": _unit("week"),
        "° deg": _unit("degree"),
        "°C ºC": Unit("one degree Celsius", "degrees Celsius"),
        "°F ºF": Unit("one degree Fahrenheit", "degrees Fahrenheit"),
        "kB KB": _unit("kilobyte"),
        "MB": _unit("megabyte"),
        "GB": _unit("gigabyte"),
        "TB": _unit("terabyte"),
        "Mbps Mbit/s": Unit("one megabit per second", "megabits per second"),
        "Gbps": Unit("one gigabit per second", "gigabits per second"),
        "Hz": Unit("one hertz", "hertz"),
        "kHz": Unit("one kilohertz", "kilohertz"),
        "MHz": Unit("one megahertz", "megahertz"),
        "GHz": Unit("one gigahertz", "gigahertz"),
        "V": _unit("volt"),
        "W": _unit("watt"),
        "kW": _unit("kilowatt"),
        "kWh": _unit("kilowatt hour"),
        "mAh": _unit("milliamp hour"),
        "kcal": _unit("kilocalorie"),
    }.items()
    for symbol in words(symbols)
}
_MONTHS = (
    words("January February March April May June July August September October November December")
)  # fmt: skip
_SHORT = {name[:3]: number for number, name in enumerate(_MONTHS, 1) if name != "May"} | {"Sept": 9}
_BEFORE = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "prof": "Professor", "rev": "Reverend", "gen": "General",
    "capt": "Captain", "sgt": "Sergeant", "lt": "Lieutenant", "hon": "Honorable", "vs": "versus",
    "approx": "approximately", "e.g": "for example", "i.e": "that is", "esp": "especially", "incl": "including",
    "cf": "compare", "mt": "Mount",
}  # fmt: skip
_LAST = {
    "etc": "et cetera", "jr": "Junior", "sr": "Senior", "inc": "Incorporated", "ltd": "Limited",
    "corp": "Corporation", "co": "Company", "ave": "Avenue", "blvd": "Boulevard", "rd": "Road", "ln": "Lane",
    "pkwy": "Parkway", "hwy": "Highway", "sq": "Square", "dept": "department", "est": "established",
}  # fmt: skip
_NUMBERED = {
    "no": "number", "nos": "numbers", "nr": "number", "apt": "apartment", "ext": "extension", "ste": "suite",
    "fig": "figure", "vol": "volume", "ch": "chapter", "sec": "section", "pg": "page", "p": "page", "pp": "pages",
    "rm": "room", "fl": "floor", "tel": "telephone", "ph": "phone", "max": "maximum", "min": "minimum",
    "hwy": "highway",
}  # fmt: skip

READING = Reading(
    code="en",
    months=tuple(_MONTHS),
    point="point",
    minus="minus",
    plus="plus",
    about="about",
    to="to",
    by="by",
    times="times",
    per="per",
    percent="percent",
    number="number",
    at="at",
    dot="dot",
    slash="slash",
    dash="dash",
    underscore="underscore",
    and_="and",
    equals="equals",
    counting="spellout-cardinal",
    counting_feminine="spellout-cardinal",
    hyphens=False,
    suffixes=("st", "nd", "rd", "th"),
    day_first=False,
    date="{month} {day}",
    date_year="{date}, {year}",
    written_day_first="the {day} of {month}",
    months_short=_SHORT,
    weekdays_short={"Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Thu": "Thursday", "Thur": "Thursday",
                    "Thurs": "Thursday", "Fri": "Friday"},
    weekdays_unsure={"Wed": "Wednesday", "Sat": "Saturday", "Sun": "Sunday"},
    oclock="{hour} o'clock",
    oclock_late="{hour} hundred",
    oh="oh",
    halves={"am": "a m", "pm": "p m", "a.m": "a m", "p.m": "p m"},
    currencies=_CURRENCIES,
    money="{whole} and {part}",
    big=("hundred", "thousand", "million", "billion", "trillion"),
    magnitudes={"k": "thousand", "m": "million", "mm": "million", "b": "billion", "bn": "billion", "t": "trillion"},
    units=_UNITS,
    fractions={
        "1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter", "3/4": "three quarters",
        "1/5": "one fifth", "2/5": "two fifths", "3/5": "three fifths", "4/5": "four fifths", "1/8": "one eighth",
        "3/8": "three eighths", "5/8": "five eighths", "7/8": "seven eighths", "1/10": "one tenth",
        "50/50": "fifty fifty",
    },
    half_after="and",
    always="twenty four seven",
    out_of="out of",
    decade="s",
    abbreviations=_BEFORE,
    abbreviations_last=_LAST,
    dotted=frozenset(words("gen lt hon esp incl cf mt rev inc co ave rd ln sq est corp")),
    numbered=_NUMBERED,
    street_or_title={"st": ("Street", "Saint"), "dr": ("Drive", "Doctor")},
    code_words=frozenset(
        words("order number no code confirmation reference ref account pin booking ticket invoice tracking policy case "
        "id zip postcode flight serial extension ext passcode reservation room suite ending box record claim")
    ),
    phone_words=frozenset(words("call dial phone telephone text tel fax")),
    date_words=frozenset(words("on by until till from since before after due dated through starting")),
    year_words=frozenset(words("in since of by year during before after until circa from to class")),
    phone_groups=((3, 3, 4), (1, 3, 3, 4), (3, 4)),
    extra={"w/": "with", "w/o": "without", "and/or": "and or", "b/c": "because",
           "c/o": "care of", "n/a": "not available"},
)  # fmt: skip
