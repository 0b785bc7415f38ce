"""What was understood of a call: results of streams in, numbered segments out. Without I/O and without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voiceloop.frames import Transcript, Word
from voiceloop.stt.base import Flush
from voiceloop.stt.google_request import RATE, Final
from voiceloop.stt.google_span import FRAME, KEEP, Span

__all__ = ["Segments"]


class Segments:
    """Spans of a call and their text.

    Every segment has its number when it is first told, in the order of the audio.

    Args:
        news: called when there is something new in `out`.
    """

    def __init__(self, news: Callable[[], None]) -> None:
        self._news = news
        self._count = 0
        self.spans: list[Span] = [Span(0)]
        """Those that are not done, in the order of the audio; the last one is open."""
        self.out: deque[Transcript | Flush] = deque()
        """To be yielded."""

    def tell(self, item: Transcript | Flush) -> None:
        """Have something yielded; a transcript that nobody has read yet is replaced by the next of its segment."""
        last = self.out[-1] if self.out else None
        if isinstance(item, Transcript) and isinstance(last, Transcript) and last.segment == item.segment:
            self.out.pop()
        self.out.append(item)
        self._news()

    def interim(self, span: Span, text: str, end: int, now: float) -> None:
        """An interim result came, which ends at a position of the call."""
        span.text_end = max(span.text_end, end)
        if end < span.shadow - FRAME or text == span.text:
            return
        span.text, span.changed, span.shadow = text, now, -1
        self._told(span, _joined(span.settled, text))

    def final(self, span: Span, base: int, final: Final, now: float) -> None:
        """A final result came from a stream that began at the position `base`."""
        end = base + round(final.end * RATE)
        if span.end is not None:
            end = min(end, span.end)
        span.forget(end)
        span.final_end = span.text_end = end
        span.text, span.shadow, span.changed = "", -1, now
        shift = base / RATE
        words = tuple(Word(word.text, word.start + shift, word.end + shift) for word in final.words)
        if not final.text:
            return
        if span.end is None:
            self.tell(Transcript(final.text, True, self._number(span), words=words))
            span.number, span.told = None, ""
        else:
            span.settled, span.words = _joined(span.settled, final.text), span.words + words
            self._told(span, span.settled)

    def _told(self, span: Span, text: str) -> None:
        if text != span.told:
            span.told = text
            self.tell(Transcript(text, False, self._number(span)))

    def settle(self, span: Span) -> None:
        """Nothing more will be understood of a closed span."""
        text = _joined(span.settled, span.text)
        if span.number is not None:
            self.tell(Transcript(text, True, span.number, words=span.words if not span.text else ()))
        self.spans.remove(span)
        self._news()

    def _number(self, span: Span) -> int:
        """The number of a span's open segment; spans before it that have none yet keep one free."""
        for earlier in self.spans:
            if earlier is span:
                break
            if earlier.number is None:
                earlier.number = self._next_number()
                self.tell(Transcript("", False, earlier.number))
        if span.number is None:
            span.number = self._next_number()
        return span.number

    def _next_number(self) -> int:
        self._count += 1
        return self._count - 1

    def commit(self, span: Span, position: int) -> None:
        """Take what is understood for final, so that only a bounded piece is sent again."""
        self.tell(Transcript(span.text, True, self._number(span)))
        span.final_end = span.text_end
        span.forget(span.text_end)
        span.forget(position - KEEP // 2)
        span.number, span.text, span.told, span.shadow = None, "", "", -1


def _joined(before: str, text: str) -> str:
    return f"{before} {text}" if before and text else before or text
