"""Lines of a log from what outsiders can write into: one line each, bounded, without control characters. Pure."""

from __future__ import annotations

import math
import re
from typing import Any, Final

__all__ = ["field", "masked", "one_line"]

FIELD: Final = 500
"""Characters of a field that is a text."""
_NUMBER: Final = re.compile(r"(?<!\w)(?<!\d\.)\+?\d{8,15}(?!\w|\.\d)", re.ASCII)
_SHOWN: Final = (5, 2)


def one_line(text: str, most: int) -> str:
    """A text on one line, cut short: white space becomes a space, what cannot be printed ``?``."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " if each.isspace() else "?" for each in text)


def masked(text: str) -> str:
    """Telephone numbers in a text as ``+1555…22``."""
    return _NUMBER.sub(_hide, text)


def _hide(found: re.Match[str]) -> str:
    number = found.group()
    first, last = _SHOWN
    return f"{number[:first]}…{number[-last:]}"


def field(value: Any, *, mask: bool) -> Any:
    """A value as JSON can hold it: numbers and truth values as they are, all else as a bounded text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    text = one_line(value if isinstance(value, str) else str(value), FIELD)
    return masked(text) if mask else text
