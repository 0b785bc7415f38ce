"""What goes wrong with tools."""

from __future__ import annotations

from voiceloop.errors import VoiceloopError

__all__ = ["BadArguments", "BadResult", "BadTool", "ToolError", "quoted"]


class BadTool(VoiceloopError, TypeError):
    """A function that cannot be offered to a model. Raised when the tool is made; the message says what to write."""


class ToolError(VoiceloopError):
    """Raised by a tool to tell the model something: that a thing is sold out, or that a number is not known.

    The text goes to the model as it is. It is no failure of the program, and no fault of the call.
    """


class BadArguments(VoiceloopError):
    """What a model gave a tool does not fit. The message is written for the model, so that it can mend its call.

    Args:
        wrong: what is wrong.
        takes: what the tool takes instead.
    """

    def __init__(self, wrong: str, takes: object) -> None:
        super().__init__(f"{wrong}. It takes {takes}.")
        self.wrong = wrong


class BadResult(VoiceloopError):
    """What a tool gave back cannot be told to a model."""


def quoted(value: object, limit: int = 60) -> str:
    """Something from outside, on one line, cut short."""
    line = " ".join((value if isinstance(value, str) else repr(value))[: 8 * limit].split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
