"""An OpenAI-compatible server: its address, its key, and what its refusals mean."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import os
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from voiceloop.errors import ModelError
from voiceloop.llm.openai_stream import error_text, quoted

__all__ = ["KEY_VARIABLE", "OPENAI", "Endpoint", "Refused", "explained", "model_names", "read_some", "refused"]

OPENAI = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
ERROR_LIMIT = 16 * 1024
"""Bytes of an error that are read."""
READ_LIMIT = 3.0
"""Seconds that reading an error may take."""
_SECRET = 6
"""Characters of a header from which on it is taken out of messages: a shorter one is no key."""
_KEYS = ("authorization", "api-key", "x-api-key")
_START = "`ollama serve`, `vllm serve MODEL` or `llama-server -m MODEL.gguf`"


class Refused(ModelError):
    """A server's answer with a status other than 200."""

    def __init__(self, status: int, body: str, retry_after: str = "", location: str = "") -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        """At most `ERROR_LIMIT` bytes of it."""
        self.retry_after = retry_after
        self.location = location

    @property
    def said(self) -> str:
        """What the server says about it, behind a colon; empty when it says nothing."""
        try:
            text = error_text(json.loads(self.body))
        except ValueError:
            text = "" if self.page else quoted(self.body)
        return f": {text}" if text else ""

    @property
    def page(self) -> bool:
        """Whether it is a web page."""
        return self.body.lstrip()[:1] == "<"


class Endpoint:
    """Where a server is, and what it must be told to let us in.

    Args:
        base_url: what stands before ``/chat/completions``.
        api_key: the key; None: what the environment says when it is needed.
        headers: of the user's own.
    """

    def __init__(self, base_url: str, api_key: str | None, headers: Mapping[str, str]) -> None:
        self._base = _base(base_url)
        self._given = api_key
        self._own = dict(headers)
        self._key: str | None = None
        self._withheld = False
        host = self._base.host or ""
        self.is_openai = host == URL(OPENAI).host
        self.nearby = _nearby(host)
        """Whether the server is on this machine or in a private network."""

    def __str__(self) -> str:
        return str(self._base.with_query(None))

    def url(self, path: str) -> URL:
        """The address of a route, with the query of the base, which gateways use for versions."""
        return self._base.joinpath(path).with_query(self._base.query)

    def unlock(self) -> None:
        """Find the key.

        Raises:
            ModelError: there is none where one is needed, or it cannot be one.
        """
        if any(name.lower() in _KEYS for name in self._own):
            return
        key = (self._given if self._given is not None else os.environ.get(KEY_VARIABLE, "")).strip()
        if any(not "!" <= character <= "~" for character in key):
            raise ModelError("the key holds blanks or characters that no key has: look for a slip in copying it")
        # What lies in the environment was not meant for whoever can listen on the way to this host.
        self._withheld = bool(key) and self._given is None and self._base.scheme == "http" and not self.nearby
        self._key = None if self._withheld else key or None
        if self._key is None and self.is_openai:
            raise ModelError(f"no key: set the environment variable {KEY_VARIABLE}, or pass api_key")

    def lock(self) -> None:
        """Forget a key that came from the environment."""
        self._key = None

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        # Compressed, an answer would be held back until a block of it is full.
        headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers | self._own

    def scrubbed(self, text: str) -> str:
        """The text without keys, for a server may say them back."""
        secrets = [self._key, self._given, *self._own.values(), *self._base.query.values()]
        found = {part for secret in secrets if secret for part in (secret, secret.rpartition(" ")[2])}
        for secret in sorted(found, key=len, reverse=True):
            if len(secret) >= _SECRET:
                text = text.replace(secret, "***")
        return text

    def refusal(self, error: Refused, model: str, offered: list[str] | None) -> str:
        """What a refusal means, and what to do.

        Args:
            error: what came.
            model: the model that was asked for.
            offered: the models the server has; None when it does not say.
        """
        status, said = error.status, error.said
        if 300 <= status < 400:
            where = f" to {quoted(str(URL(error.location).with_query(None)))}" if error.location else ""
            return f"it redirects{where} ({status}), and redirects are not followed: make that the base_url"
        if status == 401:
            return f"{self._no_entry()} (401){said}"
        if status == 403:
            return f"access is denied (403): the key may not use {model!r}, or not from here{said}"
        if status == 404:
            return self._not_found(model, offered, said)
        if status == 429:
            wait = f" in {quoted(error.retry_after)} s" if error.retry_after.isdigit() else ""
            return f"too many requests, or no credit left (429): try again{wait or ' later'}{said}"
        if error.page:
            return f"a web page came (status {status}) where JSON was expected: is this the right base_url?"
        if status >= 500:
            return f"the server failed (status {status}){said}"
        return f"the server refused the request (status {status}){said}"

    def _no_entry(self) -> str:
        if self._withheld:
            return (
                f"it wants a key, and {KEY_VARIABLE} is not sent over plain http to another network: use https, or "
                "pass api_key"
            )
        if self._key is None and not any(name.lower() in _KEYS for name in self._own):
            return f"it wants a key: set the environment variable {KEY_VARIABLE}, or pass api_key"
        return "it does not accept the key"

    def _not_found(self, model: str, offered: list[str] | None, said: str) -> str:
        if offered and model not in offered:
            more = f" and {len(offered) - 10} more" if len(offered) > 10 else ""
            names = ", ".join(quoted(name) for name in offered[:10])
            return f"it has no model {model!r} (404); it offers {names}{more}"
        hint = "" if self._base.path.rstrip("/").endswith("/v1") else "; most addresses end in /v1"
        return f"the model {model!r} or the path {self.url('chat/completions').path} is not there (404){hint}{said}"


def explained(error: BaseException, connect: float) -> str:
    """What an error of the connection means, and what to do.

    Args:
        connect: seconds that connecting was given.
    """
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = quoted(str(error.certificate_error))
        return f"its certificate is not trusted: {why}. For one of your own, pass connector"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS connection can be made: does the server speak plain http? Then base_url begins with http://"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no host of this name is found: check base_url and the network"
    if isinstance(error, aiohttp.ClientConnectorError):
        if error.os_error.errno == errno.ECONNREFUSED:
            return f"nothing listens there: start the server (such as {_START}), or mend base_url"
        return f"no connection: {quoted(error.os_error.strerror or str(error.os_error))}"
    if isinstance(error, asyncio.TimeoutError):
        return f"no connection within {connect:g} s"
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | ConnectionError):
        return "the connection ended before the answer was complete"
    return f"{type(error).__name__}: {quoted(str(error))}"


async def read_some(response: aiohttp.ClientResponse, limit: int, start: bytes = b"") -> bytes:
    """The body of a response, but not more than `limit` bytes and what came with them."""
    body = bytearray(start)
    while len(body) <= limit and (chunk := await response.content.readany()):
        body += chunk
    return bytes(body)


async def refused(response: aiohttp.ClientResponse) -> Refused:
    """A response that is no answer, read as far as it comes in time."""
    body = b""
    try:
        async with asyncio.timeout(READ_LIMIT):
            body = await read_some(response, ERROR_LIMIT)
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status alone says enough
    finally:
        response.close()
    text = body[:ERROR_LIMIT].decode("utf-8", "replace")
    return Refused(response.status, text, response.headers.get("Retry-After", ""), response.headers.get("Location", ""))


def model_names(body: Any) -> list[str] | None:
    """The models of an answer to ``GET /models``; None when it is none."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    return [model["id"] for model in data if isinstance(model, dict) and isinstance(model.get("id"), str)]


def _base(text: str) -> URL:
    try:
        url = URL(text)
    except (ValueError, TypeError):
        url = URL()
    if url.user is not None or url.password is not None:
        raise ValueError("base_url holds a user name or password: pass headers={'Authorization': …} in the options")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"expected base_url like 'http://localhost:11434/v1', got {quoted(str(text))!r}")
    if url.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("base_url ends before /chat/completions, which is added to it")
    return url.with_fragment(None).with_path(url.path.rstrip("/")).with_query(url.query)


def _nearby(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_loopback or address.is_private or address.is_link_local
