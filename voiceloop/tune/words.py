"""Recognisers for a clip: what is understood of a stretch of speech, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from voiceloop.tune.clips import Clip, Recognised, TrueTurn
from voiceloop.tune.sound import voiced

__all__ = ["LAG", "Answer", "Known", "Recogniser", "Recorded", "Stretch", "place_words"]

LAG: Final = 0.1
"""Seconds after which `Known` has a word, and has answered a pause."""
_ATTACK: Final = 2
"""Letters that every word counts more than it has: short words take longer than their letters say."""
_PAUSE: Final = 0.12
"""Seconds of silence that lie between words, not in one."""
_HAIR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Stretch:
    """Speech between two short silences. Seconds from the first sample of the clip."""

    started: float
    """First sample of speech."""
    noticed: float
    """When that was known."""
    ended: float
    """Last sample of speech."""
    paused: float
    """When the silence was noticed; the recogniser is told to settle then."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recogniser gives: all words of an utterance so far."""

    now: float
    """When, seconds from the first sample of the clip."""
    text: str
    settled: bool = False
    """Whether it has answered for all audio up to the pause."""


class Recogniser(Protocol):
    """Understands one clip."""

    def answers(self, first: int, last: int) -> Sequence[Answer]:
        """What comes of one stretch, in order, the last one settled.

        Args:
            first: the stretch with which the utterance began: what was said before is in turns that are over.
            last: the stretch that is asked about.
        """
        ...


class Known:
    """Understands what is known to be said: each word a little after it was spoken.

    Words are spread over the time that sounds, each for as long as it has letters. Needs no model.
    """

    def __init__(self, clip: Clip, stretches: Sequence[Stretch], *, lag: float = LAG) -> None:
        self._stretches, self._lag = stretches, lag
        self._given: dict[tuple[int, int], list[Answer]] = {}
        self._words: list[list[tuple[str, float]]] = [[] for _ in stretches]
        sounds = voiced(clip.audio)
        for turn in clip.turns:
            for word, end in place_words(turn, sounds):
                if (index := self._of(end)) is not None:
                    self._words[index].append((word, end))

    def _of(self, at: float) -> int | None:
        """The stretch in which a word that ends then is heard."""
        begun = [index for index, stretch in enumerate(self._stretches) if stretch.started < at]
        return begun[-1] if begun else (0 if self._stretches else None)

    def answers(self, first: int, last: int) -> list[Answer]:
        """See `Recogniser`."""
        if (first, last) not in self._given:
            self._given[first, last] = self._answers(first, last)
        return self._given[first, last]

    def _answers(self, first: int, last: int) -> list[Answer]:
        stretch, before = self._stretches[last], [w for each in self._words[first:last] for w, _ in each]
        given: list[Answer] = []
        for count, (_, end) in enumerate(self._words[last], 1):
            now = max(end + self._lag, stretch.noticed)
            if now < stretch.paused + self._lag - _HAIR:
                text = " ".join([*before, *(word for word, _ in self._words[last][:count])])
                if given and given[-1].now == now:
                    given.pop()
                given.append(Answer(now, text))
        whole = " ".join([*before, *(word for word, _ in self._words[last])])
        return [*given, Answer(stretch.paused + self._lag, whole, True)]


def place_words(turn: TrueTurn, sounds: Sequence[tuple[float, float]]) -> Iterator[tuple[str, float]]:
    """Each word of a turn and when it ends: spread over what sounds of the turn, by letters.

    No word lies on both sides of a pause: it is on the side of its middle.

    Args:
        turn: with its words.
        sounds: stretches of the clip that sound, in order, seconds.
    """
    words = turn.text.split()
    spans = [(max(start, turn.started), min(end, turn.ended)) for start, end in sounds]
    spans = [(start, end) for start, end in spans if end > start] or [(turn.started, turn.ended)]
    letters = [len(word) + _ATTACK for word in words]
    second = sum(end - start for start, end in spans) / max(1, sum(letters))
    said = 0
    for word, count in zip(words, letters, strict=True):
        middle, end = (_along(spans, second * (said + part)) for part in (count / 2, count))
        said += count
        pause = next((a for (_, a), (b, _) in pairwise(spans) if middle <= a and b < end and b - a >= _PAUSE), end)
        yield word, min(pause, end)


def _along(spans: Sequence[tuple[float, float]], seconds: float) -> float:
    """When so many seconds of these stretches are over."""
    for start, end in spans:
        if seconds <= end - start + _HAIR:
            return min(end, start + seconds)
        seconds -= end - start
    return spans[-1][1]


class Recorded:
    """Understands what was understood in a recorded call, at the same time.

    Where today's turns end elsewhere than the recorded ones, their words are divided: what had been understood before
    an utterance's first stretch is not of it.
    """

    def __init__(self, clip: Clip, stretches: Sequence[Stretch]) -> None:
        if clip.ears is None:
            raise ValueError(f"{clip.name} is no recorded call: nothing was recognised in it")
        self._stretches = stretches
        self._given = list(_so_far(clip.ears.recognised))
        self._known: dict[tuple[int, int], list[Answer]] = {}

    def answers(self, first: int, last: int) -> list[Answer]:
        """See `Recogniser`."""
        if (first, last) not in self._known:
            self._known[first, last] = self._answers(first, last)
        return self._known[first, last]

    def _answers(self, first: int, last: int) -> list[Answer]:
        stretches = self._stretches
        begins = stretches[first].noticed
        until = stretches[last + 1].noticed if last + 1 < len(stretches) else float("inf")
        before = next((words for now, words, _ in reversed(self._given) if now < begins), ())
        given: list[Answer] = []
        text = ""
        for now, words, settled in self._given:
            own = " ".join(words[len(before) :])
            if now < stretches[last].noticed:
                text = own
            elif now < until:
                text = own
                given.append(Answer(now, text, settled and now >= stretches[last].paused))
        if not any(answer.settled for answer in given):
            now = max(stretches[last].paused + LAG, given[-1].now if given else 0.0)
            given.append(Answer(now, text, True))
        return given


def _so_far(recognised: Sequence[Recognised]) -> Iterator[tuple[float, tuple[str, ...], bool]]:
    """All words of the call by then: when, which, and whether the recogniser had answered for all audio."""
    texts: dict[tuple[int, int], str] = {}
    for each in recognised:
        if each.transcript is not None:
            texts[each.stream, each.transcript.segment] = each.transcript.text
        words = tuple(word for key in sorted(texts) for word in texts[key].split())
        yield each.now, words, each.transcript is None
