"""How German is read aloud."""

from __future__ import annotations

from voiceloop.text.reading import Currency, Reading, Unit, words

__all__ = ["READING"]

_CENT = Unit("ein Cent", "Cent")
_EURO = Currency(Unit("ein Euro", "Euro"), _CENT)
_DOLLAR = Currency(Unit("ein Dollar", "Dollar"), _CENT)
_POUND = Currency(Unit("ein Pfund", "Pfund"), Unit("ein Penny", "Pence"))
_FRANC = Currency(Unit("ein Franken", "Franken"), Unit("ein Rappen", "Rappen"))
_UNITS = {
    symbol: unit
    for symbols, unit in {
        "kg": Unit("ein Kilogramm", "Kilogramm"),
        "g": Unit("ein Gramm", "Gramm"),
        "mg": Unit("ein Milligramm", "Milligramm"),
        "km": Unit("ein Kilometer", "Kilometer"),
        "m": Unit("ein Meter", "Meter"),
        "cm": Unit("ein Zentimeter", "Zentimeter"),
        "mm": Unit("ein Millimeter", "Millimeter"),
        "m² qm": Unit("ein Quadratmeter", "Quadratmeter"),
        "l L": Unit("ein Liter", "Liter"),
        "ml": Unit("ein Milliliter", "Milliliter"),
        "km/h": Unit("ein Kilometer pro Stunde", "Kilometer pro Stunde"),
        "Std h": Unit("eine Stunde", "Stunden", feminine=True),
        "Min min": Unit("eine Minute", "Minuten", feminine=True),
        "Sek s": Unit("eine Sekunde", "Sekunden", feminine=True),
        "°": Unit("ein Grad", "Grad"),
        "°C": Unit("ein Grad Celsius", "Grad Celsius"),
        "MB": Unit("ein Megabyte", "Megabyte"),
        "GB": Unit("ein Gigabyte", "Gigabyte"),
        "Stk": Unit("ein Stück", "Stück"),
    }.items()
    for symbol in words(symbols)
}
_MONTHS = words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")

READING = Reading(
    code="de",
    months=tuple(_MONTHS),
    point="Komma",
    minus="minus",
    plus="plus",
    about="etwa",
    to="bis",
    by="mal",
    times="mal",
    per="pro",
    percent="Prozent",
    number="Nummer",
    at="at",
    dot="Punkt",
    slash="Schrägstrich",
    dash="Minus",
    underscore="Unterstrich",
    and_="und",
    equals="gleich",
    hours="spellout-cardinal-masculine",
    ordinal="spellout-ordinal-r",
    ordinal_after=dict.fromkeys(words("am vom zum dem den bis im ab beim seit nach vor"), "spellout-ordinal-n")
    | dict.fromkeys(words("der die das"), "spellout-ordinal"),
    decimal=",",
    group=".",
    dotted_days=True,
    months_short={"Jan": 1, "Feb": 2, "Mär": 3, "Apr": 4, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Sept": 9,
                  "Okt": 10, "Nov": 11, "Dez": 12},
    weekdays_unsure={"Mo": "Montag", "Di": "Dienstag", "Mi": "Mittwoch", "Do": "Donnerstag", "Fr": "Freitag",
                     "Sa": "Samstag", "So": "Sonntag"},
    clock="{hour} Uhr {minute}",
    oclock="{hour} Uhr",
    clock_words=("uhr",),
    currencies={"€": _EURO, "EUR": _EURO, "$": _DOLLAR, "USD": _DOLLAR, "£": _POUND, "GBP": _POUND, "CHF": _FRANC,
                "Fr": _FRANC},
    big=("tausend", "million", "millionen", "milliarde", "milliarden"),
    units=_UNITS,
    fractions={"1/2": "ein halb", "1/3": "ein Drittel", "2/3": "zwei Drittel", "1/4": "ein Viertel",
               "3/4": "drei Viertel"},
    half_after="und",
    always="rund um die Uhr",
    out_of="von",
    abbreviations={"z.b": "zum Beispiel", "d.h": "das heißt", "u.a": "unter anderem", "hr": "Herr", "fr": "Frau",
                   "dr": "Doktor", "prof": "Professor", "ca": "circa", "bzw": "beziehungsweise", "inkl": "inklusive",
                   "zzgl": "zuzüglich", "evtl": "eventuell", "ggf": "gegebenenfalls", "st": "Sankt", "max": "maximal",
                   "mind": "mindestens", "vgl": "vergleiche"},
    abbreviations_last={"usw": "und so weiter", "str": "Straße", "etc": "et cetera", "tel": "Telefon"},
    dotted=frozenset(words("hr fr ca max mind st str tel")),
    numbered={"nr": "Nummer", "tel": "Telefon", "str": "Straße"},
    code_words=frozenset(words("bestellnummer kundennummer auftragsnummer rechnungsnummer nummer code pin plz flug "
                         "zimmer nr")),
    phone_words=frozenset(words("telefon tel ruf wählen wähle unter telefonnummer")),
    year_words=frozenset(words("jahr seit bis im ab von um vor nach")),
    trunk="0",
)  # fmt: skip
