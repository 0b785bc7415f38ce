"""How French is read aloud."""

from __future__ import annotations

from voiceloop.text.reading import Currency, Reading, Unit, words

__all__ = ["READING"]

_CENT = Unit("un centime", "centimes")
_EURO = Currency(Unit("un euro", "euros"), _CENT)
_DOLLAR = Currency(Unit("un dollar", "dollars"), Unit("un cent", "cents"))
_POUND = Currency(Unit("une livre", "livres", feminine=True), Unit("un penny", "pence"))
_FRANC = Currency(Unit("un franc suisse", "francs suisses"), _CENT)
_UNITS = {
    symbol: unit
    for symbols, unit in {
        "kg": Unit("un kilo", "kilos"),
        "g": Unit("un gramme", "grammes"),
        "mg": Unit("un milligramme", "milligrammes"),
        "km": Unit("un kilomètre", "kilomètres"),
        "m": Unit("un mètre", "mètres"),
        "cm": Unit("un centimètre", "centimètres"),
        "mm": Unit("un millimètre", "millimètres"),
        "m²": Unit("un mètre carré", "mètres carrés"),
        "l L": Unit("un litre", "litres"),
        "ml": Unit("un millilitre", "millilitres"),
        "km/h": Unit("un kilomètre à l'heure", "kilomètres à l'heure"),
        "min mn": Unit("une minute", "minutes", feminine=True),
        "s": Unit("une seconde", "secondes", feminine=True),
        "°": Unit("un degré", "degrés"),
        "°C": Unit("un degré Celsius", "degrés Celsius"),
        "Mo": Unit("un mégaoctet", "mégaoctets"),
        "Go": Unit("un gigaoctet", "gigaoctets"),
    }.items()
    for symbol in words(symbols)
}
_MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"

READING = Reading(
    code="fr",
    months=tuple(words(_MONTHS)),
    point="virgule",
    minus="moins",
    plus="plus",
    about="environ",
    to="à",
    by="sur",
    times="fois",
    per="par",
    percent="pour cent",
    number="numéro",
    at="arobase",
    dot="point",
    slash="barre oblique",
    dash="tiret",
    underscore="tiret bas",
    and_="et",
    equals="égale",
    ordinal="spellout-ordinal-masculine",
    decimal=",",
    group=".",
    spaced_groups=True,
    suffixes=("er", "re", "ère", "e", "ème", "nd", "nde"),
    days="cardinal",
    first_day="premier",
    clock="{hour} {minute}",
    oclock="{hour}",
    hour=Unit("une heure", "heures", feminine=True),
    clock_words=("h", "heures"),
    currencies={"€": _EURO, "EUR": _EURO, "$": _DOLLAR, "USD": _DOLLAR, "£": _POUND, "GBP": _POUND, "CHF": _FRANC},
    money="{whole} et {part}",
    big=("mille", "million", "millions", "milliard", "milliards"),
    big_of="de ",
    units=_UNITS,
    fractions={"1/2": "un demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart", "3/4": "trois quarts"},
    half_after="et",
    always="vingt-quatre heures sur vingt-quatre",
    out_of="sur",
    abbreviations={"m": "monsieur", "mme": "madame", "mlle": "mademoiselle", "dr": "docteur", "p.ex": "par exemple",
                   "env": "environ", "av": "avenue", "bd": "boulevard", "st": "saint"},
    abbreviations_last={"etc": "et cetera", "tél": "téléphone"},
    dotted=frozenset(["m", "av", "env", "st", "tél"]),
    numbered={"n°": "numéro", "no": "numéro", "nº": "numéro", "tél": "téléphone"},
    code_words=frozenset(words("commande numéro code réservation référence facture pin vol compte")),
    phone_words=frozenset(words("appelez appeler téléphone tél composez au")),
    year_words=frozenset(words("en depuis jusqu'en année")),
    trunk="0",
)  # fmt: skip
