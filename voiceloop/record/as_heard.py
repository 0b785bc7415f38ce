"""The agent's voice as it was heard: what was sent, put where it was played, without what was taken back. Pure.

What was sent is kept until marks, or the clock where a carrier gives none, have said what became of it. Two clocks meet
here. *Times of sending* are those of a carrier without delay, as in `voiceloop.played`. *News* is when a reply to what
was heard could reach us; the caller's audio is dated so too. The echo of a mark tells how far the two are apart, for
all audio that the carrier plays without a break. Positions on the axis of news are in samples since the clock's zero.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from voiceloop.output.marks import Echo, Mark, MarkKind, count_played
from voiceloop.record.timeline import RATE

__all__ = ["AsHeard"]

SILENCE: Final = b"\xff"
"""Mu-law zero."""
FRAME: Final = 0.02
"""Seconds that a carrier takes from its buffer at once: it plays to the end of that when a clear comes."""
BREAK: Final = 0.001
"""Seconds without audio, by the times of sending, after which the carrier has run dry."""


@dataclass(slots=True, eq=False)
class _Spurt:
    """Audio that the carrier plays without a break."""

    start: float
    """When its first sample would be played by a carrier without delay, seconds."""
    shift: float | None = None
    """From there to the news of it, seconds, as the echo of a mark has shown."""
    audio: bytearray = field(default_factory=bytearray)
    gone: int = 0
    """Bytes of its beginning that are not in `audio` any more."""
    placed: int | None = None
    """Where its first sample is, once any of it was given out: then it moves no more."""

    @property
    def end(self) -> float:
        """When its last sample ends, seconds of sending."""
        return self.start + (self.gone + len(self.audio)) / RATE


@dataclass(slots=True, eq=False)
class _Cut:
    """A clear whose fence was not echoed yet."""

    sent: float
    marks: list[Mark]
    spurts: list[_Spurt]
    fence: str = ""
    echoes: dict[str, Echo] = field(default_factory=dict)


class AsHeard:
    """Tell it what goes to the carrier and what comes back; `take` what was heard, some seconds later."""

    def __init__(self) -> None:
        self._spurts: deque[_Spurt] = deque()  # in order of time
        self._marks: list[Mark] = []  # not echoed, oldest first
        self._cuts: list[_Cut] = []
        self._end = -math.inf  # when all that was sent has been played, seconds of sending
        self._guess = 0.0
        self._least: float | None = None
        self._floor = 0  # nothing is placed before this any more

    # --- what goes out ---

    def sent(self, due: float, audio: bytes, round_trip: float) -> None:
        """A piece of the agent's voice, mu-law.

        Args:
            due: when a carrier without delay would play its first sample, seconds.
            audio: what it is.
            round_trip: from sending to news, seconds, as known now: for audio of which no mark tells.
        """
        self._guess = round_trip
        if not self._spurts or due > self._end + BREAK:
            self._spurts.append(_Spurt(due))
            self._end = due
        self._spurts[-1].audio += audio
        self._end += len(audio) / RATE

    def marked(self, name: str, now: float) -> None:
        """A mark, behind all that was sent; the first one behind a clear is its fence. `now` in seconds."""
        if self._cuts and not self._cuts[-1].fence:
            self._cuts[-1].fence = name
            return
        due = max(self._end, now)
        self._marks.append(Mark(name, MarkKind.PLACE, 0, 0, now, due, empty=self._end <= now, earliest=due))

    def cleared(self, now: float) -> None:
        """A clear, at that time in seconds: which marks were played before it is known when its fence is echoed."""
        self._cuts.append(_Cut(now, self._marks, [spurt for spurt in self._spurts if spurt.end > now - 2 * FRAME]))
        self._marks = []
        self._end = -math.inf

    # --- what comes back ---

    def echoed(self, name: str, sequence: int, at: float) -> None:
        """The carrier echoes a mark.

        Args:
            name: of the mark; others are ignored.
            sequence: the carrier's number of the message; 0 when it gave none.
            at: when it came, seconds.
        """
        index = next((index for index, mark in enumerate(self._marks) if mark.name == name), None)
        if index is not None:
            while self._cuts:  # this mark was sent behind their fences: those are lost
                self._settle(self._cuts[0], None)
            mark = self._marks[index]
            if at < mark.earliest - FRAME:  # no carrier plays faster than time passes: the clock knows better
                mark.early = True
                return
            del self._marks[: index + 1]
            self._learn(mark, at)
            return
        for cut in self._cuts:
            if name == cut.fence:
                while self._cuts[0] is not cut:
                    self._settle(self._cuts[0], None)
                self._settle(cut, Echo(sequence, at))
                return
            if any(mark.name == name for mark in cut.marks):
                cut.echoes.setdefault(name, Echo(sequence, at))
                return

    def _learn(self, mark: Mark, at: float) -> None:
        """A played mark tells how long news takes; the fastest of a spurt's marks tells it best."""
        delay = at - mark.due
        if mark.empty:
            self._least = delay if self._least is None else min(self._least, delay)
        spurt = next((each for each in reversed(self._spurts) if each.start <= mark.due + BREAK), None)
        if spurt is None or spurt.placed is not None or mark.due > spurt.end + BREAK:
            return
        if mark.empty or delay >= (self._least or 0.0) / 2:  # else it came before its audio was played
            spurt.shift = delay if spurt.shift is None else min(spurt.shift, delay)

    def _settle(self, cut: _Cut, fence: Echo | None) -> None:
        """It is known which marks were played before a clear: between the last of them and the next the sound ended."""
        self._cuts.remove(cut)
        count = count_played(cut.marks, cut.echoes, fence, cut.sent, self._least or 0.0)
        for mark in cut.marks[:count]:
            if mark.name in cut.echoes:
                self._learn(mark, cut.echoes[mark.name].at)
        least = cut.marks[count - 1].due if count else -math.inf
        most = cut.marks[count].due if count < len(cut.marks) else math.inf
        end = cut.sent + FRAME / 2
        if not least <= end <= most and fence is not None and cut.spurts:
            end = fence.at - self._shift(cut.spurts[-1])  # the clear took longer than the audio, or less
        end = min(max(end, least), most)
        for spurt in cut.spurts:
            del spurt.audio[max(0, round((end - spurt.start) * RATE) - spurt.gone) :]

    # --- what was heard ---

    def _shift(self, spurt: _Spurt) -> float:
        if spurt.shift is not None:
            return spurt.shift
        return self._guess if self._least is None else self._least

    def _place(self, spurt: _Spurt, floor: int) -> int:
        """Where a spurt begins. What is played later is heard later."""
        if spurt.placed is not None:
            return spurt.placed
        return max(round((spurt.start + self._shift(spurt)) * RATE), floor)

    def take(self, first: int, until: int) -> bytearray:
        """What was heard from one sample to another, mu-law, with silence where there was nothing. What lies before
        `until` is forgotten: the next time begins there."""
        while self._cuts and self._cuts[0].sent * RATE < until:
            self._settle(self._cuts[0], None)
        heard = bytearray(SILENCE) * (until - first)
        while self._spurts:
            spurt = self._spurts[0]
            begin = self._place(spurt, self._floor)
            if begin >= until:
                break
            spurt.placed = begin
            at = begin + spurt.gone  # where what is left of it begins
            size = min(len(spurt.audio), max(0, until - at))
            skip = max(0, first - at)
            if skip < size:
                heard[at + skip - first : at + size - first] = spurt.audio[skip:size]
            del spurt.audio[:size]
            spurt.gone += size
            self._floor = at + size
            if spurt.audio or len(self._spurts) == 1:
                break
            self._spurts.popleft()
        while self._marks and self._marks[0].due * RATE < until:
            del self._marks[0]
        return heard

    def blank(self, first: int, until: int) -> None:
        """Forget what was heard from one sample to another: silence takes its place."""
        floor = self._floor
        for spurt in self._spurts:
            at = self._place(spurt, floor) + spurt.gone
            floor = at + len(spurt.audio)
            begin, end = max(first, at) - at, min(until, floor) - at
            if begin < end:
                spurt.audio[begin:end] = SILENCE * (end - begin)
