"""Takes out of one written word what cannot be spoken: marks of emphasis, link targets, tags, emoji, controls. Pure."""

from __future__ import annotations

import html
import re

__all__ = ["cleaned", "is_line_mark"]

_EMOJI = (
    "\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\u2300-\u23ff\u25a0-\u25ff"
    "\u24c2\u2139\u2934\u2935\u3030\u303d\u3297\u3299\u203c\u2049\u20e3\ufe00-\ufe0f\U000e0000-\U000e007f©®™℠"
)
_KEYCAP = re.compile("([0-9#*])\ufe0f?\u20e3")
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd"
_UNSPEAKABLE = re.compile(f"[{_EMOJI}{_CONTROLS}]+")
_JOINERS = re.compile(r"(?<![^\W\d_])[\u200c\u200d]+|[\u200c\u200d]+(?![^\W\d_])")
"""Joiners belong to words of some scripts, and are kept between letters; those of emoji are not."""
_LINE_MARK = re.compile(
    r"[-*+•–—·▪◦]|#{1,6}|>+|[-*_=]{3,}|(?:```|~~~)\S*|\[[ xX]?\]|\|?(?:\s*:?-{2,}:?\s*\|)+(?::?-{2,}:?)?"
)
"""A bullet, the mark of a heading or a quotation, a rule, a fence, a task's box: when first on a line."""
_TARGET = re.compile(r"\]\((?:[^()\s]|\([^()\s]*\))*\)?|\]\[[^\]\s]*\]")
_NOTE = re.compile(r"(?<=\S)\[\^?\w{1,3}\]|\[\^\w+\]")
_TAG = re.compile(r"</?[A-Za-z][^<>]*/?>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
_RUN = re.compile(r"\*{2,}|__+|~~+|`+")
_RUN_BUT_UNDERSCORES = re.compile(r"\*{2,}|~~+|`+")
_OPENING = re.compile(r"^([\"'“‘(]*)[*_](?=\S)")
_CLOSING = re.compile(r"(?<=\S)[*_]([\"'”’).,;:!?…]*)$")
_SPECIAL = re.compile(rf"[*_~`\[\]<>&|\\\u200c\u200d{_EMOJI}{_CONTROLS}]")


def is_line_mark(word: str) -> bool:
    """Whether a word is a mark of the line it begins: nothing of it is spoken."""
    return _LINE_MARK.fullmatch(word) is not None


def cleaned(word: str, *, fresh: bool = False) -> str:
    """The word without marks; empty if nothing is left. `fresh`: it begins a line."""
    if not _SPECIAL.search(word):
        return word
    if word in ("*", "<", ">", "|", "~", "_", "\\"):
        return "" if fresh or word != "*" else word
    word = _KEYCAP.sub(r"\1", word)
    word = _UNSPEAKABLE.sub("", word)
    word = _JOINERS.sub("", word)
    if "[" in word or "]" in word:
        word = _NOTE.sub("", _TARGET.sub("", word))
        word = word.replace("![", "").replace("[", "").replace("]", "")
    if "<" in word:
        if word.startswith("<") and word.endswith(">") and ("://" in word or "@" in word):
            word = word[1:-1]
        word = _TAG.sub("", word)
    if "&" in word:
        word = _ENTITY.sub(lambda found: html.unescape(found[0]).strip(), word)
        word = _UNSPEAKABLE.sub("", word)
    if "@" in word or "://" in word:  # underscores are part of it
        return _RUN_BUT_UNDERSCORES.sub("", word).strip("*~")
    word = _RUN.sub("", word)
    word = _CLOSING.sub(r"\1", _OPENING.sub(r"\1", word))
    if len(word) == 1 and word in "*_~`|\\<>":
        return ""
    return re.sub(r"\\(?=[^\w\s])", "", word)
