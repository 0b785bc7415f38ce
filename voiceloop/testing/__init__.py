"""Test a phone agent: call it, over the real wire protocol, in virtual time."""

from __future__ import annotations

from voiceloop.testing.dial import Dialled, Reply, dial
from voiceloop.testing.scripted import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS, script

__all__ = ["Dialled", "Failing", "Reply", "ScriptedLLM", "ScriptedSTT", "ScriptedTTS", "dial", "script"]
