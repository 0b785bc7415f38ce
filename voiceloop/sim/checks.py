"""Arguments that are none: said where they are given, since later they look like a fault of the bot."""

from __future__ import annotations

from math import isfinite
from numbers import Real

__all__ = ["check_number", "check_seconds"]


def check_seconds(given_to: str, value: object) -> None:
    """Refuse what is no length of time.

    Args:
        given_to: who takes it, as the error begins: ``CarrierOptions: jitter must be``.
        value: what was given.

    Raises:
        ValueError: it is negative, or not finite.
        TypeError: it is no number.
    """
    check_number(given_to, value, "a number of seconds")


def check_number(given_to: str, value: object, kind: str = "a number") -> None:
    """Refuse what is no number of 0 or more, as `check_seconds` does; `kind` says what of."""
    said = f"{given_to} {kind}, 0 or more, got {value!r}"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(said)
    if not isfinite(value) or value < 0:
        raise ValueError(said)
