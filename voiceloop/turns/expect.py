"""What a bot expects the caller to say next: a hint for how long to wait after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from voiceloop.errors import VoiceloopError

__all__ = ["Expect", "ExpectError"]

Kind = Literal["anything", "yes or no", "short", "digits", "spelled", "date", "long"]

_MOST_DIGITS = 64
_LONGEST_PAUSE = 30.0

_PHONE: dict[str, tuple[int, int]] = {
    "AT": (7, 13), "AU": (9, 10), "BE": (9, 10), "BR": (10, 11), "CA": (10, 11), "CH": (9, 10), "DE": (7, 12),
    "ES": (9, 9), "FR": (9, 10), "GB": (10, 11), "IE": (9, 10), "IN": (10, 11), "IT": (8, 11), "MX": (10, 10),
    "NL": (9, 10), "PT": (9, 9), "US": (10, 11),
}  # fmt: skip
"""Figures of a national number, with and without the figure that is dialled before it within the country ("0", in
North America "1"), by the countries' numbering plans as published with ITU-T E.164."""
_ANY_PHONE = (7, 15)
"""E.164 has at most fifteen figures; fewer than seven are no public number of a subscriber."""


class ExpectError(VoiceloopError, ValueError):
    """A hint that cannot be followed: no such kind, an impossible count or pause."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What the next turn of the caller will be like. Given with ``call.expect(...)``; holds until that turn is over.

    Build one with the functions below, such as ``Expect.phone_number()`` or ``Expect.long_story()``. It only bends how
    long a silence is waited for: a caller who says something else is understood all the same.
    """

    kind: Kind = "anything"
    figures: tuple[int, int] | None = None
    """For ``digits``: the fewest and the most there can be."""
    seconds: float | None = None
    """Seconds of silence that end the turn whatever was said, in place of all other rules; None for the rules."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ExpectError(f"expected a kind of {', '.join(get_args(Kind))}; got {self.kind!r}")
        if (self.kind == "digits") != (self.figures is not None):
            raise ExpectError(
                f"a count of figures belongs to kind 'digits' and to no other, got kind {self.kind!r} with figures "
                f"{self.figures!r}: build one with Expect.digits(4) or Expect.digits((4, 6))"
            )
        if self.figures is not None:
            _check(self.figures)
        if self.seconds is not None and not 0 < self.seconds <= _LONGEST_PAUSE:
            raise ExpectError(f"expected a pause above 0 and up to {_LONGEST_PAUSE:g} seconds, got {self.seconds!r}")

    @classmethod
    def anything(cls) -> Expect:
        """Nothing special: the same as no hint."""
        return cls()

    @classmethod
    def yes_or_no(cls) -> Expect:
        """A yes or a no, or little more."""
        return cls("yes or no")

    @classmethod
    def short_answer(cls) -> Expect:
        """A word or a few: a size, a colour, a city."""
        return cls("short")

    @classmethod
    def digits(cls, count: int | tuple[int, int]) -> Expect:
        """So many figures.

        Args:
            count: how many, or the fewest and the most: an order number of six to eight is ``digits((6, 8))``.

        Raises:
            ExpectError: fewer than 1, more than 64, or the wrong way round.
        """
        return cls("digits", (count, count) if type(count) is int else count)  # type: ignore[arg-type]

    @classmethod
    def phone_number(cls, country: str | None = "US") -> Expect:
        """A telephone number.

        Args:
            country: two letters of ISO 3166; numbers differ in length. None for any country.

        Raises:
            ExpectError: a country that is not in the table: use ``Expect.digits``.
        """
        if country is None:
            return cls("digits", _ANY_PHONE)
        found = _PHONE.get(country.upper()) if isinstance(country, str) else None
        if found is None:
            raise ExpectError(
                f"expected a country of {', '.join(_PHONE)}, or None for any; got {country!r}: for others say how "
                "many figures there can be, as in Expect.digits((8, 10))"
            )
        return cls("digits", found)

    @classmethod
    def card_number(cls) -> Expect:
        """The number of a payment card: 13 to 19 figures (ISO/IEC 7812), nearly always 15 or 16."""
        return cls("digits", (15, 16))

    @classmethod
    def spelled(cls) -> Expect:
        """Something spelled, letter by letter: a name, a booking code, an e-mail address."""
        return cls("spelled")

    @classmethod
    def date(cls) -> Expect:
        """A day: "tomorrow", "the third of May"."""
        return cls("date")

    @classmethod
    def long_story(cls) -> Expect:
        """Several sentences, with time to think between them: a complaint, a description."""
        return cls("long")

    @classmethod
    def pause(cls, seconds: float) -> Expect:
        """So much silence ends the turn, whatever was said.

        Raises:
            ExpectError: not above 0, or longer than half a minute.
        """
        return cls(seconds=seconds)

    @classmethod
    def named(cls, name: str) -> Expect:
        """By plain words, for tools that models call: "phone number", "4 digits", "yes or no".

        Raises:
            ExpectError: there is no such name; the message lists what there is.
        """
        plain = " ".join(str(name).lower().replace("_", " ").replace("-", " ").split())
        if plain in _NAMED:
            return _NAMED[plain]
        count, _, unit = plain.partition(" ")
        if unit in ("digits", "digit") and count.isdecimal() and len(count) <= 2:
            return cls.digits(int(count))
        raise ExpectError(f"expected one of {', '.join(_NAMED)} or, with any number, '4 digits'; got {name!r:.60}")


def _check(figures: tuple[int, int]) -> None:
    counted = isinstance(figures, tuple) and len(figures) == 2 and all(type(each) is int for each in figures)
    if not counted or not 1 <= figures[0] <= figures[1] <= _MOST_DIGITS:
        raise ExpectError(
            f"expected a count of digits, or the fewest and the most, from 1 to {_MOST_DIGITS}; got {figures!r}"
        )


_NAMED: dict[str, Expect] = {
    "anything": Expect.anything(),
    "yes or no": Expect.yes_or_no(),
    "short answer": Expect.short_answer(),
    "phone number": Expect.phone_number(None),
    "card number": Expect.card_number(),
    "spelled name": Expect.spelled(),
    "email address": Expect.spelled(),
    "date": Expect.date(),
    "long story": Expect.long_story(),
}
