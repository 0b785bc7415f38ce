"""Feeds a soft sound into the silences of a line, just ahead of real time. Pure: times in, pieces of sound out."""

from __future__ import annotations

from typing import Final

from voiceloop.frames import Filling

__all__ = ["Feed"]

PIECE: Final = 320
"""Bytes that are sent at once: 40 ms."""
AHEAD: Final = 0.06
"""Seconds of it that are still to be played when the next piece is sent: an answer waits for 0.1 s of it at most."""


class Feed:
    """What is to be heard where nobody speaks. All times are seconds on one clock.

    Who wants a sound is known by a number; of several who do, the latest is served.
    """

    __slots__ = ("_place", "_since", "_wanted")

    def __init__(self) -> None:
        self._wanted: dict[int, Filling] = {}
        self._since = 0.0  # what was silence before that does not count
        self._place = 0

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def set(self, filling: Filling, now: float) -> None:
        """A sound is wanted, or not any more."""
        if not filling.audio:
            self._wanted.pop(filling.number, None)
        elif filling.number in self._wanted:
            self._wanted[filling.number] = filling
        elif not filling.last:
            if not self._wanted:
                self._since, self._place = now, 0
            self._wanted[filling.number] = filling

    def voice(self) -> None:
        """There is something to say: those who wanted a sound only until then have it no more."""
        self._wanted = {number: each for number, each in self._wanted.items() if not each.last}

    def ended(self, answer: int) -> None:
        """An answer is over, and with it the sound under it."""
        self._wanted = {
            number: each for number, each in self._wanted.items() if each.answer is None or each.answer.id != answer
        }

    def busy(self, now: float) -> None:
        """Silence is not filled now; it counts from here."""
        self._since = now

    def due(self, voiced: float | None, head: float) -> float | None:
        """When the next piece is to be sent; None when none is.

        Args:
            voiced: when all that was said will have been heard; None while there is more to say.
            head: when all that was sent will have been, this sound too.
        """
        if not self._wanted or voiced is None:
            return None
        if head > max(voiced, self._since):
            return head - AHEAD
        *_, latest = self._wanted.values()
        return max(voiced, self._since) + latest.after

    def take(self) -> bytes:
        """The next piece, mu-law."""
        *_, latest = self._wanted.values()
        audio = latest.audio
        start = self._place % len(audio)
        self._place = start + PIECE
        piece = audio[start : start + PIECE]
        while len(piece) < PIECE:
            piece += audio[: PIECE - len(piece)]
        return piece
