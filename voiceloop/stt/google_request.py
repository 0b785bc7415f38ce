"""The messages of Speech-to-Text v1 and v2, and what both say, in one form.

Source: google-cloud-speech 2.41, ``speech_v1/types/cloud_speech.py`` and ``speech_v2/types/cloud_speech.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from voiceloop.frames import Word
from voiceloop.stt.google_errors import Status

__all__ = ["Dialect", "Final", "Reply", "Settings", "dialect"]

RATE = 8000


@dataclass(frozen=True, slots=True)
class Settings:
    """What every stream of a provider asks for."""

    model: str
    language: str
    location: str
    hints: tuple[str, ...]
    boost: float
    punctuation: bool
    word_times: bool


@dataclass(frozen=True, slots=True)
class Final:
    """A segment that will not be revised."""

    text: str
    end: float
    """Where it ends, seconds of the stream's audio."""
    words: tuple[Word, ...]
    """With times in seconds of the stream's audio; empty when there are none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response says."""

    finals: tuple[Final, ...] = ()
    interim: str = ""
    """All of what is not final, its pieces joined."""
    end: float = 0.0
    """Where the interim ends, seconds of the stream's audio."""
    over: bool = False
    """The service will not listen any more: it wants a half-close."""
    error: Status | None = None


class Dialect(Protocol):
    """One version of the protocol."""

    def first(self, settings: Settings, project: str) -> Any:
        """The first request of a stream."""
        ...

    def audio(self, audio: bytes) -> Any:
        """A request with audio."""
        ...

    def read(self, response: Any) -> Reply:
        """What a response says."""
        ...


class _Both:
    _end_field = ""
    _word_fields = ("", "")
    _over: tuple[str, ...] = ("END_OF_SINGLE_UTTERANCE",)

    def __init__(self, types: ModuleType) -> None:
        self._types: Any = types

    def read(self, response: Any) -> Reply:
        finals, pieces, end = [], [], 0.0
        for result in response.results:
            text = result.alternatives[0].transcript if result.alternatives else ""
            at = getattr(result, self._end_field).total_seconds()
            if result.is_final:
                finals.append(Final(text.strip(), at, self._words(result)))
            else:
                pieces.append(text)
                end = max(end, at)
        over = response.speech_event_type.name in self._over
        return Reply(tuple(finals), "".join(pieces).strip(), end, over, self._error(response))

    def _words(self, result: Any) -> tuple[Word, ...]:
        words = result.alternatives[0].words if result.alternatives else ()
        start, end = self._word_fields
        return tuple(
            Word(word.word, getattr(word, start).total_seconds(), getattr(word, end).total_seconds()) for word in words
        )

    def _error(self, response: Any) -> Status | None:
        return None


class _V1(_Both):
    _end_field = "result_end_time"
    _word_fields = ("start_time", "end_time")
    _over = ("END_OF_SINGLE_UTTERANCE", "SPEECH_ACTIVITY_TIMEOUT")

    def first(self, settings: Settings, project: str) -> Any:
        config: dict[str, Any] = {
            "encoding": "MULAW",
            "sample_rate_hertz": RATE,
            "language_code": settings.language,
            "model": settings.model,
            "enable_automatic_punctuation": settings.punctuation,
            "enable_word_time_offsets": settings.word_times,
        }
        if settings.model == "phone_call":
            config["use_enhanced"] = True
        if settings.hints:
            boost = {"boost": settings.boost} if settings.boost else {}
            config["speech_contexts"] = [{"phrases": list(settings.hints), **boost}]
        streaming = {"config": config, "interim_results": True}
        return self._types.StreamingRecognizeRequest(streaming_config=streaming)

    def audio(self, audio: bytes) -> Any:
        return self._types.StreamingRecognizeRequest(audio_content=audio)

    def _error(self, response: Any) -> Status | None:
        error = response.error
        return Status(_CODES.get(error.code, "UNKNOWN"), error.message) if error.code else None


class _V2(_Both):
    _end_field = "result_end_offset"
    _word_fields = ("start_offset", "end_offset")

    def first(self, settings: Settings, project: str) -> Any:
        config: dict[str, Any] = {
            "explicit_decoding_config": {"encoding": "MULAW", "sample_rate_hertz": RATE, "audio_channel_count": 1},
            "language_codes": [settings.language],
            "model": settings.model,
            "features": {
                "enable_automatic_punctuation": settings.punctuation,
                "enable_word_time_offsets": settings.word_times,
            },
        }
        if settings.hints:
            config["adaptation"] = {
                "phrase_sets": [{"inline_phrase_set": {"phrases": _phrases(settings.hints, settings.boost)}}]
            }
        return self._types.StreamingRecognizeRequest(
            recognizer=f"projects/{project}/locations/{settings.location}/recognizers/_",
            streaming_config={"config": config, "streaming_features": {"interim_results": True}},
        )

    def audio(self, audio: bytes) -> Any:
        return self._types.StreamingRecognizeRequest(audio=audio)


def _phrases(hints: Sequence[str], boost: float) -> list[dict[str, Any]]:
    return [{"value": hint, "boost": boost} if boost else {"value": hint} for hint in hints]


def dialect(version: str, types: ModuleType) -> Dialect:
    """The dialect of ``v1`` or ``v2``, made of that version's message classes."""
    return {"v1": _V1, "v2": _V2}[version](types)  # type: ignore[return-value]


_CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}
"""Numbers of gRPC statuses: https://grpc.io/docs/guides/status-codes/."""
