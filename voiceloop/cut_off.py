"""What a model is told, on a call that has lost its line, of what its tools had begun and nobody will finish."""

from __future__ import annotations

from typing import Final

from voiceloop.conversation import Message, ToolResult
from voiceloop.leaving import PROMISED
from voiceloop.llm.tool_round import NOT_YET

__all__ = ["NOT_CONNECTED", "settled"]

NOT_KNOWN: Final = "It was cut off with the line: whether it was done is not known."
NOT_CONNECTED: Final = (
    "The line was lost before the caller was connected: they are still talking to you. If they are still to be "
    "connected, ask for it again."
)
_NOW: Final = {NOT_YET: NOT_KNOWN, PROMISED: NOT_CONNECTED}


def settled(message: Message) -> Message:
    """A message for the next line: no tool of the one before can give anything any more. It is changed in place."""
    if any(result.text in _NOW for result in message.results):
        message.results = tuple(
            ToolResult(result.id, _NOW[result.text], error=True) if result.text in _NOW else result
            for result in message.results
        )
    return message
