"""Where the words of a text are in a voice's audio, for a voice that does not say. Pure.

The audio shows where the voice pauses, and the text where it may: at punctuation as a rule, between words sometimes,
within a word hardly. Pauses and ends of words are matched in order, so that what lies between takes about as long as
its letters do; a handful of ways to match them is kept, and each pause, as it ends, is tried with all of them
(a beam search over a monotone alignment). Between two matched pauses words share the time by their letters. When the
voice is finished all of it is done once more, at the pace that is known by then.

The figures below were measured on English speech of one voice at two speeds: letters explain how long a word takes as
well as syllables do (0.09 s off on average), and a word before a pause takes as long as one of two letters more.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from voiceloop.output.events import RATE
from voiceloop.output.pauses import Pause, Pauses
from voiceloop.output.weights import Weighed, weigh

__all__ = ["PACE", "Measured", "Reach"]

PACE = 0.064
"""Seconds a letter takes, until the voice shows its own pace."""
_KNOWN = 25.0
"""Letters that this guess counts for …"""
_LEARNED = 120.0
"""… and that a pace counts for which another answer of the same voice had shown."""
_BEAM = 8
"""Ways to match that are kept."""
_NEAR = 2
"""Ends of words tried on either side of the one expected at a pause."""
_WORD = 0.085
"""By how much the time of a word is off, seconds (standard deviation), at `PACE`."""
_STRETCH = 0.06
"""By how much the pace of a stretch is off, as a share."""
_UNSURE = 0.3
"""The same while nothing is known of the voice."""
_USUAL = 0.25
"""A spread, seconds: a match that is surer than this speaks for a way, one that is less sure against it."""
_LATER = 0.04 * RATE
"""Bytes by which the end of a word that no pause shows is put later: rather forgotten than never said."""
_DOUBT = 0.03
"""Seconds by which the end of a word is less sure at a pause that no punctuation explains, and while not all of the
voice is there."""
_RIVALS = 4
"""Ways that are looked at for the bound …"""
_RIVAL = 3.0
"""… when they cost no more than this above the best."""
_WIDTHS = 3.0
"""Standard deviations that the bound is wide."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many words were spoken to their end."""

    count: int
    """The most likely number."""
    least: int
    """Hardly fewer than this."""
    most: int
    """Hardly more than this."""


@dataclass(slots=True, eq=False)
class _Way:
    """A way to match the pauses so far."""

    cost: float
    word: int
    """Words that were spoken before the last pause that was matched."""
    start: int
    """Where that pause ends, bytes."""
    letters: float
    """Spoken so far, in stretches between matched pauses …"""
    seconds: float
    """… and how long they took."""
    stop: int = 0
    """Where the pause begins, bytes."""
    before: _Way | None = None


class Measured:
    """The voice of one answer.

    Args:
        pace: seconds a letter takes with this voice, if that is known from another answer.
    """

    __slots__ = (
        "_ends",
        "_finished",
        "_first",
        "_known",
        "_last",
        "_pace",
        "_pauses",
        "_read",
        "_redone",
        "_text",
        "_ways",
    )

    def __init__(self, pace: float | None = None) -> None:
        self._pace = PACE if pace is None else pace
        self._known = _KNOWN if pace is None else _LEARNED
        self._pauses = Pauses()
        self._text = Weighed((), ())
        self._finished = self._redone = False
        self._read = 0  # pauses that were matched
        self._ways: list[_Way] = []
        self._ends: list[float] | None = None  # of words, bytes
        self._first: list[float] = []  # the earliest they may be
        self._last: list[float] = []  # and the latest

    @property
    def pace(self) -> float | None:
        """Seconds a letter takes; None while too little was spoken."""
        if not self._redone:
            return None
        best = min(self._ways, key=lambda way: way.cost)
        return best.seconds / best.letters if best.letters >= _KNOWN else None

    def add(self, audio: bytes) -> None:
        """More of the voice, mu-law. A few microseconds for a tenth of a second."""
        self._pauses.add(audio)

    def reach(self, text: str, low: int, high: int, *, total: int, finished: bool) -> Reach:
        """How many words of a text were spoken to their end when somewhere between two positions was reached.

        Args:
            text: what is spoken, as far as it is known; it may have grown.
            low: bytes that were played at least.
            high: bytes that were most likely played.
            total: bytes of the voice so far. When none of them were given to `add`, all is taken to be sound.
            finished: whether no more audio will come.
        """
        self._pauses.assume(total)
        self._follow(text, finished)
        ends, first, last = self._times()
        count = bisect_right(ends, high)
        least = most = count
        while least and last[least - 1] > low:
            least -= 1
        while most < len(ends) and first[most] <= high:
            most += 1
        return Reach(count, least, most)

    # --- matching ------------------------------------------------------------------------------------------

    def _follow(self, text: str, finished: bool) -> None:
        if text != self._text.text:
            grown = text.startswith(self._text.text)
            self._text = weigh(text, self._text if grown else None)
            self._ends = None
            if not grown or self._redone:
                self._again()
        if finished and not self._finished:
            self._finished = True
            self._pauses.finish()
        pauses = self._pauses.found
        if not self._ways and self._pauses.begun is not None:
            self._ways = [_Way(0.0, 0, self._pauses.begun, 0.0, 0.0)]
        while self._read < len(pauses):
            pause = pauses[self._read]
            self._read += 1
            self._match(pause)
        if self._finished and not self._redone and self._ways:
            self._redo()

    def _again(self) -> None:
        self._ways, self._read, self._redone, self._ends = [], 0, False, None

    def _redo(self) -> None:
        """All of it is there: match again at its own pace, and let the last word end with the sound."""
        letters, begun = self._text.total, self._pauses.begun
        if not letters or begun is None:
            return
        silent = sum(pause.size for pause in self._pauses.found if pause.size >= 0.15 * RATE)
        pace, known = self._pace, self._known
        seconds = (self._pauses.sounded - begun - silent) / RATE
        if seconds > 0:
            self._pace, self._known = seconds / letters, 10 * letters
        self._ways = [_Way(0.0, 0, begun, 0.0, 0.0)]
        for pause in self._pauses.found:
            self._match(pause)
        self._pace, self._known = pace, known
        end = self._pauses.sounded
        self._ways = [self._ended(way, end) for way in self._ways]
        self._redone, self._ends = True, None

    def _ended(self, way: _Way, end: int) -> _Way:
        """A way to whose end all words were spoken."""
        text, last = self._text, len(self._text.weights)
        cost = self._cost(way, last, end, self._pace_of(way))
        cost += text.passed[max(way.word, last - 1)] - text.passed[way.word]
        return self._matched(way, last, end, end, cost)

    def _match(self, pause: Pause) -> None:
        """One more pause: each way either takes it for the end of a word near the time, or for nothing."""
        text, size = self._text, pause.size / RATE
        totals, closers, count = text.totals, text.closers, len(text.totals)
        at_end, within = [_at_end(size, closer) for closer in range(3)], _within_word(size)
        found: list[tuple[float, int, int, _Way]] = []
        for way in self._ways:
            pace = self._pace_of(way)
            middle = bisect_left(totals, totals[way.word] + (pause.start - way.start) / RATE / pace)
            for word in range(max(way.word + 1, middle - _NEAR), min(count, middle + _NEAR + 1)):
                cost = self._cost(way, word, pause.start, pace) + at_end[closers[word - 1]]
                found.append((cost + (text.passed[word - 1] - text.passed[way.word]), word, pause.stop, way))
            way.cost += within
            found.append((way.cost, way.word, way.start, way))
        found.sort(key=itemgetter(0))
        kept: dict[tuple[int, int], _Way] = {}
        for cost, word, start, way in found:
            if (word, start) not in kept:
                same = word == way.word and start == way.start
                kept[word, start] = way if same else self._matched(way, word, pause.start, start, cost)
                if len(kept) == _BEAM:
                    break
        self._ways, self._ends = list(kept.values()), None

    def _pace_of(self, way: _Way) -> float:
        return (self._pace * self._known + way.seconds) / (self._known + way.letters)

    def _cost(self, way: _Way, word: int, stop: int, pace: float) -> float:
        """What a way costs with the time that it would have taken from its last pause to the end of a word."""
        text, start = self._text, way.word
        seconds = (text.totals[word] - text.totals[start]) * pace
        spread = _spread(text.doubts[word] - text.doubts[start], seconds, pace, _STRETCH)
        off = ((stop - way.start) / RATE - seconds) / spread
        return way.cost + min(off * off / 2, 12.0) + math.log(spread / _USUAL)

    def _matched(self, way: _Way, word: int, stop: int, start: int, cost: float) -> _Way:
        """A way that goes on from the end of a word, at a pause."""
        letters, seconds = self._text.totals[word] - self._text.totals[way.word], (stop - way.start) / RATE
        return _Way(cost, word, start, way.letters + letters, way.seconds + max(0.0, seconds), stop, way)

    # --- times ---------------------------------------------------------------------------------------------

    def _times(self) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        """Of every word, in bytes: when it ends by the best way, and at the earliest and the latest."""
        if self._ends is None:
            ways = sorted(self._ways, key=lambda way: way.cost)
            ways = [way for way in ways[:_RIVALS] if way.cost < ways[0].cost + _RIVAL]
            each = [self._share_out(way) for way in ways]
            self._ends = [end for end, _ in each[0]] if each else []
            self._first = [min(end - spread for end, spread in ends) for ends in zip(*each, strict=True)]
            self._last = [max(end + spread for end, spread in ends) for ends in zip(*each, strict=True)]
        return self._ends, self._first, self._last

    def _share_out(self, way: _Way) -> list[tuple[float, float]]:
        """Say of every word when it ends, and how far that may be off: by its letters between two matched pauses."""
        out: list[tuple[float, float]] = []
        stops, last = [], way
        while way.before is not None:
            stops.append(way)
            way = way.before
        for stop in reversed(stops):
            assert stop.before is not None
            self._stretch(stop.before, stop.word, stop.stop, out)
        if last.word < len(self._text.weights):
            self._stretch(last, len(self._text.weights), None, out)
        return out

    def _stretch(self, way: _Way, word: int, stop: int | None, out: list[tuple[float, float]]) -> None:
        """Words between two matched pauses; without `stop` those behind the last one, at the pace so far."""
        totals, doubts, closers = self._text.totals, self._text.doubts, self._text.closers
        letters, pace = totals[word] - totals[way.word], self._pace_of(way)
        each = pace * RATE if stop is None or not letters else max(0.0, stop - way.start) / letters
        unsure = max(_STRETCH, _UNSURE * _KNOWN / (self._known + way.letters))
        for index in range(way.word + 1, word + 1):
            spoken = totals[index] - totals[way.word]
            end = way.start + spoken * each
            spread = _spread(doubts[index] - doubts[way.word], spoken * pace, pace, unsure)
            if stop is not None:
                spread = min(spread, _spread(doubts[word] - doubts[index], (letters - spoken) * pace, pace, unsure))
            if index < word or stop is None:
                end = min(end + _LATER, stop or math.inf)
            else:
                spread += _DOUBT * ((not self._redone) + (not closers[word - 1]))
            out.append((end, _WIDTHS * spread * RATE))


def _spread(words: float, seconds: float, pace: float, share: float) -> float:
    """By how much the time of so many words may be off, seconds (standard deviation)."""
    return math.hypot(0.015, _WORD * pace / PACE * math.sqrt(words), share * seconds)


def _at_end(seconds: float, closer: int) -> float:
    """How unlikely such a silence is behind a word: `closer` 0 for none, 1 within a sentence, 2 at its end."""
    if closer:
        return max(0.0, (0.20 if closer == 2 else 0.07) - seconds) * 8
    return 0.8 + max(0.0, seconds - 0.05) * 14


def _within_word(seconds: float) -> float:
    """How unlikely such a silence is within a word, where a plosive is closed."""
    return 0.2 + max(0.0, seconds - 0.05) * 40
