"""Scripted providers: exact, instant unless told otherwise, and the same on every run.

Times are seconds on the loop's clock. Where a provider takes a `PerRequest`, one value counts for all requests, a list
for one after the other, and a function gets the number of the request.
"""

from __future__ import annotations

from voiceloop.testing.scripted_failing import Failing
from voiceloop.testing.scripted_llm import Calls, ScriptedLLM, calls, script
from voiceloop.testing.scripted_stt import Mishearing, ScriptedSTT
from voiceloop.testing.scripted_timing import PerRequest
from voiceloop.testing.scripted_tts import ScriptedTTS

__all__ = [
    "Calls",
    "Failing",
    "Mishearing",
    "PerRequest",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "calls",
    "script",
]
