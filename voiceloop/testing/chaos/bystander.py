"""Stages of a user's own, for handlers that go wrong in a bot that has none: they do nothing else."""

from __future__ import annotations

from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    CallerAudio,
    Digit,
    PlayoutStarted,
    SpeechStarted,
    Text,
    Transcript,
    UserTurn,
)
from voiceloop.processor import Processor

__all__ = ["HANDLERS", "Bystander", "TextBystander"]


class Bystander(Processor):
    """Looks at signals, at once or in tasks of its own."""

    async def start(self) -> None:
        """Nothing to get ready."""

    async def stop(self) -> None:
        """Nothing to give back."""

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Looks at it."""

    def on_speech_started(self, speech: SpeechStarted) -> None:
        """Looks at it."""

    def on_transcript(self, transcript: Transcript) -> None:
        """Looks at it."""

    def on_answer_began(self, began: AnswerBegan) -> None:
        """Looks at it."""

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """Looks at it."""

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        """Looks at it."""

    async def on_user_turn(self, turn: UserTurn) -> None:
        """Looks at it, in a task."""

    async def on_digit(self, digit: Digit) -> None:
        """Looks at it, in a task."""


class TextBystander(Processor):
    """Passes the text of answers on, one piece at a time."""

    async def on_text(self, text: Text) -> None:
        """Pass it on."""
        self.push(text)


HANDLERS: dict[str, tuple[str, ...]] = {
    cls.__name__: tuple(sorted({*cls._handlers, *(name for name in ("start", "stop") if name in vars(cls))}))
    for cls in (Bystander, TextBystander)
}
"""The handlers of each, by the name of its class; the methods that begin and end it among them."""
