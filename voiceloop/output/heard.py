"""The heard ledger: what of an answer's text the caller heard. Pure: positions in, text out.

`Playout` knows how many bytes of a voice were played, the voice says at which byte a word ends, and `align` says
where in the model's text that word is. Where something else was spoken than the model wrote, `align` looks in that,
and the script of the answer says what stands for what: a written word is heard when all that is said for it was.

The error: never ahead of what was played as long as echoes come. Behind by
at most the words that end between two marks: with word times known before their audio is sent, that is a word whose
end was played in the very 20 ms in which a clear took effect. For a voice that does not say when its words end, they
are looked for in its audio (`Measured`); then it may be either. `Heard.off` says how far.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from voiceloop.frames import Word
from voiceloop.output.align import Alignment, align, token_ends
from voiceloop.output.events import RATE, Position
from voiceloop.output.measured import Measured
from voiceloop.output.voice import bytes_at

__all__ = ["Heard", "HeardLedger"]

_EVEN = 0.02 * RATE
"""Bytes by which the times of sending put the end of what was played too late: a frame."""
_SHORTEST = 0.1 * RATE
"""Bytes of audio that a word takes at least, however fast it is spoken."""
_ROUNDED = 0.05 * RATE
"""Bytes by which a word may be said to end behind all audio: times are rounded, and a voice may be a little slow. When
more of it is missing, the voice has stopped before its end."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of an answer."""

    text: str
    """The model's own text up to the last word heard, stripped."""
    unheard: str
    """The rest of it, stripped."""
    words_heard: int
    """Spoken words heard to their end; for a voice without word times, words of the text."""
    exact: bool
    """True when this is final and rests on echoes, on word times, and on a word that was found in the text."""
    bound_words: int
    """At most this many spoken words were heard to their end, by the times of sending."""
    off: int = 0
    """By at most so many words `words_heard` may be wrong, too many or too few."""


@dataclass(slots=True)
class _Entry:
    text: str = ""
    words: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # bytes, ascending
    starts: list[float] = field(default_factory=list)  # seconds
    alignment: Alignment | None = None  # None when text or words changed since
    complete: bool = False  # what the alignment was made for
    script: Sequence[tuple[str, int]] = ()
    pieces: int = 0  # of the script, that are in what follows
    said: str = ""  # all that is spoken
    stops: list[tuple[int, int]] = field(default_factory=list)  # ends in `said` of what sounds, and in the text
    audio: list[bytes] = field(default_factory=list)  # of a voice that has not said any words yet, not looked at yet
    measured: Measured | None = None
    _ended: tuple[str, list[int]] = ("", [])

    def token_ends(self, spoken: str) -> list[int]:
        """As `align.token_ends`, kept until another text comes."""
        if self._ended[0] != spoken:
            self._ended = spoken, token_ends(spoken)
        return self._ended[1]

    def spoken(self) -> str:
        """What the voice was given."""
        if len(self.script) < self.pieces:  # it was given up
            self.pieces, self.said, self.alignment = 0, "", None
            self.stops.clear()
        for said, end in self.script[self.pieces :]:
            if any(map(str.isalnum, said)) or not self.stops:
                self.stops.append((len(self.said) + len(said.rstrip()), end))
            else:  # what makes no sound belongs to what came before
                self.stops[-1] = (self.stops[-1][0], end)
            self.said += said
            self.alignment = None
        self.pieces = len(self.script)
        return self.said if self.pieces else self.text

    def written(self, offset: int) -> int:
        """Where in the text one is at an offset of what is spoken."""
        if not self.pieces:
            return offset
        index = bisect_right(self.stops, offset, key=lambda stop: stop[0])
        return min(self.stops[index - 1][1], len(self.text)) if index else 0


class HeardLedger:
    """Text and words of answers, by the same keys as in `Playout`."""

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._pace: float | None = None  # of the voice, where it has to be measured

    def add_text(self, key: int, text: str) -> None:
        """A piece of the answer's text as the model wrote it."""
        entry = self._entries.setdefault(key, _Entry())
        entry.text += text
        entry.alignment = None

    def follow(self, key: int, script: Sequence[tuple[str, int]]) -> None:
        """Say what is spoken instead of the text: `Answer.script`, which may grow afterwards."""
        self._entries.setdefault(key, _Entry()).script = script

    def add_words(self, key: int, words: Iterable[Word]) -> None:
        """Words of the answer's voice, times in seconds from its first sample. Before, with or after their audio."""
        entry = self._entries.setdefault(key, _Entry())
        for word in words:
            end = bytes_at(word.end)
            index = bisect_right(entry.ends, end)
            entry.ends.insert(index, end)
            entry.words.insert(index, word.text)
            entry.starts.insert(index, word.start)
            entry.alignment = None
        if entry.words:
            entry.audio, entry.measured = [], None

    def add_audio(self, key: int, audio: bytes) -> None:
        """A piece of the answer's voice, mu-law. It is looked at only when the voice does not say its words."""
        entry = self._entries.setdefault(key, _Entry())
        if audio and not entry.words:
            entry.audio.append(audio)

    def forget(self, key: int) -> None:
        """Let go of an answer."""
        entry = self._entries.pop(key, None)
        if entry is not None and entry.measured is not None:
            self._pace = entry.measured.pace or self._pace

    def words(self, key: int, heard: Heard) -> tuple[Word, ...]:
        """The words that were heard, as the model wrote them, with times in seconds from the first sample of the voice.

        Several spoken words for one written word are one; empty for a voice without word times.
        """
        entry = self._entries.get(key)
        if entry is None or not entry.words:
            return ()
        spoken, whole = entry.spoken(), not heard.unheard
        alignment = entry.alignment
        if alignment is None or entry.complete is not whole:
            alignment = align(spoken, entry.words, complete=whole)
        words: list[Word] = []
        start, before = None, 0
        for index in range(heard.words_heard):
            start = entry.starts[index] if start is None else start
            after = entry.written(alignment.ends[index])
            written = entry.text[before:after].strip()
            if written:
                words.append(Word(written, start, entry.ends[index] / RATE))
                start, before = None, after
        return tuple(words)

    def heard(self, key: int, position: Position) -> Heard:
        """What was heard of an answer that was played this far: `Playout.position`. Cheap enough for every mark."""
        entry = self._entries.get(key) or _Entry()
        if position.complete and not _ended_early(entry, position):
            words = len(entry.words) or len(token_ends(entry.text))
            return Heard(entry.text.strip(), "", words, not position.assumed, words, int(position.assumed))
        spoken = entry.spoken()
        if not entry.words:
            return self._by_sound(entry, spoken, position)
        complete = position.finished
        if entry.alignment is None or entry.complete is not complete:
            entry.alignment = align(spoken, entry.words, complete=complete)
            entry.complete = complete
        count = _count(entry, position.played, position)
        cut = entry.written(entry.alignment.ends[count - 1]) if count else 0
        known = not count or entry.alignment.sure[count - 1]
        exact = known and position.settled and not position.assumed
        most = max(count, _count(entry, position.bound, position))
        # In the frame of the clear itself a word may have ended: that is what `exact` does not tell.
        least = _count(entry, position.played - position.doubt, position)
        off = max(most - count, count - least, int(position.assumed), 0 if known else _missed(entry.alignment, count))
        return Heard(entry.text[:cut].strip(), entry.text[cut:].strip(), count, exact, most, off)

    def _by_sound(self, entry: _Entry, spoken: str, position: Position) -> Heard:
        """Without word times: as many words as were most likely played, by what its audio shows."""
        measured = entry.measured
        if measured is None:
            measured = entry.measured = Measured(self._pace)
        for audio in entry.audio:
            measured.add(audio)
        entry.audio = []
        high = max(position.played, position.bound - round(_EVEN))
        low = position.played - position.doubt
        reach = measured.reach(spoken, low, high, total=position.total, finished=position.finished)
        ends = entry.token_ends(spoken)
        cut = entry.written(ends[reach.count - 1]) if reach.count else 0
        # Before the first sound it is certain, and after that never quite.
        off = max(reach.most - reach.count, reach.count - reach.least, min(1, reach.most))
        text, unheard = entry.text[:cut].strip(), entry.text[cut:].strip()
        return Heard(text, unheard, reach.count, exact=False, bound_words=reach.most, off=off)


def _ended_early(entry: _Entry, position: Position) -> bool:
    """Whether a voice that says when it speaks which word has stopped before the end of the text, as if that were all.

    Its last word is not in the audio; or it was found for sure, text follows that, and no audio in which that could
    have been spoken.
    """
    if not entry.words:
        return False
    if entry.ends[-1] > position.total + _ROUNDED:
        return True
    spoken = entry.spoken()
    alignment = align(spoken, entry.words, complete=True)
    left = len(token_ends(spoken[alignment.ends[-1] :]))
    return alignment.sure[-1] and left * _SHORTEST > position.total - entry.ends[-1]


def _count(entry: _Entry, played: int, position: Position) -> int:
    """Words heard to their end. One that is said to end a little behind all audio ends with it."""
    if position.finished and played >= position.total:
        played = position.total + round(_ROUNDED)
    return bisect_right(entry.ends, played)


def _missed(alignment: Alignment, count: int) -> int:
    """Words up to this one, the last of them, that were not found in the text."""
    found = (index for index in range(count - 1, -1, -1) if alignment.sure[index])
    return count - 1 - next(found, -1)
