"""Google Cloud Speech-to-Text, streaming, v2 and v1."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from voiceloop.language import check_tag, primary
from voiceloop.stt.base import STT, Flush, Transcript
from voiceloop.stt.google_client import Client, target_of
from voiceloop.stt.google_errors import SpeechRefused
from voiceloop.stt.google_request import Settings

__all__ = ["GoogleOptions", "GoogleSTT", "SpeechRefused"]

_MODELS = {"v1": "latest_long", "v2": "telephony"}
_REGIONS = {
    "ar": "ar-EG",
    "bg": "bg-BG",
    "cs": "cs-CZ",
    "da": "da-DK",
    "de": "de-DE",
    "el": "el-GR",
    "en": "en-US",
    "es": "es-ES",
    "et": "et-EE",
    "fi": "fi-FI",
    "fr": "fr-FR",
    "he": "iw-IL",
    "hi": "hi-IN",
    "hr": "hr-HR",
    "hu": "hu-HU",
    "id": "id-ID",
    "it": "it-IT",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "lt": "lt-LT",
    "lv": "lv-LV",
    "nb": "no-NO",
    "nl": "nl-NL",
    "no": "no-NO",
    "pl": "pl-PL",
    "pt": "pt-BR",
    "ro": "ro-RO",
    "ru": "ru-RU",
    "sk": "sk-SK",
    "sl": "sl-SI",
    "sv": "sv-SE",
    "th": "th-TH",
    "tr": "tr-TR",
    "uk": "uk-UA",
    "vi": "vi-VN",
    "zh": "cmn-Hans-CN",
}
"""Google wants a region: the one that is taken when a bot names none."""


@dataclass(frozen=True, slots=True)
class GoogleOptions:
    """How `GoogleSTT` works. Times in seconds."""

    settle: Literal["interim", "final"] = "interim"
    """When a flush is answered. ``interim``: as soon as an interim result reaches the end of speech and has been stable
    for `stable`; ``final``: when the final results are in, about 0.7 s later."""
    stable: float = 0.1
    """So long after the flush and after its last change an interim is trusted."""
    limit: float = 1.5
    """A flush is answered after this time with the words there are. When there are none, though somebody made a sound,
    and the stream has not ended either, another stream is asked; after half of it when there are some, and not all."""
    punctuation: bool = True
    """Final results with punctuation."""
    word_times: bool = True
    """Final results with the time of each word."""
    boost: float = 0.0
    """How much the hints weigh, 0 to 20; 0: as Google sees fit. Not every model takes a weight."""
    spare: bool = True
    """Have the next stream open while the caller speaks."""
    idle: float = 4.0
    """Without audio from the phone for this time (a call on hold) no stream is kept open; Google would end it after 5
    to 10 s."""
    roll_after: float = 240.0
    """A stream of this age is replaced in the next silence."""
    roll_by: float = 290.0
    """A stream of this age is replaced in any case; Google ends it at 300 s (v2) or 305 s (v1)."""
    tries: int = 6
    """Streams in a row that may end badly before any words, until recognition fails."""
    backoff: float = 0.1
    """Before the second try in a row; doubled with every further one. The first is at once."""
    connect: float = 5.0
    """For opening a stream."""
    drain: float = 5.0
    """For the final results of a stream that was half-closed."""

    def __post_init__(self) -> None:
        waits = (self.stable, self.limit, self.idle, self.backoff, self.connect, self.drain)
        if min(waits) < 0 or self.tries < 1 or self.settle not in ("interim", "final"):
            raise ValueError(
                f"expected settle 'interim' or 'final', tries of 1 or more and no negative wait, got {self}"
            )
        if not 10.0 <= self.roll_after <= self.roll_by <= 295.0:
            raise ValueError(
                f"expected 10 <= roll_after <= roll_by <= 295, got {self.roll_after:g} and {self.roll_by:g}"
            )


class GoogleSTT(STT):
    """Listens to whole calls through Google's Speech-to-Text.

    The phone's audio goes as it is. A final result is a settled segment, not the end of a turn: segments are numbered
    through the call, and when the caller falls silent the words so far count. Streams end at limits, idle times and
    for no reason; the next one gets the audio that has no final result yet, and no word is lost or doubled.

    Needs ``voiceloop[google]``. One object serves all calls.

    Args:
        project: the Google Cloud project, for v2; None: ``GOOGLE_CLOUD_PROJECT``, or the one of the credentials.
        version: ``v2`` or ``v1`` of the service.
        model: None: ``telephony`` (v2), ``latest_long`` (v1).
        language: a BCP 47 tag; without a region the most usual one is taken. The bot's language decides in a call.
        location: ``global`` or a region such as ``eu``; the chirp models are in regions only.
        hints: phrases that callers are likely to say.
        endpoint: None: ``GOOGLE_SPEECH_ENDPOINT``, or Google's for the location. ``http://host:port`` is a server
            without TLS, which gets no credentials.
        credentials: of google-auth; None: Google's default ones (``GOOGLE_APPLICATION_CREDENTIALS``).
        options: waits and features.
        channel: makes the `grpc.aio.Channel` to use; nothing else is needed then.

    Raises, from `warm` and `transcribe`: `MissingExtra`, `SpeechRefused` (a `ModelError`).
    """

    per_call: ClassVar[bool] = True
    chunk: ClassVar[float] = 0.1

    def __init__(
        self,
        project: str | None = None,
        *,
        version: Literal["v2", "v1"] = "v2",
        model: str | None = None,
        language: str = "en-US",
        location: str = "global",
        hints: Iterable[str] = (),
        endpoint: str | None = None,
        credentials: Any = None,
        options: GoogleOptions | None = None,
        channel: Callable[[], Any] | None = None,
    ) -> None:
        if version not in _MODELS:
            raise ValueError(f"expected version 'v2' or 'v1', got {version!r}")
        if isinstance(hints, str):
            raise TypeError(f"hints are several phrases, got the text {hints!r}: put it in a tuple")
        target_of(endpoint or "", location)
        self.options = options or GoogleOptions()
        self.version = version
        self.settings = Settings(
            model or _MODELS[version],
            _with_region(language),
            location,
            tuple(hints),
            self.options.boost,
            self.options.punctuation,
            self.options.word_times,
        )
        """What every stream asks for."""
        self.client = Client(version, project, location, endpoint, credentials, channel, self.options.connect)
        self._others: dict[str, Self] = {}
        self._origin: GoogleSTT = self

    @property
    def language(self) -> str:
        """The tag that is sent."""
        return self.settings.language

    def for_language(self, language: str) -> Self:
        """The provider for a language; it shares the connection."""
        tag = _with_region(check_tag(language))
        if tag == self.language or (primary(tag) == primary(self.language) and "-" not in language):
            return self
        origin: Any = self._origin
        if tag == origin.language:
            return origin  # type: ignore[no-any-return]
        if tag not in origin._others:
            origin._others[tag] = origin._speaking(tag)
        return origin._others[tag]  # type: ignore[no-any-return]

    def _speaking(self, tag: str) -> Self:
        from copy import copy
        from dataclasses import replace

        other = copy(self)
        other.settings = replace(self.settings, language=tag)
        other._others = {}
        return other

    async def warm(self) -> None:
        """Load Google's package, find credentials and get a token."""
        await self.client.open_up()

    async def aclose(self) -> None:
        """Close the connection; the next use opens another."""
        await self.client.aclose()

    async def transcribe(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        from voiceloop.stt.google_session import Session

        await self.client.open_up()
        session = Session(self.client, self.settings, self.options)
        try:
            async with aclosing(session.items(audio)) as items:
                async for item in items:
                    yield item
        finally:
            await session.aclose()


def _with_region(language: str) -> str:
    return _REGIONS.get(check_tag(language).lower(), language)
