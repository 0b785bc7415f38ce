"""An OpenAI-compatible server: its address, its key, and what its refusals mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from voiceloop.errors import ModelError, quoted
from voiceloop.llm.openai_stream import error_text
from voiceloop.web_service import Key, base_url, nearby, read_some, scrubbed, unreachable

__all__ = ["KEY_VARIABLE", "OPENAI", "Endpoint", "Refused", "explained", "model_names", "refused"]

OPENAI = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
ERROR_LIMIT = 16 * 1024
"""Bytes of an error that are read."""
READ_LIMIT = 3.0
"""Seconds that reading an error may take."""
_KEYS = ("authorization", "api-key", "x-api-key")
_LIKE = "http://localhost:11434/v1"
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
        self._own = dict(headers)
        self._key = Key(api_key, KEY_VARIABLE)
        host = self._base.host or ""
        self.is_openai = host == URL(OPENAI).host
        self.nearby = nearby(host)
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
        self._key.find(self._base)
        if self._key.value is None and self.is_openai:
            raise ModelError(f"no key: set the environment variable {KEY_VARIABLE}, or pass api_key")

    def lock(self) -> None:
        """Forget a key that came from the environment."""
        self._key.forget()

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        # Compressed, an answer would be held back until a block of it is full.
        headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
        if self._key.value is not None:
            headers["Authorization"] = f"Bearer {self._key.value}"
        return headers | self._own

    def scrubbed(self, text: str) -> str:
        """The text without keys, for a server may say them back."""
        return scrubbed(text, [*self._key.secrets, *self._own.values(), *self._base.query.values()])

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
        if self._key.withheld:
            return f"it wants a key, and {self._key.withheld}"
        if self._key.value is None and not any(name.lower() in _KEYS for name in self._own):
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
    if said := unreachable(error, connect, f"start the server (such as {_START}), or mend base_url"):
        return said
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | ConnectionError):
        return "the connection ended before the answer was complete"
    return f"{type(error).__name__}: {quoted(str(error))}"


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
    url = base_url(text, _LIKE)
    if url.path.endswith("/chat/completions"):
        raise ValueError("base_url ends before /chat/completions, which is added to it")
    return url
