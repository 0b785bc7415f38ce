"""What a caller said in one turn: transcripts in, text out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Speech"]


@dataclass(slots=True)
class _Segment:
    text: str
    final: bool


class Speech:
    """Texts of the utterances of one turn, in order.

    Segments are numbered within their utterance and nothing says which utterance a transcript is of: recognisers
    answer late. But a final segment is never revised. So one that comes again is of the next utterance.
    """

    __slots__ = ("_before", "_fresh", "_utterances")

    def __init__(self) -> None:
        self._utterances: list[dict[int, _Segment]] = [{}]
        self._fresh = False
        self._before = 0  # utterances before the last that were joined

    def speech_started(self) -> None:
        """From here on transcripts may be of a new utterance."""
        self._fresh = True

    def hear(self, text: str, *, final: bool, segment: int, settled: bool = False) -> None:
        """A transcript came: it replaces an earlier one of its segment unless that was final.

        One that is settled and says nothing new only tells that no more will come of the audio so far: with more
        audio its segment may still be revised.
        """
        text = text.strip()
        utterance = self._utterances[-1]
        known = utterance.get(segment)
        if settled and (not text or self.repeats(text, segment)):
            return
        if known is not None and known.final:
            if not text or (text == known.text and not self._fresh):
                return
            self._utterances.append({segment: _Segment(text, final)})
            self._fresh = False
        elif text or known is not None:
            utterance[segment] = _Segment(text, final)

    def repeats(self, text: str, segment: int) -> bool:
        """Whether a transcript says what is known."""
        known = self._utterances[-1].get(segment)
        return known is not None and known.text == text.strip()

    def revises(self, segment: int) -> bool:
        """Whether a transcript of this segment would replace one that was not final."""
        known = self._utterances[-1].get(segment)
        return known is not None and not known.final

    def join(self, later: Speech) -> bool:
        """Add what was said after this; False when that was nothing."""
        if not (later._fresh or later.text):
            return False
        self._before = len(self._utterances)
        self._utterances += later._utterances
        self._fresh = later._fresh
        return True

    def joined(self) -> Speech:
        """What was said since the last `join`."""
        later = Speech()
        later._utterances, later._fresh = self._utterances[self._before :], self._fresh
        return later

    @property
    def text(self) -> str:
        segments = (utterance[number] for utterance in self._utterances for number in sorted(utterance))
        return " ".join(segment.text for segment in segments if segment.text)
