"""What a caller said in one turn: transcripts in, text out."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Key", "Speech"]

Key = tuple[int, int]
"""Number of an utterance, and of a segment in it."""


@dataclass(slots=True)
class _Segment:
    text: str
    final: bool


@dataclass(slots=True)
class _Utterance:
    number: int | None
    segments: dict[int, _Segment] = field(default_factory=dict)


class Speech:
    """Texts of the utterances of one turn, in order.

    Segments are numbered within their utterance. Recognisers answer late, so a transcript may be of any utterance: the
    stage that runs the recogniser says which. Where nobody says it, this much is known: a final segment is never
    revised, so one that comes again is of the next utterance.
    """

    __slots__ = ("_before", "_fresh", "_utterances")

    def __init__(self) -> None:
        self._utterances: list[_Utterance] = []
        self._fresh = False
        self._before = 0  # utterances before the last that were joined

    def speech_started(self) -> None:
        """From here on transcripts may be of a new utterance."""
        self._fresh = True

    def hear(
        self,
        text: str,
        *,
        final: bool,
        segment: int,
        settled: bool = False,
        utterance: int | None = None,
        anew: bool = False,
    ) -> None:
        """A transcript came: it replaces an earlier one of its segment unless that was final; when the utterance is
        recognised anew, all of that.

        One that is settled and says nothing new only tells that no more will come of the audio so far: with more
        audio its segment may still be revised.
        """
        text = text.strip()
        for each in self._utterances if anew else ():
            if each.number == utterance:
                each.segments.clear()
        known = self._known(segment, utterance)
        if settled and (not text or self.repeats(text, segment, utterance)):
            return
        if known is not None and known.final:
            if utterance is not None or not text or (text == known.text and not self._fresh):
                return
            self._utterances.append(_Utterance(None, {segment: _Segment(text, final)}))
            self._fresh = False
        elif text or known is not None:
            self._place(segment, utterance).segments[segment] = _Segment(text, final)

    def repeats(self, text: str, segment: int, utterance: int | None = None) -> bool:
        """Whether a transcript says what is known."""
        known = self._known(segment, utterance)
        return known is not None and known.text == text.strip()

    def revises(self, segment: int, utterance: int | None = None, *, anew: bool = False) -> bool:
        """Whether a transcript of this segment would replace one that was not final, or all of its utterance."""
        if anew:
            return any(each.number == utterance for each in self._utterances)
        known = self._known(segment, utterance)
        return known is not None and not known.final

    def join(self, later: Speech) -> bool:
        """Add what was said after this; False when that was nothing."""
        if not (later._fresh or later.text):
            return False
        self._before = len(self._utterances)
        self._utterances += later._utterances or [_Utterance(None)]  # what comes now stands apart from what was
        self._fresh = later._fresh
        return True

    def joined(self) -> Speech:
        """What was said since the last `join`."""
        later = Speech()
        later._utterances, later._fresh = self._utterances[self._before :], self._fresh
        return later

    @property
    def last(self) -> Key | None:
        """Utterance and segment of the latest words; None when nobody says which they are."""
        return _last(self._utterances)

    @property
    def last_before(self) -> Key | None:
        """The same of what was said before the last `join`."""
        return _last(self._utterances[: self._before])

    @property
    def text(self) -> str:
        segments = (each.segments[number] for each in self._utterances for number in sorted(each.segments))
        return " ".join(segment.text for segment in segments if segment.text)

    def _known(self, segment: int, utterance: int | None) -> _Segment | None:
        holder = self._holder(segment, utterance)
        return None if holder is None else holder.segments.get(segment)

    def _holder(self, segment: int, utterance: int | None) -> _Utterance | None:
        # After `join` one utterance may stand here twice, with different segments.
        for each in reversed(self._utterances):
            if each.number == utterance and (utterance is None or segment in each.segments):
                return each
        return None

    def _place(self, segment: int, utterance: int | None) -> _Utterance:
        """Where the text of a segment belongs."""
        holder = self._holder(segment, utterance)
        if holder is not None:
            return holder
        for each in reversed(self._utterances[self._before :]):
            if each.number == utterance:
                return each
        new, index = _Utterance(utterance), len(self._utterances)
        while utterance is not None and index and (self._utterances[index - 1].number or 0) > utterance:
            index -= 1
        self._utterances.insert(index, new)
        self._before += index < self._before
        return new


def _last(utterances: list[_Utterance]) -> Key | None:
    keys = [(each.number, segment) for each in utterances if each.number is not None for segment in each.segments]
    return max(keys, default=None)
