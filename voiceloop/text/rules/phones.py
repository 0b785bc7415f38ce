"""Telephone numbers: figure by figure, in the groups they are written in."""

from __future__ import annotations

import re

from voiceloop.text.window import Match, Window

__all__ = ["phone"]

_WHOLE = re.compile(r"(\+?)(\(?\d[\d().\-–/]*)")
_PART = re.compile(r"\d+(?:[.\-–/]\d+)*")
_FIGURES = re.compile(r"\d+")
_COUNTRY = re.compile(r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3}")
"""Country codes: of one and two figures, and all others have three (ITU-T E.164)."""
_MOST = 15
"""Figures of a number, by E.164."""
_WORDS = 7


def phone(window: Window) -> Match | None:
    """``(555) 010-4477``, ``+1 555 010 4477``, ``555-0199``; after "call" also ``911``."""
    word, reading = window.word, window.speaker.reading
    text = ("(" if word.lead.endswith("(") and word.trail[:1] == ")" else "") + word.core
    text += word.trail if text[0] == "(" else ""
    found = _WHOLE.fullmatch(text.rstrip(".,;:!?"))
    if not found:
        return None
    groups = _FIGURES.findall(text)
    signed = found[1] == "+" or text[0] == "("
    called = window.context.near(reading.phone_words, 2)
    if not signed and not called and len(groups) > 1 and "/" in text:
        return None
    count = 1
    trail = word.trail.lstrip(")") if text[0] == "(" else word.trail
    while not trail and count < _WORDS:
        following = window.peek(count)
        if following is None or following.lead or not _PART.fullmatch(following.core):
            break
        if len(following.core) == 1 and not signed:
            break
        if sum(map(len, groups)) + len(re.sub(r"\D", "", following.core)) > _MOST:
            break
        groups += _FIGURES.findall(following.core)
        trail, count = following.trail, count + 1
    sizes, total = tuple(map(len, groups)), sum(map(len, groups))
    if signed and total >= 7:
        groups = _national(groups, found[1] == "+")
    elif called and count == 1 and len(groups) == 1 and 3 <= total <= 6:
        pass
    elif called and 7 <= total <= _MOST:
        groups = _parted(groups)
    elif not (sizes in reading.phone_groups and (len(sizes) > 2 or count == 1)) and not (
        reading.trunk and text.startswith(reading.trunk) and 9 <= total <= 12 and len(groups[0]) > 1
    ):
        return None
    spoken = ", ".join(map(window.speaker.spelled, _parted(groups)))
    lead = word.lead[:-1] if text[0] == "(" else word.lead
    plus = f"{reading.plus} " if found[1] == "+" else ""
    return Match(count, f"{lead}{plus}{spoken}{trail}", "phone")


def _national(groups: list[str], signed: bool) -> list[str]:
    if not signed or len(groups) > 1:
        return groups
    country = _COUNTRY.match(groups[0])
    assert country is not None
    return [country[0], groups[0][country.end() :]]


def _parted(groups: list[str]) -> list[str]:
    """Long groups in threes, the last of them four if one figure would be left."""
    parts: list[str] = []
    for group in groups:
        if len(group) <= 5:
            parts.append(group)
            continue
        some = [group[at : at + 3] for at in range(0, len(group), 3)]
        if len(some[-1]) == 1:
            some[-2:] = [some[-2] + some[-1]]
        parts += some
    return parts
