"""A stand-in for turn-taking that a test works by hand: it guesses, is right, or was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voiceloop.call import Call
from voiceloop.conversation import Message
from voiceloop.frames import Signal, Speculation, UserTurn
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.llm.base import LLM
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.testing import ScriptedLLM
from voiceloop.tts.base import TTS
from voiceloop.tts.processor import TTSOptions, TTSProcessor

SILENCE = 0.16
"""Seconds of silence after which a guess is made."""


class Guesser(Processor):
    """Tells of the caller's turns when it is told to."""

    def __init__(self) -> None:
        self.seen: list[Signal] = []

    def guess(self, text: str, *, continued: bool = False) -> UserTurn:
        """What was said looks whole."""
        now = self.call.now
        turn = UserTurn(text, now - SILENCE - 1.0, now - SILENCE, now, now, continued)
        self.push(Speculation(turn))
        return turn

    def sure(self, turn: UserTurn, text: str = "") -> None:
        """It was: the turn is over."""
        turn.guessed, turn.endpointed, turn.decided = turn.decided, self.call.now, self.call.now
        turn.text = text or turn.text
        self.push(turn)

    def wrong(self, turn: UserTurn) -> None:
        """It was not: the caller goes on."""
        for answer in self.call.live_answers():
            if answer.turn is turn:
                self.call.discard(answer)

    def turn(self, text: str, *, continued: bool = False) -> UserTurn:
        """A turn that nobody has guessed."""
        now = self.call.now
        turn = UserTurn(text, now - SILENCE - 1.0, now - SILENCE, now, now, continued)
        self.push(turn)
        return turn


class Bot:
    """Makes the pipeline of a call in which `guesser` decides on the turns.

    Args:
        tools: of the model.
        options: of the model's processor.
        speaking: of the voice's.
    """

    def __init__(
        self, tools: Sequence[Any] = (), options: LLMOptions | None = None, speaking: TTSOptions | None = None
    ) -> None:
        self.guesser = Guesser()
        self.model: ScriptedLLM
        """What the test gives it."""
        self._tools, self._options, self._speaking = tools, options, speaking

    def __call__(self, call: Call) -> Pipeline:
        model = LLMAggregator(_Replaced(), tools=self._tools, options=self._options)
        voice = TTSProcessor(_Mute(), self._speaking)
        return Pipeline([call.transport, self.guesser, model, voice, AudioStreamer()])


class _Replaced(LLM):
    """The test gives another."""

    takes_tools = True

    def respond(self, messages: Sequence[Message], tools: Any = ()) -> Any:
        raise NotImplementedError


class _Mute(TTS):
    """The test gives another."""

    def generate(self, text: Any) -> Any:
        raise NotImplementedError
