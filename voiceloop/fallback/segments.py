"""Numbers of the segments of one stream, whoever recognised them. Pure: transcripts in, transcripts out.

What a recogniser takes for final is told as final only when all was settled: until then another one may have to
recognise the same audio again, in other words.
"""

from __future__ import annotations

from voiceloop.frames import Transcript, Word

__all__ = ["Numbering", "Segments", "shifted"]

_REMEMBERED = 32
"""Segments that may still be revised; older ones are not."""


class Numbering:
    """How the segments of one recogniser are numbered in the stream."""

    __slots__ = ("closed", "finals", "numbers", "start")

    def __init__(self, start: float = 0.0) -> None:
        self.start = start
        """Where in the stream it began to hear, seconds: it counts the times of its words from there."""
        self.numbers: dict[int, int] = {}
        self.finals: set[int] = set()
        """Its own numbers of segments that it will not revise, not told as such yet."""
        self.closed: set[int] = set()
        """Its own numbers of segments that were told as final: if one comes again, it is a new segment."""


class Segments:
    """Texts of a stream."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._words: dict[int, tuple[Word, ...]] = {}
        self._free = 0
        self._settled: dict[int, str] = {}
        self._settled_free = 0
        self._stale: set[int] = set()

    def hear(self, numbering: Numbering, transcript: Transcript) -> Transcript:
        """A transcript, with its number in the stream."""
        own = transcript.segment
        if own not in numbering.numbers or own in numbering.closed:
            numbering.numbers[own] = self._free
            numbering.closed.discard(own)
            self._free += 1
        number = numbering.numbers[own]
        if transcript.final:
            numbering.finals.add(own)
        self._texts[number] = transcript.text
        self._words[number] = shifted(transcript.words, numbering.start)
        self._stale.discard(number)
        return Transcript(transcript.text, False, number)

    def taken_over(self) -> list[Transcript]:
        """Another recogniser begins anew behind what was settled: take the rest back. Its words replace it."""
        back = [
            Transcript(text, False, number)
            for number, text in self._settled.items()
            if self._texts.get(number, text) != text
        ]
        self._stale |= {number for number in self._texts if number >= self._settled_free}
        self._texts = dict(self._settled)
        self._free = self._settled_free
        return back

    def settle(self, numbering: Numbering) -> list[Transcript]:
        """All words are out: what else is to be told."""
        told = [Transcript("", False, number) for number in sorted(self._stale)]
        blank = bool(told)
        self._free = max([self._free, *(number + 1 for number in self._stale)])
        self._stale.clear()
        for own in sorted(numbering.finals):
            number = numbering.numbers[own]
            if number in self._texts:
                told.append(Transcript(self._texts.pop(number), True, number, words=self._words.pop(number, ())))
                blank = False
        numbering.closed |= numbering.finals
        numbering.finals.clear()
        if blank and self._texts:  # the last word is not that there was none
            last = max(self._texts)
            told.append(Transcript(self._texts[last], False, last))
        for number in sorted(self._texts)[:-_REMEMBERED]:
            del self._texts[number]
            self._words.pop(number, None)
        self._settled, self._settled_free = dict(self._texts), self._free
        return told


def shifted(words: tuple[Word, ...], seconds: float) -> tuple[Word, ...]:
    """The same words, so much later."""
    return tuple(Word(word.text, word.start + seconds, word.end + seconds) for word in words) if seconds else words
