"""Test a phone agent: call it, over the real wire protocol, in virtual time. Test that a provider keeps its contract.

What is seldom needed is loaded when it is first used; the conformance suites need pytest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing.dial import BargeIn, Dial, Dialled, Reply, dial
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.seen import ToolUse

if TYPE_CHECKING:
    from voiceloop.testing.bounds import Bounds, BrokenInvariants, Violation
    from voiceloop.testing.conformance import LLMConformance, STTConformance, TTSConformance
    from voiceloop.testing.evidence import Evidence
    from voiceloop.testing.faulty import (
        FaultyLLM,
        FaultySTT,
        FaultyTool,
        FaultyTTS,
        HandlerFault,
        LLMFault,
        STTFault,
        ToolFault,
        TTSFault,
        break_bot,
        break_handlers,
    )
    from voiceloop.testing.invariants import check
    from voiceloop.testing.judge import Judge, Verdict
    from voiceloop.testing.scripted import Mishearing
    from voiceloop.testing.witness import Witness

__all__ = [
    "BargeIn",
    "Bounds",
    "BrokenInvariants",
    "CarrierOptions",
    "Dial",
    "Dialled",
    "Evidence",
    "Failing",
    "FaultyLLM",
    "FaultySTT",
    "FaultyTTS",
    "FaultyTool",
    "HandlerFault",
    "Judge",
    "LLMConformance",
    "LLMFault",
    "Lexicon",
    "Mishearing",
    "Reply",
    "STTConformance",
    "STTFault",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "TTSConformance",
    "TTSFault",
    "ToolFault",
    "ToolUse",
    "Verdict",
    "Violation",
    "Witness",
    "break_bot",
    "break_handlers",
    "calls",
    "check",
    "dial",
    "script",
]

_LATER = {
    "bounds": ("Bounds", "BrokenInvariants", "Violation"),
    "conformance": ("LLMConformance", "STTConformance", "TTSConformance"),
    "evidence": ("Evidence",),
    "faulty": (
        *("FaultyLLM", "FaultySTT", "FaultyTTS", "FaultyTool", "HandlerFault", "LLMFault", "STTFault", "TTSFault"),
        *("ToolFault", "break_bot", "break_handlers"),
    ),
    "invariants": ("check",),
    "judge": ("Judge", "Verdict"),
    "scripted": ("Mishearing",),
    "witness": ("Witness",),
}
_WHERE = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"voiceloop.testing.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
