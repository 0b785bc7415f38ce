"""The recogniser of a what-if: the recorded transcripts, where they came in the caller's audio."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final, Self

from voiceloop.flight.entries import Entry
from voiceloop.flight.items import FlushNumber, NotKept
from voiceloop.frames import Transcript
from voiceloop.replay.read_back import failure_of_entry
from voiceloop.replay.what_if.desk import Desk
from voiceloop.replay.what_if.ground import Standing
from voiceloop.replay.what_if.recorded import Made, Recorded
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush

__all__ = ["WhatIfSTT", "plain_words"]

NEAREST: Final = 1.0
"""Seconds by which a pause may be noticed sooner or later than in the recording, and still be the same pause."""
HAIR: Final = 1e-6
SAME: Final = 0.03
"""Seconds within which it is noticed at the same place."""
DELAY: Final = 0.1
"""Seconds from a pause to the recogniser's answer, where the recording has none."""


@dataclass(slots=True)
class _Given:
    """Something the recogniser gave."""

    at: float
    item: Any
    stream: int


@dataclass(slots=True)
class _Asked:
    """A pause at which the recogniser was told to settle. Times as in the recording."""

    at: float
    stream: int
    answered: float | None = None
    given: list[_Given] = field(default_factory=list)
    """What it gave because of that."""
    over: bool = False
    """Whether today's call has come by it."""


class _Stream:
    """One `transcribe` of today."""

    def __init__(self, number: int, at: float) -> None:
        self.number = number
        self.at = at
        self.segments: dict[tuple[int, int], int] = {}
        self.before: dict[tuple[int, int], list[str]] = {}
        self.waiting = 0
        """Flushes that were not answered."""
        self.closed = False
        self._out: list[tuple[float, int, Any]] = []
        self._order = 0
        self._news: asyncio.Event = asyncio.Event()

    def put(self, at: float, item: Any) -> None:
        """Have something given at a time."""
        self._order += 1
        heapq.heappush(self._out, (at, self._order, item))
        self._news.set()

    def close(self) -> None:
        """No more audio comes."""
        self.closed = True
        self._news.set()

    async def next(self) -> Any:
        """The next thing that is due; None when nothing more comes."""
        loop = asyncio.get_running_loop()
        while True:
            if self._out and self._out[0][0] <= loop.time():
                return heapq.heappop(self._out)[2]
            if self.closed and not self._out and not self.waiting:
                return None
            self._news.clear()
            if not self._out:
                await self._news.wait()
                continue
            try:
                async with asyncio.timeout_at(self._out[0][0]):
                    await self._news.wait()
            except TimeoutError:
                pass


class WhatIfSTT(STT):
    """Understands what was understood then.

    A transcript that came while the caller spoke comes at the same place in the caller's audio; one that came when the
    recogniser was told to settle comes as long after that. Where utterances are divided otherwise than in the
    recording, the words of one are divided, or those of several put together, likewise.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._streams: list[_Stream] = []
        self._open: list[_Stream] = []
        self._words: dict[tuple[int, int], tuple[_Stream, list[str]]] = {}
        self._asked, self._given = _sorted(desk.recorded, self.per_call)
        answered = [each.answered - each.at for each in self._asked if each.answered is not None]
        self._delay = median(answered) if answered else DELAY
        self._begun = False

    def for_language(self, language: str) -> Self:
        """The same."""
        return self

    async def transcribe(
        self, audio: AsyncIterator[bytes | Flush]
    ) -> AsyncGenerator[Transcript | Flush | Served, None]:
        """One stream of audio."""
        loop = asyncio.get_running_loop()
        stream = _Stream(len(self._streams), loop.time())
        self._streams.append(stream)
        self._open.append(stream)
        self._begin()
        reading = loop.create_task(self._read(stream, audio))
        try:
            while (item := await stream.next()) is not None:
                if isinstance(item, Entry):
                    raise failure_of_entry(item)
                if item is _END:
                    return
                if isinstance(item, Flush):
                    stream.waiting -= 1
                if isinstance(item, _Given):
                    made = self._made(stream, item)
                    if made is not None:
                        yield made
                else:
                    yield item
        finally:
            reading.cancel()
            self._open.remove(stream)

    async def _read(self, stream: _Stream, audio: AsyncIterator[bytes | Flush]) -> None:
        async for piece in audio:
            if isinstance(piece, Flush):
                self._settle(stream, piece)
        stream.close()

    # --- what comes when ---

    def _begin(self) -> None:
        """What came while the caller spoke comes at its place in the audio, whoever listens then."""
        if self._begun:
            return
        self._begun = True
        loop = asyncio.get_running_loop()
        for given in self._given:
            if given.at >= loop.time():
                loop.call_at(given.at, self._deliver, given)

    def _deliver(self, given: _Given) -> None:
        if not self._open:
            return
        began = self._desk.recorded.listened[given.stream].at
        same = [each for each in self._open if abs(each.at - began) <= SAME and not each.closed]
        stream = same[0] if same else self._open[-1]
        stream.put(given.at, given if isinstance(given.item, Transcript | Served) else given.item)

    def _settle(self, stream: _Stream, flush: Flush) -> None:
        """Answer for a pause as the recogniser did."""
        now = asyncio.get_running_loop().time()
        stream.waiting += 1
        asked = self._pause(now)
        if asked is None:
            what = "the recogniser is told to settle where it was not: the words that are known by then are taken"
            self._desk.ground.leave(now, Standing.STAND_IN, what)
            stream.put(now + self._delay, flush)
            return
        later = now - asked.at if abs(now - asked.at) > SAME else 0.0
        for before in self._asked[: self._asked.index(asked)]:
            if not before.over:
                before.over = True
                for given in before.given:  # of a pause that is none today: its words come with these
                    stream.put(asked.at + later, given)
        asked.over = True
        for given in asked.given:
            stream.put(given.at + later, given)
        if asked.answered is not None:
            stream.put(asked.answered + later, flush)

    def _pause(self, now: float) -> _Asked | None:
        left = [each for each in self._asked if abs(each.at - now) <= NEAREST]
        fresh = [each for each in left if not each.over]
        again = [each for each in left if each.over and abs(each.at - now) <= SAME]
        return min(fresh or again, key=lambda each: abs(each.at - now), default=None)

    # --- whose words ---

    def _made(self, stream: _Stream, given: _Given) -> Any:
        """A transcript as this stream would have had it; None when nothing of it is left."""
        item = given.item
        if not isinstance(item, Transcript) or self.per_call:
            return item
        key = (given.stream, item.segment)
        words = item.text.split()
        holder, known = self._words.get(key, (stream, []))
        if holder.number < stream.number:  # a stream before this one has had a part of them
            stream.before[key] = known
        self._words[key] = (stream, words)
        before = stream.before.get(key, [])
        left = words[len(before) :]
        if before and plain_words(words[: len(before)]) != plain_words(before):
            had = " ".join(before)
            what = f"{item.text!r} was understood where {had!r} had ended an utterance: divided by the number of words"
            self._desk.ground.leave(asyncio.get_running_loop().time(), Standing.STAND_IN, what)
        if before and not left:
            return None
        segment = stream.segments.setdefault(key, len(stream.segments))
        times = item.words[len(before) :] if len(item.words) == len(words) else item.words
        return replace(item, text=" ".join(left) if before else item.text, segment=segment, words=times)


_END: Final = object()


def plain_words(words: list[str]) -> list[str]:
    """Words without the signs and capitals that a recogniser adds."""
    return [word.strip(".,!?;:…").casefold() for word in words]


def _sorted(recorded: Recorded, per_call: bool) -> tuple[list[_Asked], list[_Given]]:
    """Pauses with what the recogniser gave because of them, and what it gave otherwise; both in order."""
    asked: list[_Asked] = []
    otherwise: list[_Given] = []
    streams = recorded.listened
    for number, made in enumerate(streams):
        until = streams[number + 1].at if number + 1 < len(streams) else float("inf")
        own = _pauses(recorded, made, number, until)
        asked += own
        for at, item in made.items:
            pause = next((each for each in reversed(own) if each.at <= at), None)
            if isinstance(item, FlushNumber):
                if int(item) < len(own):
                    own[int(item)].answered = at
            elif not isinstance(item, NotKept):
                because = pause is not None and pause.answered is None
                (pause.given if pause is not None and because else otherwise).append(_Given(at, item, number))
        if made.ended is not None and (
            made.failure is not None or made.ended < _closed(recorded, made, until, per_call)
        ):
            otherwise.append(_Given(made.ended, made.failure or _END, number))
    asked.sort(key=lambda each: each.at)
    otherwise.sort(key=lambda each: each.at)
    return asked, otherwise


def _pauses(recorded: Recorded, made: Made, number: int, until: float) -> list[_Asked]:
    """When the recogniser of a stream was told to settle."""
    own = [_Asked(at, number) for at in recorded.pauses if made.at <= at < until]
    again = number and not any(abs(at - made.at) < HAIR for at in recorded.speeches)
    again = again and not any(abs(each.at - made.at) < HAIR for each in own)
    if again and not any(isinstance(item, FlushNumber) for _, item in recorded.listened[number - 1].items):
        own.insert(0, _Asked(made.at, number))  # a second try: asked for what the first did not answer
    return own


def _closed(recorded: Recorded, made: Made, until: float, per_call: bool) -> float:
    """When a stream got no more audio."""
    turns: list[float] = [] if per_call else [note["noted"] for note in recorded.notes if note["k"] == "said"]
    ended = float("inf") if recorded.ended is None else recorded.ended
    return min([until, ended, *(at for at in turns if at > made.at)])
