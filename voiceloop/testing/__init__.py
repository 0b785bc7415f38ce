"""Test a phone agent: call it, over the real wire protocol, in virtual time. Test that a provider keeps its contract.

The conformance suites are loaded when they are first used: they need pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing.dial import BargeIn, Dial, Dialled, Reply, dial
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.seen import ToolUse

if TYPE_CHECKING:
    from voiceloop.testing.conformance import LLMConformance, STTConformance, TTSConformance

__all__ = [
    "BargeIn",
    "CarrierOptions",
    "Dial",
    "Dialled",
    "Failing",
    "LLMConformance",
    "Lexicon",
    "Reply",
    "STTConformance",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "TTSConformance",
    "ToolUse",
    "calls",
    "dial",
    "script",
]


def __getattr__(name: str) -> Any:
    if name in ("LLMConformance", "STTConformance", "TTSConformance"):
        from voiceloop.testing import conformance

        return getattr(conformance, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
