"""The first entry of a recording: what the call was, and what it ran on."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from voiceloop import __version__, wallclock
from voiceloop.call import Call
from voiceloop.flight.brought import brought_values
from voiceloop.flight.redact import Redaction
from voiceloop.llm.aggregator import LLMAggregator
from voiceloop.llm.base import LLM
from voiceloop.processor import Processor
from voiceloop.stt.base import STT
from voiceloop.stt.processor import STTProcessor
from voiceloop.tts.base import TTS
from voiceloop.tts.processor import TTSProcessor
from voiceloop.twilio.transport import TwilioTransport
from voiceloop.vad.base import VADModel
from voiceloop.vad.processor import VADProcessor

__all__ = ["header_of"]


def header_of(call: Call, processors: Sequence[Processor], at: float, redaction: Redaction) -> dict[str, Any]:
    """What stands in the first entry; `at` is the time on the loop's clock."""
    return {
        "voiceloop": __version__,
        "python": platform.python_version(),
        "began": wallclock.now_iso(),
        "at": at,
        "redacted": list(redaction.parts),
        "bot": _bot(call),
        "call": {
            "id": call.id,
            "caller": redaction.text(call.caller),
            "number": redaction.text(call.number),
            "direction": call.direction,
            "params": {name: redaction.text(value) for name, value in call.params.items()},
            "language": call.language,
            "answered_by": call.answered_by,
        },
        **({} if call.carried is None else {"brought": brought_values(call.carried, redaction)}),
        "stages": [processor.name for processor in processors],
        "line": _line(call),
        "carrier": call.carrier is not None,
        "limits": asdict(call.runtime.limits),
        "faults": asdict(call.runtime.faults),
        "providers": _providers(call, processors),
    }


def _bot(call: Call) -> dict[str, str]:
    made_by: Any = call.made_by
    if made_by is None:
        return {}
    try:
        file = inspect.getsourcefile(made_by) or ""
    except TypeError:  # an object that can be called
        file = inspect.getsourcefile(type(made_by)) or ""
    return {"file": file, "name": getattr(made_by, "__qualname__", type(made_by).__qualname__)}


def _line(call: Call) -> dict[str, Any]:
    transport = call.transport
    if not isinstance(transport, TwilioTransport):
        return {"kind": transport.name}
    started = transport.started
    sids = {"stream_sid": started.stream_sid, "call_sid": started.call_sid, "account_sid": started.account_sid}
    return {"kind": "TwilioTransport", **sids, "options": asdict(transport.options)}


def _providers(call: Call, processors: Sequence[Processor]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for processor in processors:
        if isinstance(processor, STTProcessor):
            stt = call.runtime.provider(STT, processor._named)
            found.setdefault("stt", {"name": type(stt).__name__, "per_call": stt.per_call, "chunk": stt.chunk})
        elif isinstance(processor, LLMAggregator):
            llm = call.runtime.provider(LLM, processor._named)
            known = {"name": type(llm).__name__, "takes_tools": llm.takes_tools, "speculative": llm.speculative}
            found.setdefault("llm", known)
        elif isinstance(processor, TTSProcessor):
            found.setdefault("tts", {"name": type(call.runtime.provider(TTS, processor._named)).__name__})
        elif isinstance(processor, VADProcessor):
            vad = call.runtime.provider(VADModel, processor._named)
            found.setdefault("vad", {"name": type(vad).__name__, "window": vad.window})
    return found
