"""What the agent's last question asks for, and whether an answer gives it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from voiceloop.grammar import AskedFor, NumberWords
from voiceloop.turns.cue_words import phrases, words
from voiceloop.turns.expect import Expect

__all__ = ["Asked", "asked_for"]

Wanted = Literal["nothing", "yes or no", "short", "number", "digits", "spelled", "date", "long"]

_LOOKED_AT = 400
"""Characters of what the agent said, its last ones, that are looked at."""
_SENTENCES = re.compile(r"(?<=[.!?;:])\s+")
_SMALL = {str(n): n for n in range(1, 20)}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller is to give."""

    wanted: Wanted = "nothing"
    figures: tuple[int, int] | None = None
    """For digits: the fewest and the most."""
    announced: bool = False
    """Whether the bot said so with ``call.expect``, so that nothing is guessed."""


_EXPECTED: dict[str, Wanted] = {
    "yes or no": "yes or no",
    "short": "short",
    "digits": "digits",
    "spelled": "spelled",
    "date": "date",
    "long": "long",
}


def asked_for(asked: str, expected: Expect | None, table: AskedFor, numbers: NumberWords) -> Asked:
    """What the caller is to give: what the bot expects, else what the agent's last sentence asks for.

    Args:
        asked: what the agent said last.
        expected: what the bot said would come.
        table: words of the language that ask for something.
        numbers: to read "four-digit code".
    """
    if expected is not None and expected.kind in _EXPECTED:
        return Asked(_EXPECTED[expected.kind], expected.figures, True)
    return _read(asked[-_LOOKED_AT:], table, numbers) if asked else Asked()


@lru_cache(maxsize=256)
def _read(asked: str, table: AskedFor, numbers: NumberWords) -> Asked:
    sentences = _SENTENCES.split(asked.strip())
    last = sentences[-1]
    said = words(last)
    question = last.rstrip().endswith("?") or last.lstrip().startswith("¿")
    if not said:
        return Asked()
    if figures := _digits(said, table, numbers):
        return Asked("digits", figures)
    text = f" {' '.join(said)} "
    for wanted, cues in (("spelled", table.spelled), ("long", table.story), ("number", table.quantity)):
        if any(f" {cue} " in text for cue in phrases(cues).all):
            return Asked(wanted)  # type: ignore[arg-type]
    if not question:
        return Asked()
    which, either = phrases(table.which), phrases(table.either)
    for word in said[:4]:  # "and what size", "okay, would you like"
        if word in which:
            return Asked("short")
        if word in either:
            return Asked("yes or no")
    return Asked("short" if any(word in which for word in said) else "yes or no")


def _digits(said: list[str], table: AskedFor, numbers: NumberWords) -> tuple[int, int] | None:
    digit = phrases(table.digit)
    for before, word in pairwise(said):
        if word in digit and (count := _SMALL.get(before) or _COUNTS.get(before)):
            return count, count
    text = f" {' '.join(said)} "
    for cue, fewest, most in table.digits:
        if f" {cue} " in text:
            return fewest, most
    return None


_COUNTS = {
    word: n
    for n, names in enumerate(
        (
            "one", "two", "three drei tres trois tre drie três", "four vier cuatro quatre quattro quatro",
            "five fünf cinco cinq cinque vijf", "six sechs seis sei zes", "seven sieben siete sept sette zeven sete",
            "eight acht ocho huit otto oito", "nine neun nueve neuf nove negen", "ten zehn diez dix dieci tien dez",
            "eleven elf", "twelve zwölf doce douze dodici twaalf doze",
        ),
        start=1,
    )
    for word in names.split()
}  # fmt: skip
