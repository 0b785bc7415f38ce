"""One voice of a call on the time axis: pieces of audio put where they are heard, and cut where they are taken back."""

from __future__ import annotations

from dataclasses import dataclass

from voiceloop.record.timeline import RATE, Span

__all__ = ["Piece", "Track"]

SILENCE = b"\xff"
"""Mu-law zero."""
SNAP = 0.06
"""Seconds: a piece that begins this near to the end of the one before it follows it without a seam. Packets are dated
by their arrival, which varies; speech does not stop for that."""
JOIN = 0.1
"""Seconds of silence that do not end a stretch of sound."""


@dataclass(slots=True)
class Piece:
    """Where a part of an answer's voice lies."""

    start: int
    """First sample on the track."""
    size: int
    """Samples."""
    answer: int
    position: int
    """Where it begins in the answer's voice, samples."""


class Track:
    """Mu-law audio from time 0 on.

    Args:
        limit: seconds; what comes later is dropped.
    """

    def __init__(self, limit: float) -> None:
        self.audio = bytearray()
        self.pieces: list[Piece] = []
        self._limit = round(limit * RATE)

    def put(self, at: float, audio: bytes, answer: int = 0, position: int = 0) -> None:
        """Lay audio at a time, seconds. It never lies over what is there: audio follows what was played before."""
        track = self.audio
        start = round(at * RATE)
        if start < len(track) + round(SNAP * RATE):
            start = len(track)
        size = min(len(audio), self._limit - start)
        if size <= 0:
            return
        track += SILENCE * (start - len(track))
        track += audio[:size]
        if answer:
            self.pieces.append(Piece(start, size, answer, position))

    def begins(self, answer: int, at: float) -> None:
        """It is known now when an answer was first heard, seconds: it and everything behind it moves there."""
        first = next((index for index, piece in enumerate(self.pieces) if piece.answer == answer), None)
        if first is None:
            return
        start = self.pieces[first].start
        floor = self.pieces[first - 1].start + self.pieces[first - 1].size if first else 0
        by = max(floor, round(at * RATE)) - start
        if by < 0:
            del self.audio[start + by : start]
        else:
            self.audio[start:start] = SILENCE * by
        for piece in self.pieces[first:]:
            piece.start += by

    def cut(self, at: float) -> None:
        """Drop everything behind a time, seconds."""
        sample = round(at * RATE)
        del self.audio[sample:]
        while self.pieces and (last := self.pieces[-1]).start + last.size > sample:
            last.size = sample - last.start
            if last.size > 0:
                break
            self.pieces.pop()

    def silence(self, start: float, end: float) -> None:
        """Leave out what was heard between two times, seconds."""
        first, last = max(0, round(start * RATE)), min(round(end * RATE), len(self.audio))
        if first < last:
            self.audio[first:last] = SILENCE * (last - first)

    def end(self, at: float) -> None:
        """The call ends: cut or fill the track to this length, seconds."""
        self.cut(at)
        self.audio += SILENCE * (min(round(at * RATE), self._limit) - len(self.audio))

    def sounds(self, answer: int) -> list[Span]:
        """When an answer's voice is on the track."""
        spans: list[Span] = []
        for piece in self.pieces:
            if piece.answer != answer:
                continue
            start, end = piece.start / RATE, (piece.start + piece.size) / RATE
            if spans and start - spans[-1].end <= JOIN:
                spans[-1].end = end
            else:
                spans.append(Span(start, end))
        return spans
