"""The contract of providers, as tests: a recogniser, a model or a voice of your own passes the same as the library's.

Subclass the suite of its kind in a test module, say how to build it, and run pytest::

    from voiceloop.testing import TTSConformance

    class TestMyVoice(TTSConformance):
        realtime = True

        def provider(self):
            return MyVoice()

The tests run in virtual time, or, for what has a network or threads of its own, in real time (``realtime = True``).
Nothing but pytest is needed. A test that fails says what the contract wants, what came and how to mend it.
"""

from __future__ import annotations

from voiceloop.testing.conformance_llm import LLMConformance
from voiceloop.testing.conformance_run import ContractBroken
from voiceloop.testing.conformance_stt import STTConformance
from voiceloop.testing.conformance_tts import TTSConformance

__all__ = ["ContractBroken", "LLMConformance", "STTConformance", "TTSConformance"]
