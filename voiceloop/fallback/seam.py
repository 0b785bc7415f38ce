"""How far a voice has come in its text, so that another one can go on. Pure.

By the times of words where the voice tells them. Beyond the last of them, and for a voice that tells none, by how fast
it speaks; then rather too little is taken for spoken than too much, and the next voice begins at the edge of a phrase.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from voiceloop.frames import Word
from voiceloop.output.align import align, token_ends

__all__ = ["LETTERS_A_SECOND", "complete", "estimated_words", "spoken"]

LETTERS_A_SECOND = 15.0
"""Of English, at 150 words a minute."""
_CAUTION = 0.85
"""Of what is spoken by estimate, this share is taken for certain."""
_SLACK = 0.001
_GAP = 0.4
"""Seconds of audio behind the last known word that are only its end and a pause."""
_EDGE = re.compile(r"[.!?…,;:—–。、，！？；][\"'”’)»\]]*\s*")
_LEAST = 0.4
"""Share of the usual time in which a text can be spoken at most quickly."""


def spoken(text: str, words: Sequence[Word], seconds: float, pace: float) -> int:
    """Where in the text the next voice goes on: at the first word that was not given out whole.

    Args:
        text: what the voice was given.
        words: those it has told of, with times from its first sample; also such as lie behind its audio.
        seconds: audio it has given.
        pace: letters a second at which it speaks, for what no times are known of.
    """
    if seconds <= 0:
        return 0
    done = [word for word in words if word.end <= seconds + _SLACK]
    at = align(text, [word.text for word in done], complete=False).ends[-1] if done else 0
    known = done[-1].end if done else 0.0
    unknown = seconds - known
    if unknown <= _GAP or len(done) < len(words):  # the next word is known, and not whole
        return _behind_space(text, at)
    letters = int(unknown * pace * _CAUTION)
    edges = [found.end() for found in _EDGE.finditer(text, at, min(len(text), at + letters))]
    return _behind_space(text, edges[-1] if edges else at)


def complete(text: str, words: Sequence[Word], seconds: float, pace: float) -> bool:
    """Whether a voice that has ended has spoken all of its text."""
    if words:
        ends = token_ends(text)
        return not ends or align(text, [word.text for word in words], complete=True).ends[-1] >= ends[-1]
    return seconds >= _LEAST * len(text.strip()) / pace


def estimated_words(text: str, start: float, end: float) -> tuple[Word, ...]:
    """The words of a text that is spoken between two times, in proportion to their letters."""
    words = text.split()
    total = sum(len(word) + 1 for word in words)
    found: list[Word] = []
    at = 0
    for word in words:
        begin = start + (end - start) * at / total
        at += len(word) + 1
        found.append(Word(word, begin, start + (end - start) * at / total))
    return tuple(found)


def _behind_space(text: str, at: int) -> int:
    return at + len(text[at:]) - len(text[at:].lstrip())
