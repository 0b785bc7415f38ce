"""Codes: order numbers, flights, post codes, other mixtures of letters and figures; and what is left of numbers."""

from __future__ import annotations

import re

from voiceloop.text.speaker import Speaker
from voiceloop.text.window import Match, Window

__all__ = ["code", "figures", "plain_number"]

_CODE = re.compile(r"#?[^\W_]+(?:[-–/_.][^\W_]+)*")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_NUMBERED = re.compile(r"#(\d+)")
_STATE = re.compile(r"[A-Z]{2}")
_DOTTED = re.compile(r"\d+(?:\.\d+){2,}")
_LONG = 7
"""Figures without a sign between thousands that are a code whatever stands before them."""


def figures(window: Window) -> Match | None:
    """Numbers that are said figure by figure: behind "order" and the like, with a nought in front, or very long."""
    word, speaker, context = window.word, window.speaker, window.context
    numbered = _NUMBERED.fullmatch(word.core)
    if numbered:
        said = speaker.figures(numbered[1]) if len(numbered[1]) > 3 else speaker.whole(numbered[1])
        near = context.last.lower() == speaker.reading.number
        return window.match(said if near else f"{speaker.reading.number} {said}", kind="code")
    core = word.core
    if not core.isdecimal() or not core.isascii():
        return None
    coded = len(core) >= 4 and context.near(speaker.reading.code_words)
    zip_code = len(core) == 5 and _STATE.fullmatch(context.last)
    zeros = len(core) > 1 and core[0] == "0"
    if coded or zip_code or zeros or len(core) >= _LONG or (context.kind == "code" and len(core) > 2):
        if len(core) == 8 or len(core) == 4:
            return window.match(
                ", ".join(speaker.spelled(core[at : at + 4]) for at in range(0, len(core), 4)), kind="code"
            )
        return window.match(speaker.figures(core), kind="code")
    return None


def code(window: Window) -> Match | None:
    """``AB12-94`` is letters and figures, ``B12`` a letter and a number, ``COVID-19`` a word and a number."""
    word, speaker = window.word, window.speaker
    core = word.core
    if _DOTTED.fullmatch(core):
        return window.match(f" {speaker.reading.point} ".join(map(speaker.whole, core.split("."))))
    if not _CODE.fullmatch(core):
        return None
    groups = re.split(r"[-–/_.]", core.removeprefix("#"))
    runs = [_RUNS.findall(group) for group in groups]
    flat = [run for group in runs for run in group]
    if not any(run.isdecimal() for run in flat):
        return None
    if all(run.isdecimal() for run in flat):
        if len(groups) == 1 or "." in core or "/" in core:
            return None
        return window.match(", ".join(map(speaker.spelled, flat)), kind="code")
    if len(flat) == 2:
        return window.match(_two(speaker, flat), kind="code")
    if any(run.islower() and len(run) > 3 for run in flat):  # "model-3-series": words with a number between
        return window.match(" ".join(_run(speaker, run, spell=False) for run in flat))
    said = (" ".join(_run(speaker, run, spell=True) for run in group) for group in runs)
    return window.match(", ".join(said), kind="code")


def _two(speaker: Speaker, runs: list[str]) -> str:
    first, second = runs
    small = next(run for run in runs if run.isdecimal())
    letters = second if first.isdecimal() else first
    number = len(small) <= 2 and small[0] != "0" and (len(letters) == 1 or _is_word(letters))
    number = number or (first.isdecimal() and len(letters) == 1 and len(small) <= 4 and small[0] != "0")
    said = speaker.whole(small) if number else speaker.spelled(small)
    spelled = letters if _is_word(letters) else " ".join(letters.upper())
    return f"{said} {spelled}" if first.isdecimal() else f"{spelled} {said}"


def _is_word(letters: str) -> bool:
    """Whether letters of a code are said as a word."""
    if letters.isupper():
        return len(letters) > 3 and re.search("[AEIOUY]", letters) is not None
    return len(letters) > 2


def _run(speaker: Speaker, run: str, *, spell: bool) -> str:
    if run.isdecimal():
        return speaker.spelled(run) if spell or (len(run) > 1 and run[0] == "0") else speaker.whole(run)
    return run if _is_word(run) else " ".join(run.upper())


def plain_number(window: Window) -> Match | None:
    """Any other number."""
    speaker, core = window.speaker, window.word.core
    if not re.fullmatch(speaker.NUMBER, core):
        return None
    rules = None
    if core.endswith("1") and speaker.reading.counting != speaker.reading.numbering:  # "un café", "ein Kaffee"
        following = window.joined(1)
        if following is not None and following.core.isalpha():
            rules = speaker.reading.counting
    return window.match(speaker.number(core, rules), kind="number")
