"""The voice of one answer: its audio, where its words end, and how far it was sent and played."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from voiceloop.frames import Word
from voiceloop.output.events import RATE

__all__ = ["Voice", "bytes_at"]


def bytes_at(seconds: float) -> int:
    """Bytes of audio that hold everything before a time: rounded up, but for what is only floating point."""
    return max(0, math.ceil(seconds * RATE - 1e-6))


class Voice:
    """Audio of one answer. Positions are bytes from its first sample, also when it is sent a second time."""

    __slots__ = (
        "_audio",
        "_base",
        "_ends",
        "_starts",
        "assumed",
        "begun",
        "bound",
        "dropped",
        "ended",
        "finished",
        "flying",
        "held",
        "key",
        "marked",
        "marks",
        "paused",
        "played",
        "sent",
        "settling",
        "started",
        "sure",
        "total",
        "tries",
    )

    def __init__(self, key: int) -> None:
        self.key = key
        self._audio = bytearray()  # from position _base on: what may have to be sent (again)
        self._base = 0
        self._ends: list[int] = []  # ends of words, ascending, and the start of each
        self._starts: list[int] = []
        self.total = 0  # bytes known so far
        self.sent = 0
        self.marked = 0  # position of the last mark sent
        self.marks = 0  # number of the last place mark
        self.tries = 0  # how often it was begun or ended anew: keeps those names unique
        self.played = 0
        self.sure = 0  # so much of it by echoes
        self.bound = 0  # when cut: at most this much was played
        self.held = False  # waits for release
        self.paused = False  # waits for resume
        self.settling = False  # waits for the fence of a clear
        self.dropped = False  # cut for good
        self.begun = False  # start mark sent
        self.ended = False  # end mark sent
        self.flying = False  # something was sent since the last clear
        self.started = False  # start mark played
        self.finished = False  # no more audio will come
        self.assumed = False  # played rests on the clock

    @property
    def exhausted(self) -> bool:
        """All was sent that will ever come."""
        return self.finished and self.sent == self.total

    def add(self, audio: bytes, words: Iterable[Word]) -> None:
        self._audio += audio
        self.total += len(audio)
        for word in words:
            end = bytes_at(word.end)
            index = bisect_right(self._ends, end)
            self._ends.insert(index, end)
            self._starts.insert(index, min(end, bytes_at(word.start)))

    def next_mark(self, every: int) -> int:
        """The position behind `sent` where the next mark belongs: a word's end, or `every` where none is known."""
        index = bisect_right(self._ends, self.sent)
        return self._ends[index] if index < len(self._ends) else max(self.marked + every, self.sent + 1)

    def mark_behind(self, size: int, every: int) -> int:
        """Bytes from `sent` to the first place for a mark that is at least so far away."""
        index = bisect_left(self._ends, self.sent + size)
        if index < len(self._ends):
            return self._ends[index] - self.sent
        known = self._ends[-1] if index and self._ends[-1] > self.sent else self.marked
        return known + -(-(self.sent + size - known) // every) * every - self.sent

    def take(self, size: int) -> bytes:
        """The next bytes to send."""
        start = self.sent - self._base
        payload = bytes(self._audio[start : start + size])
        self.sent += len(payload)
        return payload

    def reach(self, position: int, *, sure: bool = True) -> None:
        """It was played up to here, by an echo if that is sure: let go of what will not be sent again."""
        if sure:
            self.sure = max(self.sure, position)
        if position > self.played:
            self.played = position
            spare = self._first_unheard() - self._base
            del self._audio[:spare]
            self._base += spare

    def doubt(self, early: float) -> int:
        """How much of what was played no echo vouches for, bytes, when echoes come up to `early` seconds too early."""
        return self.played - max(0, min(self.played, self.sure) - round(early * RATE))

    def drop(self) -> None:
        """Nothing more is sent; `total` still tells how much there was."""
        self.dropped = True
        self._audio.clear()

    def rewind(self) -> None:
        """What was sent but not heard was dropped by the carrier: go on from the first word that was not heard."""
        self.sent = self.marked = self._first_unheard()
        self.begun = self.started
        self.ended = self.flying = self.settling = False
        self.tries += 1

    def _first_unheard(self) -> int:
        """Start of the word that was being spoken at `played`, or `played` between words."""
        index = bisect_right(self._ends, self.played)
        return max(self._base, min([self.played, *self._starts[index : index + 1]]))
