"""What a rule sees: the words from the one to be read on, and what was read before. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from voiceloop.text.speaker import Speaker
from voiceloop.text.words import Role, Word

__all__ = ["Context", "Match", "More", "Window"]

_ENDS = frozenset(".!?:…")


class More(Exception):
    """What follows decides, and it is not written yet."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule made of the first words."""

    count: int
    """How many words."""
    spoken: str
    """What is said for them, with their punctuation."""
    kind: str = ""
    """What they are, for the words behind them: ``month``, ``day``."""


@dataclass(slots=True)
class Context:
    """The words before."""

    words: deque[str] = field(default_factory=lambda: deque(maxlen=4))
    """As written, without punctuation, the latest last."""
    kind: str = ""
    """What the latest was."""
    trail: str = ""
    """The punctuation behind it."""
    opening: bool = True
    """Whether a sentence begins here."""
    named: bool = False
    """Whether the latest begins with a capital, and not because a sentence begins with it."""

    def add(self, word: Word, kind: str) -> None:
        """A word was read."""
        self.named = word.core[:1].isupper() and not self.opening
        self.words.append(word.core)
        self.kind, self.trail = kind, word.trail
        self.opening = not _ENDS.isdisjoint(word.trail)

    def end_line(self) -> None:
        """A line is over."""
        self.words.clear()
        self.kind = self.trail = ""
        self.opening, self.named = True, False

    @property
    def last(self) -> str:
        """The word before, if no punctuation stands between."""
        return self.words[-1] if self.words and not self.trail else ""

    def near(self, words: frozenset[str], count: int = 3) -> bool:
        """Whether one of these was among the last few words."""
        return any(word.lower().lstrip("#") in words for word in list(self.words)[-count:])


class Window:
    """The words from the one to be read on."""

    __slots__ = ("_closed", "_words", "context", "speaker")

    def __init__(self, words: Sequence[Word], context: Context, speaker: Speaker, *, closed: bool) -> None:
        self._words = words
        self._closed = closed
        self.context = context
        self.speaker = speaker

    @property
    def word(self) -> Word:
        """The one to be read."""
        return self._words[0]

    def peek(self, place: int) -> Word | None:
        """The word so many behind; None if the line ends before it. Raises `More` if it is not written yet."""
        for at in range(1, place + 1):
            if at >= len(self._words):
                if self._closed:
                    return None
                raise More
            if self._words[at].role is not Role.SPOKEN:
                return None
        return self._words[place]

    def joined(self, place: int) -> Word | None:
        """As `peek`, if no punctuation stands before it."""
        if any(self._words[at].trail for at in range(min(place, len(self._words)))):
            return None
        word = self.peek(place)
        return None if word is None or word.lead else word

    def match(self, spoken: str, count: int = 1, kind: str = "", *, trail: str | None = None) -> Match:
        """What is said for the first `count` words, with the punctuation around them."""
        if trail is None:
            trail = self._words[count - 1].trail
        return Match(count, self.word.lead + spoken + trail, kind)

    def stop(self, place: int = 0) -> str:
        """The punctuation behind an abbreviation: its full stop stays only where it ends the sentence."""
        trail = self._words[place].trail
        if not trail.startswith("."):
            return trail
        following = self.peek(place + 1)
        ends = following is None or following.core[:1].isupper()
        return trail if ends and trail == "." else trail[1:]
