"""Where Anthropic's service is, and the key that opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from yarl import URL

from voiceloop.errors import ModelError
from voiceloop.llm.anthropic_errors import key_hint
from voiceloop.web_service import Key, base_url, nearby, scrubbed

__all__ = ["ANTHROPIC", "KEY_VARIABLE", "URL_VARIABLE", "Endpoint"]

ANTHROPIC = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
URL_VARIABLE = "ANTHROPIC_BASE_URL"
_KEYS = ("authorization", "x-api-key")


class Endpoint:
    """An address and a key, each given or from the environment.

    Args:
        base_url: what stands before ``/v1/messages``; None: what the environment says when it is needed.
        api_key: the key; None: the same.
        headers: of the user's own.

    Raises:
        ValueError: `base_url` cannot be one.
    """

    def __init__(self, base_url: str | None, api_key: str | None, headers: Mapping[str, str]) -> None:
        self._given_url = None if base_url is None else _base(base_url)
        self._key = Key(api_key, KEY_VARIABLE)
        self._own = dict(headers)
        self.url = self._given_url or URL(ANTHROPIC)

    def __str__(self) -> str:
        return str(self.url).rstrip("/")

    @property
    def key(self) -> str | None:
        """What is sent; None: nothing is."""
        return self._key.value

    def unlock(self) -> None:
        """Find address and key.

        Raises:
            ModelError: there is none, or it cannot be one.
        """
        if self._given_url is None:
            try:
                self.url = _base(os.environ.get(URL_VARIABLE, "").strip() or ANTHROPIC)
            except ValueError as error:
                raise ModelError(f"the environment variable {URL_VARIABLE} is wrong: {error}") from None
        if any(name.lower() in _KEYS for name in self._own):
            return
        self._key.find(self.url)
        if self._key.withheld:
            raise ModelError(self._key.withheld)
        if self._key.value is None and not nearby(self.url.host or ""):
            raise ModelError(f"no key: {key_hint('')}")

    def lock(self) -> None:
        """Forget a key that came from the environment."""
        self._key.forget()

    def headers(self) -> dict[str, str]:
        """What every request carries besides the key."""
        # Compressed, an answer would be held back until a block of it is full.
        return {"Accept-Encoding": "identity", **self._own}

    def scrubbed(self, text: str) -> str:
        """The text without keys, for a server may say them back."""
        return scrubbed(text, [*self._key.secrets, *self._own.values()])


def _base(text: str) -> URL:
    url = base_url(text, ANTHROPIC)
    if url.path.endswith(("/v1", "/v1/messages")):
        raise ValueError("base_url ends before /v1, which is added to it")
    if url.query:
        raise ValueError("base_url holds a query: pass what it says as headers in the options")
    return url
