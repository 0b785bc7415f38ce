"""What a language model provides: one async generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from voiceloop.conversation import Message

__all__ = ["LLM", "Message", "Usage"]


@dataclass(slots=True, frozen=True)
class Usage:
    """What an answer cost, yielded at any time by a model; several are added up."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


class LLM(ABC):
    """A language model, built once per process. Building one reads no key and opens nothing."""

    async def warm(self) -> None:
        """Load models and open connections, so that the first call does not wait. Safe to call twice."""

    async def prepare(self, beginning: Sequence[Message]) -> None:
        """Get ready for conversations that begin with these messages (a prompt cache). Called before each call."""

    async def aclose(self) -> None:
        """Give back what `warm` opened."""

    @abstractmethod
    def respond(self, messages: Sequence[Message]) -> AsyncGenerator[str | Usage, None]:
        """Answer the conversation.

        Args:
            messages: the instructions (role ``system``), then turns as they were heard, oldest first.

        Yields:
            `str`: pieces of the answer as they are written, with their own spaces. `Usage`: counts.
        """
