"""The caller's turns in the conversation: one message each, also for one that went on."""

from __future__ import annotations

from collections.abc import Sequence

from voiceloop.conversation import Conversation, Message
from voiceloop.frames import UserTurn

__all__ = ["CallersWords"]


class CallersWords:
    """Keeps the caller's turns in a conversation, and says what it would be with a turn that is not certain yet."""

    def __init__(self) -> None:
        self._said: list[Message] = []  # what the caller said in the last turn

    def _place(self, conversation: Conversation, turn: UserTurn) -> tuple[list[Message], Message | None, str]:
        """What of the turn is in other messages already, the one its text replaces, and the text."""
        said = list(self._said) if turn.continued else []
        replaced = said.pop() if said and said[-1] is conversation.latest else None
        before = " ".join(message.text for message in said)
        went_on = not before or f"{turn.text} ".startswith(f"{before} ")  # else the recogniser has changed its mind
        return said, replaced, turn.text[len(before) if went_on else 0 :].strip()

    def remember(self, conversation: Conversation, turn: UserTurn) -> None:
        """One message for each turn, also for one that went on; but what the agent said in between stays there."""
        said, last, text = self._place(conversation, turn)
        if last is not None:
            last.text = text
            conversation.changed()
        elif text:
            last = conversation.add("user", text)
        self._said = said if last is None else [*said, last]

    def foreseen(self, messages: Sequence[Message], conversation: Conversation, turn: UserTurn) -> list[Message]:
        """The same in a copy: these messages of the conversation, as if the turn were remembered."""
        _, replaced, text = self._place(conversation, turn)
        said = Message("user", text)
        if replaced is None:
            return [*messages, said] if text else list(messages)
        return [said if message is replaced else message for message in messages]
