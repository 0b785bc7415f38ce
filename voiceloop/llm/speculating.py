"""An answer that was begun before the caller's turn was over, and what it was begun with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voiceloop.answer import Answer
from voiceloop.conversation import Message
from voiceloop.registry import Timer

__all__ = ["Guessed"]


class Guessed:
    """A speculative answer.

    Args:
        answer: the answer.
        limit: drops it when nothing has told in time whether the turn is over.
        messages: the conversation it is written from, without the turn.
    """

    def __init__(self, answer: Answer, limit: Timer, messages: Sequence[Message]) -> None:
        self.answer = answer
        self._limit = limit
        self._known = _facts(messages)

    def knew(self, messages: Sequence[Message]) -> bool:
        """Whether it was written from this conversation: nothing was said since, and no tool has given its result.

        How much was heard of what the agent had said may have become more exact: that is no reason to ask again.
        """
        return _facts(messages) == self._known

    def settle(self) -> None:
        """It is certain, or over."""
        self._limit.cancel()


def _facts(messages: Sequence[Message]) -> list[Any]:
    return [(message.role, message.results) for message in messages if not message.aside]
