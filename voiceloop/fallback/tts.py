"""Voices that stand in for each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from voiceloop.fallback.members import SpokenMembers
from voiceloop.fallback.options import FallbackOptions
from voiceloop.fallback.relay import Relay, Run
from voiceloop.fallback.request import EARLY, Request
from voiceloop.fallback.script import Reader, Script, sounds
from voiceloop.fallback.seam import LETTERS_A_SECOND, complete, estimated_words, spoken
from voiceloop.served import Served
from voiceloop.tts.base import TTS, Speech, Word

__all__ = ["FallbackTTS"]

FIRST = 0.6
STALL = 0.6
RATE = 8000


class FallbackTTS(SpokenMembers[TTS], TTS):  # type: ignore[override]  # languages depend on the voices
    """Speaks with the first voice that is well. When it fails in the middle of an answer another voice goes on.

    That one begins with the first word whose audio was not given out whole, by the times of words; where a voice tells
    none, by an estimate, with the phrase that was spoken last. A voice that has been given no whole sentence yet, or
    whose audio has not been played yet, is not late.

    Raises, from `generate`: `FallbackFailed`.
    """

    def __init__(self, providers: Sequence[TTS], options: FallbackOptions | None = None) -> None:
        super().__init__(providers, options)
        self._paces: dict[int, float] = {}

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Served, None]:
        answer = _Spoken(self)
        answer.script.read(text)
        try:
            async with aclosing(answer.items()) as items:
                async for item in items:
                    yield item
        finally:
            answer.script.close()
        if answer.script.failure is not None:
            raise answer.script.failure

    def pace(self, place: int) -> float:
        """Letters a second at which a voice speaks, as far as it is known."""
        return self._paces.get(place, LETTERS_A_SECOND)

    def learn_pace(self, place: int, letters: int, seconds: float) -> None:
        """A voice has spoken a whole text."""
        if letters >= 20 and seconds > 0:
            self._paces[place] = min(40.0, max(5.0, letters / seconds))


@dataclass(slots=True, eq=False)
class _Run(Run[Speech]):
    start: int = 0
    """Where in the text it begins."""
    at: int = 0
    """Bytes of audio before its own."""
    size: int = 0
    """Bytes of its own."""
    words: list[Word] = field(default_factory=list)
    """What it told, times as it told them."""
    told: int = 0
    """How many of them were given out."""
    guessed: int = 0
    """Where in the text the words end that were estimated for it."""
    guessed_at: float = 0.0
    """When, seconds of the whole audio."""

    @property
    def seconds(self) -> float:
        return self.size / RATE


class _Spoken(Relay[Speech, _Run]):
    """One answer."""

    def __init__(self, voices: FallbackTTS) -> None:
        options = voices.options
        super().__init__(voices, options.first or FIRST, options.stall or STALL)
        self._voices = voices
        self.script = Script(self.news.tell)
        self._voice: _Run | None = None  # who spoke last
        self._size = 0  # bytes given out
        self._played = 0.0  # when all that will have been played at the earliest, seconds
        self._mixed = False  # several voices had a part in this, so words must be known throughout

    def begin(self, place: int, now: float) -> _Run:
        start = self._seam()
        request: Request[Speech | Served] = Request(
            self._voices.providers[place].generate(Reader(self.script, start)),
            lambda: self._voices.ready(place),
            self.news,
            self._voices.tasks,
            f"voice of {self._voices.names[place]}",
        )
        return _Run(place, request, now, start=start, at=self._size, guessed=start, guessed_at=self._size / RATE)

    def says(self, item: Speech) -> bool:
        return bool(item.audio)

    def give(self, run: _Run, item: Speech) -> Iterator[Speech]:
        before: tuple[Word, ...] = ()
        if self._voice is not run:
            before = self._guess_end(self._voice, run.start)
            self._mixed = self._mixed or self._size > 0
            self._voice = run
        self._size += len(item.audio)
        run.size += len(item.audio)
        run.words += item.words
        self._played = max(self._played, self._loop.time()) + len(item.audio) / RATE
        words = (*before, *self._whole(run, run.seconds), *self._guess(run))
        if item.audio or words:
            yield Speech(item.audio, words)

    def _whole(self, run: _Run, until: float) -> tuple[Word, ...]:
        """Words whose audio was given out whole and that were not told yet; times of the whole audio."""
        offset, first = run.at / RATE, run.told
        while run.told < len(run.words) and run.words[run.told].end <= until + EARLY:
            run.told += 1
        return tuple(Word(word.text, word.start + offset, word.end + offset) for word in run.words[first : run.told])

    def _guess(self, run: _Run) -> tuple[Word, ...]:
        """Words of a voice that tells none, where another one has told some."""
        if not self._mixed or run.words:
            return ()
        end = run.start + int(run.seconds * self._voices.pace(run.place))
        text = self.script.text
        while run.guessed < end < len(text) and not text[end - 1].isspace():
            end -= 1
        return self._guessed(run, min(end, len(text) if self.script.over else end))

    def _guess_end(self, run: _Run | None, end: int) -> tuple[Word, ...]:
        """A voice that tells no words has spoken up to there."""
        return self._guessed(run, end) if run is not None and not run.words else ()

    def _guessed(self, run: _Run, end: int) -> tuple[Word, ...]:
        if end <= run.guessed:
            return ()
        until = (run.at + run.size) / RATE
        words = estimated_words(self.script.text[run.guessed : end], run.guessed_at, until)
        run.guessed, run.guessed_at = end, until
        return words

    def _seam(self) -> int:
        """The first word whose audio was not given out whole."""
        run = self._voice
        if run is None:
            return 0
        text = self.script.text[run.start :]
        return run.start + spoken(text, run.words, run.seconds, self._voices.pace(run.place))

    def due(self, run: _Run) -> float | None:
        wait = self.stall if run.won else self.first
        soonest = max(run.since + wait, self._played - wait)
        if self._loop.time() + EARLY < soonest:
            return soonest
        since = self.script.speakable(self._reached(run))
        since = self.script.ended if since is None else since
        return None if since is None else max(soonest, since + wait)

    def _reached(self, run: _Run) -> int:
        """How far it may have come at most."""
        if run.words:
            return self._seam() if run is self._voice else run.start
        return run.start + int(2 * run.seconds * self._voices.pace(run.place))

    def end(self, run: _Run) -> list[Speech] | None:
        text = self.script.text[run.start :]
        if self.script.failure is None:
            if not self.script.over:
                return None
            if sounds(text) and not (run.size and complete(text, run.words, run.seconds, self._voices.pace(run.place))):
                return None
        last = [each for item in run.held for each in self.give(run, item)]
        self._voices.learn_pace(run.place, len(text), run.seconds)
        words = self._whole(run, float("inf"))
        if self._mixed:
            words += self._guess_end(run, len(self.script.text))
        return [*last, Speech(words=words)] if words else last

    def short(self, run: _Run) -> str:
        if not run.size and self.script.over:
            return "it gave no audio"
        return "it ended in the middle of the text"

    def enough(self) -> bool:
        if self.script.failure is not None:
            return True
        return self.script.over and self._size > 0 and not sounds(self.script.text[self._seam() :])
