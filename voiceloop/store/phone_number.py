"""Telephone numbers, so that what is the same number is the same text."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["same_number"]

_WRITTEN: Final = re.compile(r"[\s().\-/\u2010-\u2015\u00a0]+")
"""What people write between the figures."""
_SIP: Final = re.compile(r"sips?:(\+\d{7,15})(?:;[^@]*)?@", re.IGNORECASE)
"""A telephone number within a SIP address (RFC 3261, 19.1.6)."""
_MOST: Final = 200


def same_number(number: str) -> str:
    """A number in one form: E.164 (``+15550001111``) wherever it can be known.

    ``+1 (555) 000-1111``, ``0015550001111``, ``15550001111``, ``tel:+1-555-000-1111`` and
    ``sip:+15550001111@example.com`` are all the same. A national number (``0555 …``) cannot be told to be any country's
    and only loses what stands between its figures; names (``client:Ann``, ``anonymous``) stay as they are.
    """
    text = number.strip()
    if found := _SIP.match(text):
        return found[1]
    figures = _WRITTEN.sub("", text[4:] if text[:4].lower() == "tel:" else text).split(";")[0]
    if figures.startswith("00"):
        figures = f"+{figures[2:]}"
    digits = figures.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return text.replace("\0", "").encode(errors="replace").decode()[:_MOST]
    whole = not digits.startswith("0") and 7 <= len(digits) <= 15
    return f"+{digits}" if whole else figures[:_MOST]
