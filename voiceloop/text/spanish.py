"""How Spanish is read aloud."""

from __future__ import annotations

from voiceloop.text.reading import Currency, Reading, Unit, words

__all__ = ["READING"]

_CENT = Unit("un centavo", "centavos")
_EURO = Currency(Unit("un euro", "euros"), Unit("un céntimo", "céntimos"))
_DOLLAR = Currency(Unit("un dólar", "dólares"), _CENT)
_POUND = Currency(Unit("una libra", "libras", feminine=True), Unit("un penique", "peniques"))
_PESO = Currency(Unit("un peso", "pesos"), _CENT)
_UNITS = {
    symbol: unit
    for symbols, unit in {
        "kg": Unit("un kilo", "kilos"),
        "g": Unit("un gramo", "gramos"),
        "mg": Unit("un miligramo", "miligramos"),
        "km": Unit("un kilómetro", "kilómetros"),
        "m": Unit("un metro", "metros"),
        "cm": Unit("un centímetro", "centímetros"),
        "mm": Unit("un milímetro", "milímetros"),
        "m²": Unit("un metro cuadrado", "metros cuadrados"),
        "l L": Unit("un litro", "litros"),
        "ml": Unit("un mililitro", "mililitros"),
        "km/h": Unit("un kilómetro por hora", "kilómetros por hora"),
        "min": Unit("un minuto", "minutos"),
        "seg s": Unit("un segundo", "segundos"),
        "°": Unit("un grado", "grados"),
        "°C ºC": Unit("un grado centígrado", "grados centígrados"),
        "MB": Unit("un megabyte", "megabytes"),
        "GB": Unit("un gigabyte", "gigabytes"),
    }.items()
    for symbol in words(symbols)
}

READING = Reading(
    code="es",
    months=tuple(words("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")),
    point="coma",
    minus="menos",
    plus="más",
    about="unos",
    to="a",
    by="por",
    times="por",
    per="por",
    percent="por ciento",
    number="número",
    at="arroba",
    dot="punto",
    slash="barra",
    dash="guion",
    underscore="guion bajo",
    and_="y",
    equals="igual a",
    hours="spellout-cardinal-feminine",
    ordinal="spellout-ordinal-masculine",
    decimal=",",
    group=".",
    suffixes=("º", "°", "er", "o"),
    days="cardinal",
    first_day="primero",
    date="{day} de {month}",
    date_year="{date} de {year}",
    clock="{hour} {minute}",
    oclock="{hour} en punto",
    clock_words=("h", "hrs", "horas"),
    halves={"am": "a eme", "pm": "pe eme", "a.m": "a eme", "p.m": "pe eme"},
    currencies={"€": _EURO, "EUR": _EURO, "$": _DOLLAR, "USD": _DOLLAR, "£": _POUND, "GBP": _POUND, "MXN": _PESO},
    money="{whole} con {part}",
    big=("mil", "millón", "millones"),
    big_of="de ",
    units=_UNITS,
    fractions={"1/2": "medio", "1/3": "un tercio", "2/3": "dos tercios", "1/4": "un cuarto", "3/4": "tres cuartos"},
    half_after="y",
    always="las veinticuatro horas",
    out_of="de",
    abbreviations={"sr": "señor", "sra": "señora", "srta": "señorita", "dr": "doctor", "dra": "doctora",
                   "p.ej": "por ejemplo", "ud": "usted", "uds": "ustedes", "aprox": "aproximadamente",
                   "avda": "avenida", "av": "avenida"},
    abbreviations_last={"etc": "etcétera", "tel": "teléfono"},
    dotted=frozenset(["av", "tel"]),
    numbered={"n.º": "número", "nº": "número", "núm": "número", "no": "número", "tel": "teléfono"},
    code_words=frozenset(words("pedido número código reserva referencia factura pin vuelo cuenta")),
    phone_words=frozenset(words("llame llama llamar teléfono tel marque marca")),
    year_words=frozenset(words("en desde hasta año del de")),
    phone_groups=((3, 3, 3), (3, 2, 2, 2), (2, 3, 2, 2)),
)  # fmt: skip
