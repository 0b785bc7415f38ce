"""The conversation: the single record of who said what, as it was heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Conversation", "Message", "Role"]

Role = Literal["system", "user", "assistant"]


@dataclass(slots=True)
class Message:
    """One thing that was said.

    For the agent, `text` is what the caller heard and `unheard` is what was cut off: written, perhaps sent, but
    never played.
    """

    role: Role
    text: str
    unheard: str = ""
    interrupted: bool = False

    def __str__(self) -> str:
        cut = f" [cut: {self.unheard}]" if self.unheard else ""
        return f"{self.role}: {self.text}{cut}"


class Conversation:
    """Messages of one call, oldest first. An assistant message holds what was heard so far, also while it is spoken."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def add(self, role: Role, text: str) -> Message:
        """Append a message and return it. The owner of an assistant message keeps it up to date."""
        message = Message(role, text)
        self._messages.append(message)
        return message

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __getitem__(self, index: int) -> Message:
        return self._messages[index]

    def __repr__(self) -> str:
        return f"<Conversation of {len(self._messages)} messages>"
