"""Cartesia's voices (Sonic), over its WebSocket."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from copy import copy
from dataclasses import replace
from typing import Self

import aiohttp

from voiceloop.errors import ModelError
from voiceloop.language import check_language, check_tag, primary
from voiceloop.tts.base import TTS, Speech
from voiceloop.tts.cartesia_answer import Answer
from voiceloop.tts.cartesia_endpoint import CARTESIA, KEY_VARIABLE, URL_VARIABLE, Endpoint, explained
from voiceloop.tts.cartesia_events import Refused
from voiceloop.tts.cartesia_link import ERRORS, Link
from voiceloop.tts.cartesia_options import CartesiaOptions, settings
from voiceloop.tts.pace import Pace

__all__ = ["CARTESIA", "KEY_VARIABLE", "URL_VARIABLE", "CartesiaOptions", "CartesiaTTS"]

_LANGUAGES = (
    "en fr de es pt zh ja hi it ko nl pl ru sv tr tl bg ro ar cs el fi hr ms sk da ta uk hu no vi bn th he ka id te gu "
    "kn ml mr pa or ur"
)
"""Of sonic-3: ``SupportedLanguage`` of the official client, 4.2. Older models know fewer."""
_OTHER_NAMES = {"nb": "no", "nn": "no", "fil": "tl", "iw": "he", "in": "id"}
"""Tags that mean one of those."""


class CartesiaTTS(TTS):
    """Speaks with a voice of Cartesia: ``wss://api.cartesia.ai/tts/websocket``.

    Text is handed over as it is written, and spoken while more is written; audio comes as mu-law, 8000 Hz, and is
    passed on untouched; words come with their times. One WebSocket, opened by `warm` and kept open, carries all answers
    of an event loop. Closing the generator cancels what is left of its answer; what still comes of it is dropped.

    A context, as Cartesia calls an utterance, ends 1 s after its last audio. When the text pauses (a tool is called,
    the model is slow), the words that are there are spoken, and what follows goes on in a new context. When a socket
    closes in the middle of an answer, it goes on, on a new one, from the first word of which not all audio had come.

    It speaks to the socket itself and does not need the package ``cartesia``: in that (4.2) a reader waits for ever
    when the server closes the socket, or when its own context is cancelled, and a closed socket is not opened again. A
    caller would hear silence.

    Without `api_key` the key is that of the environment variable ``CARTESIA_API_KEY``; it is not sent over plain http
    to another network. Without `base_url` the address is that of ``CARTESIA_BASE_URL``, or else Cartesia's. Redirects
    are not followed.

    Args:
        voice: the id of a voice, of https://play.cartesia.ai/voices.
        model: such as ``sonic-3``.
        api_key: the key.
        base_url: another address, as ``https://…`` or ``wss://…``, without the path of the socket.
        options: how to speak, and limits.
        connector: makes the connector of the connections, for proxies, certificates and tests.

    Raises, from `warm` and `generate`: `ModelError`, which says what to do.
    """

    languages = (*_LANGUAGES.split(), *_OTHER_NAMES)

    def __init__(
        self,
        voice: str,
        *,
        model: str = "sonic-3",
        api_key: str | None = None,
        base_url: str | None = None,
        options: CartesiaOptions | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
    ) -> None:
        if not isinstance(voice, str) or not voice.strip():
            raise ValueError(f"expected the id of a voice, of play.cartesia.ai/voices, got {voice!r}")
        self.options = options or CartesiaOptions()
        self.voice = voice.strip()
        self.model = model
        self._endpoint = Endpoint(base_url, api_key, self.options.version)
        self._link = Link(self._endpoint, self.options, connector)
        self._pace = Pace()
        self._siblings: dict[str, CartesiaTTS] = {}
        if self.options.language is not None:
            self._siblings[self.options.language] = self
        self._fields = settings(self.voice, model, self.options)

    def __repr__(self) -> str:
        return f"CartesiaTTS({self.voice!r}, model={self.model!r})"

    def for_language(self, language: str) -> Self:
        """The voice for a language; all share one socket. Most voices are at their best in their own language."""
        check_language(self, self.languages, check_tag(language))
        code = _OTHER_NAMES.get(primary(language), primary(language))
        if code not in self._siblings:
            sibling = copy(self)  # with the same link
            sibling.options = replace(self.options, language=code)
            sibling._fields = settings(self.voice, self.model, sibling.options)
            self._siblings[code] = sibling
        return self._siblings[code]  # type: ignore[return-value]

    async def warm(self) -> None:
        """Open the socket, so that the first answer does not wait for that, and see whether the key is accepted."""
        try:
            await self._link.warm()
        except ERRORS as error:
            raise self._told(error) from None

    async def aclose(self) -> None:
        """Close the socket; answers under way fail. The next use opens a new one."""
        await self._link.aclose()

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        answer = Answer(self._link, self._fields, self.options, self._pace)
        try:
            async with aclosing(answer.speak(text)) as pieces:
                async for speech in pieces:
                    yield speech
        except ERRORS as error:
            if error is answer.unreadable:
                raise
            raise self._told(error) from None

    def _told(self, error: BaseException) -> ModelError:
        """An error with the address, and without keys."""
        if isinstance(error, Refused):
            said = self._endpoint.refusal(error, self.voice, self.model)
        elif isinstance(error, ModelError):
            said = str(error)
        else:
            said = explained(error, self.options.connect)
        return ModelError(self._endpoint.scrubbed(f"{self._endpoint}: {said}"))
