"""Puts the words of an answer where they were heard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from voiceloop.frames import Word
from voiceloop.record.timeline import RATE, AnswerLine, PlacedWord
from voiceloop.record.track import Piece

__all__ = ["place_words"]


def place_words(answer: AnswerLine, words: Sequence[Word], pieces: Sequence[Piece]) -> list[PlacedWord]:
    """The words of an answer that were heard, each where it was.

    Args:
        answer: what was heard of it and when it sounded.
        words: heard words with times from the first sample of its voice; none for a voice without word times.
        pieces: where the parts of voices lie on the track.
    """
    own = [piece for piece in pieces if piece.answer == answer.id]
    if not own:
        return []
    if not words:
        return _shared(answer, own)
    placed = []
    for word in words:
        start = _time_of(round(word.start * RATE), own)
        end = _time_of(round(word.end * RATE) - 1, own) + 1 / RATE
        placed.append(PlacedWord(word.text, start, max(start, end), answer.id))
    return placed


def _time_of(position: int, pieces: Sequence[Piece]) -> float:
    """When a sample of the voice was heard; the last time, when it was sent twice."""
    for piece in reversed(pieces):
        if piece.position <= position < piece.position + piece.size:
            return (piece.start + position - piece.position) / RATE
    last = pieces[-1]
    return (last.start + last.size) / RATE


def _shared(answer: AnswerLine, pieces: Sequence[Piece]) -> list[PlacedWord]:
    """Without word times: the words share the sound by their letters."""
    texts = answer.heard.split()
    edges = [0, *accumulate(len(text) + 1 for text in texts)]
    total = sum(piece.size for piece in pieces)

    def time(share: float) -> float:
        left = round(share * total)
        for piece in pieces:
            if left <= piece.size:
                return (piece.start + left) / RATE
            left -= piece.size
        return (pieces[-1].start + pieces[-1].size) / RATE

    return [
        PlacedWord(text, time(start / edges[-1]), time(end / edges[-1]), answer.id, exact=False)
        for text, start, end in zip(texts, edges, edges[1:], strict=False)
    ]
