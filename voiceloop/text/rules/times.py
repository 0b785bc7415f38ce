"""Times of day."""

from __future__ import annotations

import re

from voiceloop.text.window import Match, Window

__all__ = ["time"]

_SPAN = re.compile(r"(.*?\d.*?)[-–—](\d.*)")
_HALF = r"(?:\s?([AaPp]\.?[Mm]))?"
_CLOCK = re.compile(rf"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?{_HALF}h?")
_FRENCH = re.compile(r"([01]?\d|2[0-4])[hH]([0-5]\d)?")
_HOUR = re.compile(rf"(\d{{1,2}}){_HALF}")


def time(window: Window) -> Match | None:
    """``3:30pm``, ``9:00``, ``9-5pm``, ``15h30``, ``9:00–17:00``, ``3 p.m.``."""
    word, speaker = window.word, window.speaker
    span = _SPAN.fullmatch(word.core)
    parts = [span[1], span[2]] if span else [word.core]
    said = [_part(window, part) for part in parts]
    if any(one is None for one in said):
        return None
    sure = any(":" in part or re.search("[a-zA-Z]", part) for part in parts)
    half, count, trail = "", 1, word.trail
    following = window.joined(1)
    if following is not None:
        key = following.core.lower()
        if key in speaker.reading.halves and re.fullmatch(r"(?:0?\d|1[0-2])(?::\d\d)?", parts[-1]):
            half, count, sure = speaker.reading.halves[key], 2, True
            trail = window.stop(1) if "." in key else following.trail
        elif key in speaker.reading.clock_words:
            count, sure, trail = 2, True, following.trail
            if parts[-1].isdecimal():
                said[-1] = speaker.time(parts[-1])
    if not sure:
        return None
    joined = f" {speaker.reading.to} ".join(one for one in said if one is not None)
    if half:  # "nine o'clock a m" is not said
        joined = joined.replace(speaker.reading.oclock.format(hour=""), "")
    if "." in word.core and re.search(r"[ap]\.m$", word.core, re.IGNORECASE):
        trail = window.stop()
    return window.match(f"{joined} {half}".rstrip(), count, "time", trail=trail)


def _part(window: Window, text: str) -> str | None:
    speaker, halves = window.speaker, window.speaker.reading.halves
    found = _CLOCK.fullmatch(text)
    if found:
        half = halves.get((found[4] or "").lower(), "")
        if half and int(found[1]) <= 12:
            hour = speaker.whole(str(int(found[1])))
            minute = "" if found[2] == "00" else f" {speaker.minute(found[2])}"
            return f"{hour}{minute} {half}"
        return speaker.time(found[1], found[2], found[3] or "") if not found[4] else None
    french = _FRENCH.fullmatch(text)
    if french and "h" in speaker.reading.clock_words:
        return speaker.time(french[1], french[2] or "")
    found = _HOUR.fullmatch(text)
    if not found or int(found[1]) > 24:
        return None
    if found[2]:
        half = halves.get(found[2].lower(), "")
        return f"{speaker.whole(found[1])} {half}" if half and found[1][0] != "0" else None
    return speaker.whole(str(int(found[1])))
