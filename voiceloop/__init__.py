"""Phone agents in Python: testable, exact, dense and hard to hang.

A bot is a function of a call that returns a pipeline::

    def bot(call: Call) -> Pipeline:
        return Pipeline([call.transport, SileroVAD(), stt, TurnTaking(), LLMAggregator(llm), tts, AudioStreamer()])

Names are loaded when they are first used: importing this package imports no provider and no server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call
    from voiceloop.conversation import Conversation, Message
    from voiceloop.errors import MissingExtra, VoiceloopError
    from voiceloop.fallback import Fallback
    from voiceloop.filler import Filler
    from voiceloop.handlers import handles, transforms, watch
    from voiceloop.keypad import Keyed, KeyOptions
    from voiceloop.language import Cues, Language, LanguageError, Phrases
    from voiceloop.languages import LANGUAGES
    from voiceloop.llm.aggregator import LLMAggregator
    from voiceloop.llm.base import LLM
    from voiceloop.output.audio_streamer import AudioStreamer
    from voiceloop.pipeline import Pipeline
    from voiceloop.prices import Prices
    from voiceloop.processor import Processor
    from voiceloop.report import CallReport, Turn
    from voiceloop.runtime import Runtime
    from voiceloop.stream import Stream
    from voiceloop.stt.base import STT
    from voiceloop.stt.processor import STTProcessor
    from voiceloop.text.processor import SpokenText
    from voiceloop.tools.definition import tool
    from voiceloop.tools.errors import ToolError
    from voiceloop.tts.base import TTS
    from voiceloop.tts.processor import TTSProcessor
    from voiceloop.tts.stream import TTSStream
    from voiceloop.turns.adaptive import AdaptiveEndpointing
    from voiceloop.turns.endpointing import Endpointing, FixedSilence
    from voiceloop.turns.events import TurnOptions
    from voiceloop.turns.expect import Expect, ExpectError
    from voiceloop.turns.processor import TurnTaking
    from voiceloop.turns.rules import Rule, Situation
    from voiceloop.twilio.connections import ConnectionManager
    from voiceloop.twilio.transport import TwilioTransport
    from voiceloop.vad.processor import EnergyVAD, SileroVAD

_HOME = {
    "AdaptiveEndpointing": "turns.adaptive",
    "Answer": "answer",
    "AudioStreamer": "output.audio_streamer",
    "Call": "call",
    "CallReport": "report",
    "ConnectionManager": "twilio.connections",
    "Conversation": "conversation",
    "Cues": "language",
    "Endpointing": "turns.endpointing",
    "EnergyVAD": "vad.processor",
    "Expect": "turns.expect",
    "ExpectError": "turns.expect",
    "Fallback": "fallback",
    "Filler": "filler",
    "FixedSilence": "turns.endpointing",
    "handles": "handlers",
    "Keyed": "keypad",
    "KeyOptions": "keypad",
    "Language": "language",
    "LanguageError": "language",
    "LANGUAGES": "languages",
    "LLM": "llm.base",
    "LLMAggregator": "llm.aggregator",
    "Message": "conversation",
    "MissingExtra": "errors",
    "Phrases": "language",
    "Pipeline": "pipeline",
    "Prices": "prices",
    "Processor": "processor",
    "Rule": "turns.rules",
    "Runtime": "runtime",
    "SileroVAD": "vad.processor",
    "Situation": "turns.rules",
    "SpokenText": "text.processor",
    "Stream": "stream",
    "STT": "stt.base",
    "STTProcessor": "stt.processor",
    "tool": "tools.definition",
    "ToolError": "tools.errors",
    "transforms": "handlers",
    "TTS": "tts.base",
    "TTSProcessor": "tts.processor",
    "TTSStream": "tts.stream",
    "Turn": "report",
    "TurnOptions": "turns.events",
    "TurnTaking": "turns.processor",
    "TwilioTransport": "twilio.transport",
    "VoiceloopError": "errors",
    "watch": "handlers",
}

__all__ = [
    "LANGUAGES",
    "LLM",
    "STT",
    "TTS",
    "AdaptiveEndpointing",
    "Answer",
    "AudioStreamer",
    "Call",
    "CallReport",
    "ConnectionManager",
    "Conversation",
    "Cues",
    "Endpointing",
    "EnergyVAD",
    "Expect",
    "ExpectError",
    "Fallback",
    "Filler",
    "FixedSilence",
    "KeyOptions",
    "Keyed",
    "LLMAggregator",
    "Language",
    "LanguageError",
    "Message",
    "MissingExtra",
    "Phrases",
    "Pipeline",
    "Prices",
    "Processor",
    "Rule",
    "Runtime",
    "STTProcessor",
    "SileroVAD",
    "Situation",
    "SpokenText",
    "Stream",
    "TTSProcessor",
    "TTSStream",
    "ToolError",
    "Turn",
    "TurnOptions",
    "TurnTaking",
    "TwilioTransport",
    "VoiceloopError",
    "handles",
    "tool",
    "transforms",
    "watch",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'voiceloop' has no attribute {name!r}")
    value = getattr(import_module(f"voiceloop.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
