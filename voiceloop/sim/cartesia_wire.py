"""What Cartesia takes and sends, field by field. Pure.

The form: https://docs.cartesia.ai/api-reference/tts/websocket and the types of the official client (4.2).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from voiceloop.frames import Word
from voiceloop.sim.cartesia_samples import ENCODINGS, RATES

__all__ = [
    "MODELS",
    "STRUCTURED",
    "Events",
    "Generation",
    "Refusal",
    "generation",
    "parsed",
    "untagged",
    "written",
]

MODELS: Final = (
    "sonic-3",
    "sonic-3-2025-10-27",
    "sonic-3-2026-01-12",
    "sonic-3.5",
    "sonic-3.5-2026-05-04",
    "sonic-3.6",
    "sonic-latest",
)
STRUCTURED: Final = "2026-03-01"
"""The first version whose errors are objects with a code, a title and a message."""
_TAG = re.compile(r"</?(?:break|spell|emotion|speed|volume)\b[^<>]*>")
_FREE = frozenset({"transcript", "continue", "flush", "duration"})
"""Fields that may differ between the inputs of a context."""


class Refusal(Exception):
    """What Cartesia answers instead of speech."""

    def __init__(self, status: int, code: str | None, title: str, message: str, context: str | None = None) -> None:
        super().__init__(f"{title}: {message}")
        self.status = status
        self.code = code
        self.title = title
        self.message = message
        self.context = context

    def body(self, version: str, request_id: str) -> dict[str, Any]:
        """As an object: of an HTTP answer, and part of an event."""
        if version < STRUCTURED:
            return {"error": str(self)}
        return {"error_code": self.code, "title": self.title, "message": self.message, "request_id": request_id}

    def event(self, version: str, request_id: str) -> dict[str, Any]:
        """As an event of a socket or a stream."""
        event = {"type": "error", "done": True, "status_code": self.status, **self.body(version, request_id)}
        return event | ({"context_id": self.context} if self.context is not None else {})


def _bad(message: str, context: str | None = None) -> Refusal:
    return Refusal(400, None, "Invalid request", message, context)


def parsed(text: str) -> dict[str, Any]:
    """A message as an object.

    Raises:
        Refusal: it is none.
    """
    try:
        body = json.loads(text)
    except ValueError:
        raise _bad("expected JSON") from None
    if not isinstance(body, dict):
        raise _bad("expected an object")
    return body


def written(event: dict[str, Any]) -> str:
    """An event as text."""
    return json.dumps(event, ensure_ascii=False)


# --- requests -----------------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Generation:
    """A request for speech that is in order."""

    transcript: str
    goes_on: bool
    flush: bool
    delay: float
    """Seconds that text may be held back (``max_buffer_delay_ms``)."""
    encoding: str
    rate: int
    container: str
    words: bool
    phonemes: bool
    voice: str
    model: str
    context: str
    settings: dict[str, Any]
    """All fields that must stay the same within a context."""

    @property
    def speakable(self) -> bool:
        """Whether there is more in it than punctuation."""
        return any(map(str.isalnum, _TAG.sub("", self.transcript)))


def generation(body: dict[str, Any], *, socket: bool, containers: Sequence[str] = ("raw",)) -> Generation:
    """Read a request.

    Args:
        socket: it came over the WebSocket: with a context, and perhaps more to follow.
        containers: what the route can give.

    Raises:
        Refusal: something is missing or out of range.
    """
    context = body.get("context_id")
    if socket and (not isinstance(context, str) or not context):
        raise _bad("context_id: a string is required")
    context = context if isinstance(context, str) else ""
    try:
        output = _output(body.get("output_format"), containers)
        delay = _number(body, "max_buffer_delay_ms", 0, 5000, 3000)
        _config(body.get("generation_config"))
        if not isinstance(body.get("transcript"), str):
            raise _bad("transcript: a string is required")
        if not isinstance(body.get("model_id"), str):
            raise _bad("model_id: a string is required")
        voice = _voice(body.get("voice"))
    except Refusal as refusal:
        refusal.context = context or None
        raise
    return Generation(
        transcript=body["transcript"],
        goes_on=socket and body.get("continue") is True,
        flush=body.get("flush") is True,
        delay=delay / 1000,
        encoding=output["encoding"],
        rate=output["sample_rate"],
        container=output["container"],
        words=body.get("add_timestamps") is True,
        phonemes=body.get("add_phoneme_timestamps") is True,
        voice=voice,
        model=body["model_id"],
        context=context,
        settings={key: value for key, value in body.items() if key not in _FREE},
    )


def _output(given: Any, containers: Sequence[str]) -> dict[str, Any]:
    output = given if isinstance(given, dict) else {}
    if output.get("container") not in containers:
        raise _bad(f"output_format.container: expected one of {', '.join(containers)}")
    if output.get("encoding") not in ENCODINGS:
        raise _bad(f"output_format.encoding: expected one of {', '.join(ENCODINGS)}")
    if output.get("sample_rate") not in RATES:
        raise _bad(f"output_format.sample_rate: expected one of {', '.join(map(str, RATES))}")
    return output


def _number(body: dict[str, Any], name: str, least: float, most: float, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _bad(f"{name}: expected a number between {least:g} and {most:g}")
    return float(value)


def _config(config: Any) -> None:
    if config is None:
        return
    if not isinstance(config, dict):
        raise _bad("generation_config: expected an object")
    _number(config, "speed", 0.6, 1.5, 1.0)
    _number(config, "volume", 0.5, 2.0, 1.0)


def _voice(voice: Any) -> str:
    """The id of a voice: ``"uuid"``, ``{"id": …}`` or ``{"mode": "id", "id": …}``."""
    found = voice.get("id") if isinstance(voice, dict) and voice.get("mode", "id") == "id" else voice
    if not isinstance(found, str) or not found:
        raise _bad("voice: expected an id, or an object with one")
    return found


def untagged(text: str) -> str:
    """The text without tags such as ``<break time="1s"/>``: this voice only reads words."""
    return _TAG.sub("", text)


# --- events -------------------------------------------------------------------------------------------------


class Events:
    """The events of one context.

    Args:
        context: its id; empty for a request without one.
        seconds: since when; for ``step_time``.
    """

    def __init__(self, context: str) -> None:
        self._context = {"context_id": context} if context else {}

    def chunk(self, data: bytes, step: float, flush_id: int | None = None) -> dict[str, Any]:
        """Audio; `step` is how long the server took for it, seconds."""
        event = self._event("chunk", data=base64.b64encode(data).decode(), step_time=round(step * 1000, 3))
        return event | ({"flush_id": flush_id} if flush_id else {})

    def timestamps(self, words: Sequence[Word]) -> dict[str, Any]:
        """When words are spoken, seconds from the start of the context's audio."""
        return self._event(
            "timestamps",
            word_timestamps={
                "words": [word.text for word in words],
                "start": [word.start for word in words],
                "end": [word.end for word in words],
            },
        )

    def phonemes(self, words: Sequence[Word]) -> dict[str, Any]:
        """Letters in place of phonemes, which this voice does not have, each an equal part of its word."""
        sounds = [
            (letter, word.start + (word.end - word.start) * place / len(letters))
            for word in words
            if (letters := [letter for letter in word.text.lower() if letter.isalnum()])
            for place, letter in enumerate(letters)
        ]
        starts = [start for _, start in sounds]
        ends = [*starts[1:], words[-1].end] if starts else []
        phonemes = {"phonemes": [sound for sound, _ in sounds], "start": starts, "end": ends}
        return self._event("phoneme_timestamps", phoneme_timestamps=phonemes)

    def flush_done(self, flush_id: int) -> dict[str, Any]:
        """All that was there to be spoken before a flush was."""
        return self._event("flush_done", flush_done=True, flush_id=flush_id)

    def done(self) -> dict[str, Any]:
        """Nothing more comes."""
        return self._event("done") | {"done": True}

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, **self._context, "done": False, "status_code": 206, **fields}
