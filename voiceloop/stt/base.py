"""What a speech recogniser provides: one async generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, ClassVar, Self

from voiceloop.frames import Transcript
from voiceloop.language import check_language
from voiceloop.served import Served

if TYPE_CHECKING:
    from voiceloop.processor import Processor

__all__ = ["STT", "Flush", "Transcript"]


class Flush:
    """Settle now: the caller is silent, answer for everything heard so far.

    It travels inside the audio stream; the provider yields the same object back once all words up to it are out.
    """

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number
        """Among those of one stream of audio, from 0."""

    def __repr__(self) -> str:
        return f"Flush({self.number})"


class STT(ABC):
    """A speech recogniser, built once per process. Building one reads no key and opens nothing."""

    per_call: ClassVar[bool] = False
    """False: one `transcribe` per utterance of the caller. True: one for the whole call."""

    chunk: ClassVar[float] = 0.1
    """Seconds of audio to gather before `transcribe` is woken; a flush wakes it at once."""

    languages: ClassVar[tuple[str, ...] | None] = None
    """What it understands, as BCP 47 tags without region; None when it cannot say, or takes any."""

    def processor(self) -> Processor:
        """A stage that runs this recogniser in one call. `Pipeline` calls it where a recogniser stands in its list."""
        from voiceloop.stt.processor import STTProcessor

        return STTProcessor(self)

    def for_language(self, language: str) -> Self:
        """The provider for calls in a language, a BCP 47 tag. This one, unless a subclass makes others; the same
        object each time for the same language.

        Raises:
            LanguageError: it is not among `languages`.
        """
        check_language(self, self.languages, language)
        return self

    async def warm(self) -> None:
        """Load models and open connections, so that the first call does not wait. Safe to call twice."""

    async def aclose(self) -> None:
        """Give back what `warm` opened."""

    @abstractmethod
    def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush | Served, None]:
        """Recognise one stream of audio.

        Args:
            audio: mu-law bytes (8000 Hz, mono) and `Flush` objects; its end means that no more audio will come.

        Yields:
            `Transcript`: words of a segment; a later one with the same segment number replaces it.
            `Flush`: the one that was received, after every word before it has been yielded. Those words need not be
            final: the caller may go on, and they may come out better with what follows.
        """
