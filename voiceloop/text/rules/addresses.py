"""E-mail addresses, web addresses, handles."""

from __future__ import annotations

import re

from voiceloop.text.speaker import Speaker
from voiceloop.text.window import Match, Window

__all__ = ["address"]

_MAIL = re.compile(r"(?:mailto:)?([\w.+%-]+)@((?:[\w-]+\.)+[A-Za-z]{2,})", re.IGNORECASE)
_URL = re.compile(r"(?:https?://|www\.)([^\s/?#:@]+)(?::\d+)?(/[^?#\s]*)?([?#].*)?", re.IGNORECASE)
_BARE = re.compile(
    r"((?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|io|ai|app|dev|info|biz|shop|uk|de|fr|es|eu|us|ca|au|ch|at))"
    r"(/[^?#\s]*)?([?#].*)?"
)
_HANDLE = re.compile(r"[@#]([^\W\d]\w+)")
_PATH = re.compile(r"/[A-Za-z-]{1,20}(?:/[A-Za-z-]{1,20})?/?")
_PARTS = re.compile(r"\d+|[._+%@/-]|[^\W\d_]+")


def address(window: Window) -> Match | None:
    """``anna.b@example.com``; ``https://www.example.com/menu?x=1`` is "example dot com slash menu"."""
    core, speaker = window.word.core, window.speaker
    mail = _MAIL.fullmatch(core)
    if mail:
        return window.match(f"{_said(speaker, mail[1])} {speaker.reading.at} {_said(speaker, mail[2])}")
    found = _URL.fullmatch(core)
    if found is None and core.islower():
        found = _BARE.fullmatch(core)
    if found:
        host, path = found[1].lower().removeprefix("www."), found[2] or ""
        short = path.rstrip("/") if _PATH.fullmatch(path) and not found[3] else ""
        return window.match(_said(speaker, host) + (f" {_said(speaker, short)}" if short else ""))
    handle = _HANDLE.fullmatch(core)
    if handle:
        name = handle[1].replace("_", " ")
        return window.match(f"{speaker.reading.at} {name}" if core[0] == "@" else name)
    return None


def _said(speaker: Speaker, text: str) -> str:
    reading = speaker.reading
    signs = {
        ".": reading.dot, "_": reading.underscore, "-": reading.dash, "/": reading.slash, "+": reading.plus,
        "%": reading.percent, "@": reading.at,
    }  # fmt: skip
    return " ".join(
        signs.get(part) or (speaker.figures(part) if part.isdecimal() and part.isascii() else part)
        for part in _PARTS.findall(text)
    )
