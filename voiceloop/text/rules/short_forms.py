"""Abbreviations and signs."""

from __future__ import annotations

import re

from voiceloop.text.window import Match, Window

__all__ = ["short_form", "sign"]

_BEFORE_SAINT = frozenset(["Port", "Mount", "Fort", "Lake", "Sault", "Mr", "Mrs", "Ms", "Dr"])


def short_form(window: Window) -> Match | None:
    """``Dr. Smith``, ``e.g.``, ``Main St.``, ``No. 5``."""
    word, reading = window.word, window.speaker.reading
    key = word.core.lower()
    if key in reading.street_or_title:
        return _street_or_title(window, *reading.street_or_title[key])
    if key in reading.numbered and word.trail in (".", "") and (word.trail or key not in reading.dotted):
        following = window.peek(1) if word.trail or word.core in ("Apt", "Ste", "No", "ext", "Ext") else None
        if following is not None and following.core[:1].isdecimal():
            return window.match(_cased(reading.numbered[key], word.core), trail="")
    stopped = word.trail.startswith(".")
    if key in reading.dotted and not stopped:
        return None
    if key in reading.abbreviations:
        said, trail = reading.abbreviations[key], word.trail[1:] if stopped else word.trail
        return window.match(_cased(said, word.core), trail=trail)
    if key in reading.abbreviations_last:
        return window.match(_cased(reading.abbreviations_last[key], word.core), trail=window.stop())
    if key in reading.extra:
        return window.match(reading.extra[key])
    return None


def _cased(said: str, written: str) -> str:
    """A capital where the writer has one, and where the word itself has one."""
    return said[0].upper() + said[1:] if written[:1].isupper() else said


def _street_or_title(window: Window, street: str, title: str) -> Match | None:
    """``St`` and ``Dr``: behind a name a street, before one a saint or a doctor."""
    word, context = window.word, window.context
    if not word.core[0].isupper():
        return None
    stopped = word.trail.startswith(".")
    following = window.peek(1) if word.trail in ("", ".") else None
    name_follows = following is not None and following.core[:1].isupper() and not following.lead
    named = context.last[:1].isupper() and context.last not in _BEFORE_SAINT
    numbered = any(earlier[:1].isdecimal() for earlier in context.words)
    if name_follows and not (named and (context.named or numbered) and (title == "Saint" or numbered)):
        return window.match(title, trail=word.trail[1:] if stopped else "")
    if named or re.match(r"\d", context.last):
        return window.match(street, trail=window.stop())
    return None


def sign(window: Window) -> Match | None:
    """A sign that stands alone, and the ``&`` in ``AT&T``."""
    word, reading = window.word, window.speaker.reading
    said = {"&": reading.and_, "@": reading.at, "+": reading.plus, "=": reading.equals, "×": reading.times}
    if word.core in said:
        return window.match(said[word.core])
    if word.core in ("*", "x") and window.context.kind == "number":
        following = window.joined(1)
        if following is not None and following.core[:1].isdecimal():
            return window.match(reading.times if word.core == "*" else reading.by)
        return None
    if "&" in word.core:
        return window.match(re.sub(r"(?<=\w)&(?=\w)", f" {reading.and_} ", word.core))
    return None
