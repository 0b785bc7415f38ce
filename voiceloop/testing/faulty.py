"""Faults on purpose: any provider, tool or handler, made to go wrong as told, and a record of what did.

``FaultyLLM(llm, [LLMFault("cut", after=3)])`` is the model, but its first answer breaks off behind the third piece. A
fault is plain data: it can be drawn from a seed, and kept as JSON. What must not happen by the contract of a provider
is among them, because it happens.
"""

from __future__ import annotations

from voiceloop.testing.faulty_code import (
    FaultyCode,
    FaultyTool,
    break_bot,
    break_handlers,
    hold_loop,
    own_handlers,
    own_tools,
)
from voiceloop.testing.faulty_faults import (
    CODE_FAULTS,
    PROVIDER_FAULTS,
    Fault,
    HandlerFault,
    Injected,
    LLMFault,
    STTFault,
    ToolFault,
    TTSFault,
    fault_from_dict,
)
from voiceloop.testing.faulty_llm import FaultyLLM
from voiceloop.testing.faulty_stt import FaultySTT
from voiceloop.testing.faulty_tts import FaultyTTS

__all__ = [
    "CODE_FAULTS",
    "PROVIDER_FAULTS",
    "Fault",
    "FaultyCode",
    "FaultyLLM",
    "FaultySTT",
    "FaultyTTS",
    "FaultyTool",
    "HandlerFault",
    "Injected",
    "LLMFault",
    "STTFault",
    "TTSFault",
    "ToolFault",
    "break_bot",
    "break_handlers",
    "fault_from_dict",
    "hold_loop",
    "own_handlers",
    "own_tools",
]
