"""What of one answer is in the conversation: its text as heard, in parts, with what its tools did between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voiceloop.conversation import Conversation, Message, ToolCall

__all__ = ["Round", "SpokenAnswer"]


@dataclass(slots=True)
class Round:
    """The model asked for tools in the middle of an answer."""

    offset: int
    """How much of the answer's text was written by then."""
    asked: Message
    """The calls; without text, which is in the part before it."""
    given: Message
    """Their results, as far as they are there."""


@dataclass(slots=True)
class SpokenAnswer:
    """One answer in the conversation. A part enters when the first of it was heard, in front of the round behind it."""

    heard: str = ""
    unheard: str = ""
    interrupted: bool = False
    bound: int = 0
    """By at most so many words `heard` may be off."""
    voiced: bool = False
    """Whether somebody told what was heard of it."""
    rounds: list[Round] = field(default_factory=list)
    _parts: dict[int, Message] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the caller heard any of it."""
        return bool(self._parts)

    def add_round(self, conversation: Conversation, offset: int, calls: tuple[ToolCall, ...], echo: Any) -> Round:
        """The model asked for tools when so much was written. The results are the caller's to fill in."""
        asked = conversation.append(Message("assistant", "", calls=calls, echo=echo))
        made = Round(offset, asked, conversation.append(Message("tool", "")))
        self.rounds.append(made)
        return made

    def remember(
        self, conversation: Conversation, written: str, heard: str, unheard: str, interrupted: bool, bound: int = 0
    ) -> None:
        """Keep what was heard of it, and what was not.

        Args:
            conversation: where it stands.
            written: the whole text.
            heard: stripped.
            unheard: stripped.
            interrupted: whether it was cut off.
            bound: by how many words `heard` may be off.
        """
        self.heard, self.unheard, self.interrupted, self.bound = heard, unheard, interrupted, bound
        if not self.rounds:
            self._part(conversation, 0, heard, unheard, interrupted)
            return
        reached = len(written) - len(written.lstrip()) + len(heard)
        starts = [0, *(each.offset for each in self.rounds)]
        cut = max((index for index, start in enumerate(starts) if start < reached), default=0)
        for index, start in enumerate(starts[: cut + 1]):
            last = index == cut
            end = reached if last else starts[index + 1]
            self._part(conversation, index, written[start:end].strip(), unheard if last else "", interrupted and last)

    def _part(self, conversation: Conversation, index: int, heard: str, unheard: str, interrupted: bool) -> None:
        part = self._parts.get(index)
        if part is None:
            if not heard:
                return
            later = self.rounds[index:]
            if later:  # what was said while its tools ran, before the first of this was heard, stands in front
                conversation.put_last([message for each in later for message in (each.asked, each.given)])
            behind = later[0].asked if later else None
            part = self._parts[index] = conversation.append(Message("assistant", heard), before=behind)
        part.text, part.unheard, part.interrupted = heard, unheard, interrupted
        part.bound = self.bound if interrupted else 0

    def as_written(self, message: Message, written: str) -> Message | None:
        """A message of the conversation as the model wrote it, while the answer is still being heard.

        Returns:
            The message itself when it is not of this answer; None for a part, for it is in the round behind it.
        """
        if any(message is part for part in self._parts.values()):
            return None
        start = 0
        for each in self.rounds:
            if message is each.asked:
                text = written[start : each.offset].strip()
                return Message("assistant", text, calls=message.calls, echo=message.echo)
            start = each.offset
        return message
