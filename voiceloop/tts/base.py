"""What a voice provides: one async generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from voiceloop.frames import Word
from voiceloop.language import check_language
from voiceloop.served import Served

if TYPE_CHECKING:
    from voiceloop.processor import Processor

__all__ = ["TTS", "Speech", "Word"]


@dataclass(slots=True, frozen=True)
class Speech:
    """A piece of voice."""

    audio: bytes = b""
    """Mu-law, 8000 Hz, mono; may be empty when only words are new."""
    words: tuple[Word, ...] = ()
    """Words that became known; times in seconds from the first sample of this `generate`."""


class TTS(ABC):
    """A voice, built once per process. Building one reads no key and opens nothing."""

    languages: ClassVar[tuple[str, ...] | None] = None
    """What it speaks, as BCP 47 tags without region; None when it cannot say, or takes any."""

    def processor(self) -> Processor:
        """A stage that speaks with this voice in one call. `Pipeline` calls it where a voice stands in its list."""
        from voiceloop.tts.processor import TTSProcessor

        return TTSProcessor(self)

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
    def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Served, None]:
        """Speak.

        Args:
            text: pieces of text as the model writes them, with their own spaces.

        Yields:
            `Speech` as soon as it is known. Words in order; the last one ends where the audio ends, or before.
        """
