"""Where Anthropic's service is, and the key that opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from yarl import URL

from voiceloop.errors import ModelError
from voiceloop.llm.anthropic_errors import key_hint
from voiceloop.llm.openai_endpoint import Endpoint as AnyEndpoint
from voiceloop.llm.openai_stream import quoted

__all__ = ["ANTHROPIC", "KEY_VARIABLE", "URL_VARIABLE", "Endpoint"]

ANTHROPIC = "https://api.anthropic.com"
KEY_VARIABLE = "ANTHROPIC_API_KEY"
URL_VARIABLE = "ANTHROPIC_BASE_URL"
_KEYS = ("authorization", "x-api-key")
_SECRET = 6
"""Characters of a header from which on it is taken out of messages: a shorter one is no key."""


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
        self._given_key = api_key
        self._own = dict(headers)
        self.url = self._given_url or URL(ANTHROPIC)
        self.key: str | None = None
        """What is sent; None: nothing is."""

    def __str__(self) -> str:
        return str(self.url).rstrip("/")

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
        self.key = None
        if any(name.lower() in _KEYS for name in self._own):
            return
        key = (self._given_key if self._given_key is not None else os.environ.get(KEY_VARIABLE, "")).strip()
        if any(not "!" <= character <= "~" for character in key):
            raise ModelError("the key holds blanks or characters that no key has: look for a slip in copying it")
        nearby = AnyEndpoint(str(self.url), "", {}).nearby
        # What lies in the environment was not meant for whoever can listen on the way to this host.
        if key and self._given_key is None and self.url.scheme == "http" and not nearby:
            raise ModelError(
                f"{KEY_VARIABLE} is not sent over plain http to another network: use https, or pass api_key"
            )
        if not key and not nearby:
            raise ModelError(f"no key: {key_hint('')}")
        self.key = key or None

    def lock(self) -> None:
        """Forget a key that came from the environment."""
        self.key = None

    def headers(self) -> dict[str, str]:
        """What every request carries besides the key."""
        # Compressed, an answer would be held back until a block of it is full.
        return {"Accept-Encoding": "identity", **self._own}

    def scrubbed(self, text: str) -> str:
        """The text without keys, for a server may say them back."""
        secrets = [self.key, self._given_key, *self._own.values()]
        found = {part for secret in secrets if secret for part in (secret.strip(), secret.rpartition(" ")[2])}
        for secret in sorted(found, key=len, reverse=True):
            if len(secret) >= _SECRET:
                text = text.replace(secret, "***")
        return text


def _base(text: str) -> URL:
    try:
        url = URL(text)
    except (ValueError, TypeError):
        url = URL()
    if url.user is not None or url.password is not None:
        raise ValueError("base_url holds a user name or password: pass headers={'Authorization': …} in the options")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"expected base_url like {ANTHROPIC!r}, got {quoted(str(text))!r}")
    path = url.path.rstrip("/")
    if path.endswith(("/v1", "/v1/messages")):
        raise ValueError("base_url ends before /v1, which is added to it")
    if url.query:
        raise ValueError("base_url holds a query: pass what it says as headers in the options")
    return url.with_fragment(None).with_path(path)
