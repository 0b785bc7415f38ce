"""The messages of Speech-to-Text v1 and v2, made with the package's own classes, and what its servers refuse.

Source of shapes: google-cloud-speech 2.41.0, ``types/cloud_speech.py`` of ``speech_v1`` and ``speech_v2``.
Source of status texts: see docs/google.md. Texts that are not published are written alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from voiceloop.errors import require
from voiceloop.frames import Word

__all__ = ["LONGEST_CHUNK", "MODELS", "Config", "Refused", "Wire", "wire"]

LONGEST_CHUNK = 25_600
"""Bytes of audio in one request."""
MODELS = {
    "v1": (
        *("latest_long", "latest_short", "phone_call", "command_and_search", "video", "default"),
        *("medical_conversation", "medical_dictation", "telephony", "telephony_short"),
    ),
    "v2": ("long", "short", "telephony", "telephony_short", "latest_long", "latest_short", "chirp_2", "chirp_3"),
}
_REGIONAL = ("chirp_2", "chirp_3")
_RECOGNIZER = re.compile(r"projects/([^/]+)/locations/([^/]+)/recognizers/([^/]+)")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{4})?(-[A-Z]{2}|-\d{3})?")


class Refused(Exception):
    """A status other than OK, by its name in gRPC."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Config:
    """What the first request asks for, the same for both versions."""

    language: str
    model: str
    interim: bool
    events: bool
    word_times: bool
    hints: tuple[str, ...]
    single: bool
    """End after one utterance."""
    start_timeout: float
    """Seconds, 0 for none; the next one too."""
    end_timeout: float
    recognizer: str = ""


class Wire:
    """One version of the protocol.

    Args:
        types: the module with the message classes.
        refuses_hints: `telephony` of v2 refuses adaptation, as has been reported.
    """

    version = ""
    service = ""
    audio_field = ""
    end_field = ""

    def __init__(self, types: Any, *, refuses_hints: bool = False, languages: Sequence[str] | None = None) -> None:
        self.types = types
        self._refuses_hints = refuses_hints
        self._languages = languages

    @property
    def deserialize(self) -> Any:
        return self.types.StreamingRecognizeRequest.deserialize

    @property
    def serialize(self) -> Any:
        return self.types.StreamingRecognizeResponse.serialize

    # --- requests ---

    def first(self, request: Any) -> Config:
        """Read the configuration. Raises `Refused`."""
        if "streaming_config" not in request:
            raise self.malordered()
        return self._checked(self._config(request))

    def audio(self, request: Any) -> bytes:
        """Read audio. Raises `Refused`."""
        if self.audio_field not in request:
            raise self.malordered()
        audio = bytes(getattr(request, self.audio_field))
        if len(audio) > LONGEST_CHUNK:
            text = f"Audio chunk can be of a maximum of {LONGEST_CHUNK} bytes. Received audio of {len(audio)} bytes "
            raise Refused("INVALID_ARGUMENT", text + "instead.")
        return audio

    def malordered(self) -> Refused:
        raise NotImplementedError

    def _config(self, request: Any) -> Config:
        raise NotImplementedError

    def _checked(self, config: Config) -> Config:
        known = not self._languages or config.language in self._languages
        if not known or not _LANGUAGE.fullmatch(config.language):
            raise self._language(config)
        return config

    def _language(self, config: Config) -> Refused:
        raise NotImplementedError

    # --- responses ---

    def interim(self, pieces: Sequence[tuple[str, float]], end: float, language: str) -> Any:
        """Interim results: texts with their stability."""
        results = [
            self._result([{"transcript": text}], end, language, stability=stability) for text, stability in pieces
        ]
        return self._response(results=results)

    def final(self, text: str, end: float, language: str, words: Sequence[Word]) -> Any:
        """A final result; `words` when they were asked for."""
        alternative = {"transcript": text, "confidence": 0.92, "words": [self._word(word) for word in words]}
        return self._response(results=[self._result([alternative], end, language, is_final=True)])

    def event(self, kind: str, at: float) -> Any:
        """A voice activity event."""
        raise NotImplementedError

    def billed(self, seconds: int) -> Any:
        """What the stream costs."""
        raise NotImplementedError

    def _result(self, alternatives: list[Any], end: float, language: str, **more: Any) -> Any:
        fields = {"alternatives": alternatives, self.end_field: timedelta(seconds=end), "language_code": language}
        return self.types.StreamingRecognitionResult(**fields, **more)

    def _word(self, word: Word) -> Any:
        raise NotImplementedError

    def _response(self, **fields: Any) -> Any:
        return self.types.StreamingRecognizeResponse(**fields)


class _V1(Wire):
    version = "v1"
    service = "google.cloud.speech.v1.Speech"
    audio_field = "audio_content"
    end_field = "result_end_time"

    def malordered(self) -> Refused:
        text = "Malordered Data Received. Expected audio_content none was set. Send exactly one config, followed by "
        return Refused("INVALID_ARGUMENT", text + "audio data.")

    def _config(self, request: Any) -> Config:
        streaming = request.streaming_config
        config = streaming.config
        if config.encoding != self.types.RecognitionConfig.AudioEncoding.MULAW:
            raise Refused("INVALID_ARGUMENT", "Invalid recognition 'config': bad encoding..")
        if config.sample_rate_hertz != 8000:
            raise Refused("INVALID_ARGUMENT", "Invalid recognition 'config': bad sample rate hertz.")
        if config.model and config.model not in MODELS["v1"]:
            raise Refused("INVALID_ARGUMENT", f"Incorrect model specified: {config.model}.")
        contexts = [phrase for context in config.speech_contexts for phrase in context.phrases]
        phrases = [phrase.value for phrases in config.adaptation.phrase_sets for phrase in phrases.phrases]
        timeout = streaming.voice_activity_timeout
        return Config(
            config.language_code,
            config.model,
            streaming.interim_results,
            streaming.enable_voice_activity_events,
            config.enable_word_time_offsets,
            (*contexts, *phrases),
            streaming.single_utterance,
            timeout.speech_start_timeout.total_seconds(),
            timeout.speech_end_timeout.total_seconds(),
        )

    def _language(self, config: Config) -> Refused:
        return Refused("INVALID_ARGUMENT", f"Invalid recognition 'config': bad language code ('{config.language}').")

    def event(self, kind: str, at: float) -> Any:
        return self._response(speech_event_type=kind, speech_event_time=timedelta(seconds=at))

    def billed(self, seconds: int) -> Any:
        return self._response(total_billed_time=timedelta(seconds=seconds))

    def _word(self, word: Word) -> Any:
        return {
            "word": word.text,
            "start_time": timedelta(seconds=word.start),
            "end_time": timedelta(seconds=word.end),
        }


class _V2(Wire):
    version = "v2"
    service = "google.cloud.speech.v2.Speech"
    audio_field = "audio"
    end_field = "result_end_offset"

    def malordered(self) -> Refused:
        text = "Malordered data received. Expected audio. Send exactly one config, followed by audio data."
        return Refused("INVALID_ARGUMENT", text)

    def _config(self, request: Any) -> Config:
        streaming, features = request.streaming_config, request.streaming_config.streaming_features
        config = streaming.config
        recognizer = _RECOGNIZER.fullmatch(request.recognizer)
        if recognizer is None:
            raise Refused("INVALID_ARGUMENT", f"Invalid resource field value in the request: '{request.recognizer}'.")
        if recognizer[3] != "_":
            raise Refused("NOT_FOUND", f"Unable to find Recognizer {recognizer[3]} in {recognizer[2]}.")
        decoding = config.explicit_decoding_config
        if "explicit_decoding_config" not in config:
            raise Refused("INVALID_ARGUMENT", "Decoding config is missing: set one for audio without a header.")
        if decoding.encoding != self.types.ExplicitDecodingConfig.AudioEncoding.MULAW:
            raise Refused("INVALID_ARGUMENT", "Audio encoding does not match the audio.")
        if decoding.sample_rate_hertz != 8000 or decoding.audio_channel_count != 1:
            raise Refused("INVALID_ARGUMENT", "Sample rate or channel count is out of range.")
        if len(config.language_codes) != 1:
            raise Refused("INVALID_ARGUMENT", "At least one language code must be specified.")
        sets = [phrases.inline_phrase_set for phrases in config.adaptation.phrase_sets]
        hints = tuple(phrase.value for phrases in sets for phrase in phrases.phrases)
        timeout = features.voice_activity_timeout
        return Config(
            config.language_codes[0],
            config.model,
            features.interim_results,
            features.enable_voice_activity_events,
            config.features.enable_word_time_offsets,
            hints,
            config.model == "latest_short",
            timeout.speech_start_timeout.total_seconds(),
            timeout.speech_end_timeout.total_seconds(),
            request.recognizer,
        )

    def _checked(self, config: Config) -> Config:
        location = config.recognizer.split("/")[3]
        missing = config.model not in MODELS["v2"] or (config.model in _REGIONAL and location == "global")
        if missing:
            text = f'The model "{config.model}" does not exist in the location named "{location}".'
            raise Refused("INVALID_ARGUMENT", text)
        if config.hints and self._refuses_hints and config.model.startswith("telephony"):
            raise Refused("INVALID_ARGUMENT", "Recognizer does not support feature: speech_adaptation_boost")
        return super()._checked(config)

    def _language(self, config: Config) -> Refused:
        location = config.recognizer.split("/")[3]
        text = f'The language "{config.language}" is not supported by the model "{config.model}" in the location named '
        return Refused("INVALID_ARGUMENT", text + f'"{location}".')

    def event(self, kind: str, at: float) -> Any:
        return self._response(speech_event_type=kind, speech_event_offset=timedelta(seconds=at))

    def billed(self, seconds: int) -> Any:
        return self._response(metadata={"total_billed_duration": timedelta(seconds=seconds)})

    def _word(self, word: Word) -> Any:
        return {
            "word": word.text,
            "start_offset": timedelta(seconds=word.start),
            "end_offset": timedelta(seconds=word.end),
        }


def wire(version: str, *, refuses_hints: bool = False, languages: Sequence[str] | None = None) -> Wire:
    """The wire of ``v1`` or ``v2``.

    Raises:
        MissingExtra: google-cloud-speech is not installed.
    """
    types = require(f"google.cloud.speech_{version}.types.cloud_speech", "google", "The Google Speech simulator")
    return {"v1": _V1, "v2": _V2}[version](types, refuses_hints=refuses_hints, languages=languages)
