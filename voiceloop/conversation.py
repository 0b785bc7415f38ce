"""The conversation: the single record of who said what, as it was heard, and of what the agent's tools did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Conversation", "Message", "Role", "ToolCall", "ToolResult"]

_SHOWN = 20  # messages of a conversation's repr, the latest
_LINE = 200  # characters of each

Role = Literal["system", "user", "assistant", "tool"]
"""Who speaks; ``tool``: what tools gave back to the model."""


@dataclass(slots=True, frozen=True)
class ToolCall:
    """A model asks for a tool."""

    id: str
    """Of this request; unique within the conversation. Its `ToolResult` carries the same."""
    name: str
    arguments: str = ""
    """JSON of an object, as the model wrote it: it may be broken. Empty: none."""


@dataclass(slots=True, frozen=True)
class ToolResult:
    """What a tool gave."""

    id: str
    """Of the `ToolCall`."""
    text: str
    """For the model to read; JSON when it was more than a text."""
    error: bool = False
    """Whether the tool failed; the text says why."""


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
    """Of the agent: the caller cut it off. What models are told of that: `llm.history.as_remembered`."""
    calls: tuple[ToolCall, ...] = ()
    """Of the agent: tools it asked for behind the text. The next message holds their results, all of them."""
    results: tuple[ToolResult, ...] = ()
    """Of role ``tool``: what the tools of the message before gave, in any order."""
    echo: Any = None
    """Of a message with calls: the same in the form in which its model wants it back (see `llm.base.Echo`)."""
    aside: bool = False
    """Of the caller: said over the agent without taking the turn ("mhm"). Kept on record, not given to models."""
    bound: int = 0
    """Of the agent, when it was interrupted: `text` may be off by so many words at most. 0: it is exact."""

    def __str__(self) -> str:
        if self.calls or self.results:
            did = [f"{call.name}({call.arguments})" for call in self.calls] + [result.text for result in self.results]
            return f"{self.role}: {self.text}{' ' if self.text else ''}[{'; '.join(did)}]"
        cut = f" [cut: {self.unheard}]" if self.unheard else ""
        aside = " (aside)" if self.aside else ""
        return f"{self.role}{aside}: {self.text}{cut}"


class Conversation:
    """Messages of one call, oldest first. An assistant message holds what was heard so far, also while it is spoken."""

    __slots__ = ("_messages", "watcher")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.watcher: Callable[[], object] | None = None
        """Called at each change; None: nobody follows the conversation."""

    def changed(self) -> None:
        """A message that is in it is another now. Said by whoever changed it."""
        if self.watcher is not None:
            self.watcher()

    def add(self, role: Role, text: str) -> Message:
        """Append a message and return it. The owner of an assistant message keeps it up to date."""
        return self.append(Message(role, text))

    def append(self, message: Message, *, before: Message | None = None) -> Message:
        """Put a message at the end, or in front of one that is there; return it."""
        place = len(self._messages)
        if before is not None:
            place = next(index for index, each in enumerate(self._messages) if each is before)
        self._messages.insert(place, message)
        if self.watcher is not None:
            self.watcher()
        return message

    def put_last(self, messages: Sequence[Message]) -> None:
        """Move messages that are there to the end, unless the caller has spoken behind them."""
        moved = {id(message) for message in messages}
        first = next((index for index, each in enumerate(self._messages) if id(each) in moved), len(self._messages))
        if all(each.role != "user" or each.aside for each in self._messages[first:]):
            rest = [each for each in self._messages[first:] if id(each) not in moved]
            self._messages[first:] = [*rest, *messages]
            self.changed()

    def take_back(self, message: Message) -> None:
        """Take out a message that is said anew at once: it enters again. Nobody is told, for nothing is lost."""
        self._messages = [each for each in self._messages if each is not message]

    @property
    def latest(self) -> Message | None:
        """The last message that is no aside; None when there is none."""
        return next((message for message in reversed(self._messages) if not message.aside), None)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def __getitem__(self, index: int) -> Message:
        return self._messages[index]

    def __repr__(self) -> str:
        rest = len(self._messages) - _SHOWN
        lines = [f"… {rest} before"] if rest > 0 else []
        for message in self._messages[-_SHOWN:]:
            line = " ".join(str(message).split())
            lines.append(line if len(line) <= _LINE else f"{line[:_LINE]}…")
        shown = "".join(f"\n  {line}" for line in lines)
        return f"<Conversation of {len(self._messages)} messages{shown}>"
