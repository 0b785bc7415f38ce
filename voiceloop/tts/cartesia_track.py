"""The audio of one context and its words: what can be given, and where to go on when it breaks off. Pure.

Audio is given up to the end of the last word of which all is there, so that an answer that has to be continued
elsewhere continues with a whole word; and without that restraint when the caller would have to wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from voiceloop.frames import Word
from voiceloop.output.align import align
from voiceloop.output.voice import bytes_at
from voiceloop.tts.base import Speech

__all__ = ["RATE", "Track"]

RATE = 8000
"""Bytes a second: mu-law."""
_UNTIMED = 3.0
"""Seconds of audio without any word time from which on it is not known where to go on."""


class Track:
    """One context.

    Args:
        base: seconds of audio of the answer before it.
    """

    def __init__(self, base: float = 0.0) -> None:
        self._base = base
        self._audio = bytearray()
        self._words: list[Word] = []  # seconds from the start of the context
        self._told = 0
        self.sent = ""
        """Text that was handed over."""
        self.received = 0
        """Bytes of audio that came."""
        self.given = 0
        """Bytes of audio that were given."""

    @property
    def held(self) -> bool:
        """Whether there is audio that was not given."""
        return self.given < self.received

    def add(self, audio: bytes, words: Iterable[Word]) -> None:
        """What came, in any order. Words are taken to be in theirs: none begins or ends before the one before it."""
        self._audio += audio
        self.received += len(audio)
        for word in words:
            last = self._words[-1] if self._words else Word("", 0.0, 0.0)
            start = max(word.start, last.start)
            self._words.append(Word(word.text, start, max(word.end, start, last.end)))

    def take(self, *, all: bool) -> Speech | None:
        """What can be given now.

        Args:
            all: also audio of a word that is not known to be whole.
        """
        end = self.received if all else max(self.given, self._whole_end())
        return self._give(end, self._count(end))

    def finish(self) -> Speech | None:
        """All of it: the context is complete. A word that is said to end behind its audio ends with it."""
        return self._give(self.received, len(self._words))

    def cut(self) -> tuple[Speech | None, int]:
        """The context broke off: the rest of what is whole, and how much of `sent` was spoken by then.

        What was given of a word that is not whole cannot be taken back; the word is spoken again. So are words that
        no time was told for.

        Raises:
            LookupError: much was spoken, and no times came.
        """
        end = max(self.given, self._whole_end())
        count = self._count(end)
        if not count and self.given > _UNTIMED * RATE:
            raise LookupError(f"{self.given / RATE:.1f} s were spoken and no word times came")
        return self._give(end, count), self.spoken(count)

    def spoken(self, count: int | None = None) -> int:
        """How much of `sent` its first words are, all of them if not said otherwise."""
        words = [word.text for word in self._words[:count]]
        return align(self.sent, words, complete=False).ends[-1] if words else 0

    @property
    def covered(self) -> bool:
        """Whether all that was handed over has been spoken, by the words that came."""
        if self._words and bytes_at(self._words[-1].end) > self.received:
            return False
        return not any(map(str.isalnum, self.sent[self.spoken() :]))

    def _whole_end(self) -> int:
        """Where the last word ends of which all audio is there."""
        count = self._count(self.received)
        return bytes_at(self._words[count - 1].end) if count else 0

    def _count(self, end: int) -> int:
        """Words that end by then."""
        count = len(self._words)
        while count and bytes_at(self._words[count - 1].end) > end:
            count -= 1
        return count

    def _give(self, end: int, count: int) -> Speech | None:
        audio = bytes(self._audio[: end - self.given])
        del self._audio[: end - self.given]
        self.given = end
        last = end / RATE
        words = tuple(
            Word(word.text, self._base + min(word.start, last), self._base + min(word.end, last))
            for word in self._words[self._told : count]
        )
        self._told = max(self._told, count)
        return Speech(audio, words) if audio or words else None
