"""Cartesia's address, the key for it, and what its refusals mean."""

from __future__ import annotations

import os

import aiohttp
from yarl import URL

from voiceloop.errors import ModelError, quoted
from voiceloop.tts.cartesia_events import Refused
from voiceloop.web_service import Key, parsed, scrubbed, unreachable

__all__ = ["CARTESIA", "KEY_VARIABLE", "URL_VARIABLE", "Endpoint", "explained"]

CARTESIA = "https://api.cartesia.ai"
KEY_VARIABLE = "CARTESIA_API_KEY"
URL_VARIABLE = "CARTESIA_BASE_URL"
PATH = "/tts/websocket"
_SCHEMES = {"https": "wss", "wss": "wss", "http": "ws", "ws": "ws"}
OWN_LIMIT = "own_limit"
"""Code of a refusal by `CartesiaOptions.contexts`."""
_FOREIGN = (
    ("sk-ant-", "Anthropic"),
    ("sk-or-", "OpenRouter"),
    ("sk-", "OpenAI"),
    ("AIza", "Google"),
)
"""How keys of others begin."""
_PLANS = "the plans allow 2, 3, 5 or 15 (Free, Pro, Startup, Scale)"


class Endpoint:
    """Where Cartesia is, and what it must be told to let us in.

    Args:
        base_url: as ``https://…`` or ``wss://…``, without a path of its own; None: what the environment says when it
            is needed, or else Cartesia's.
        api_key: the key; None: what the environment says when it is needed.
        version: of the interface, a date.

    Raises:
        ValueError: the address is none.
    """

    def __init__(self, base_url: str | None, api_key: str | None, version: str) -> None:
        self._given_base = _base(base_url) if base_url is not None else None
        self._version = version
        self._base = self._given_base or _base(CARTESIA)
        self._key = Key(api_key, KEY_VARIABLE)

    def __str__(self) -> str:
        return str(self._base.with_query(None))

    @property
    def url(self) -> URL:
        """Of the socket."""
        path = self._base.path.rstrip("/") + PATH
        return self._base.with_scheme(_SCHEMES[self._base.scheme]).with_path(path).with_query(self._base.query)

    def unlock(self) -> None:
        """Find the address and the key.

        Raises:
            ModelError: one of them is missing, or cannot be what it should.
        """
        if self._given_base is None:
            try:
                self._base = _base(os.environ.get(URL_VARIABLE) or CARTESIA)
            except ValueError as error:
                raise ModelError(f"{URL_VARIABLE}: {error}") from None
        self._key.find(self._base)
        if self._key.withheld:
            raise ModelError(self._key.withheld)
        if self._key.value is None and self._base.host == URL(CARTESIA).host:
            raise ModelError(f"no key: set the environment variable {KEY_VARIABLE}, or pass api_key")

    def lock(self) -> None:
        """Forget what came from the environment."""
        self._key.forget()

    def headers(self) -> dict[str, str]:
        """Of the handshake, in the form of Cartesia's own client (4.2)."""
        headers = {"Cartesia-Version": self._version}
        # As Authorization, and not as X-API-Key: aiohttp drops it on the way to another host.
        key = self._key.value
        return headers | ({"Authorization": f"Bearer {key}"} if key is not None else {})

    def scrubbed(self, text: str) -> str:
        """The text without keys, for a server may say them back."""
        return scrubbed(text, [*self._key.secrets, *self._base.query.values()])

    def refusal(self, error: Refused, voice: str, model: str) -> str:
        """What a refusal means, and what to do."""
        said = f": {error.said}" if error.said else ""
        about = f"{error.code} {error.said}".lower()
        if error.status == 401:
            if self._key.value is None:
                return f"it wants a key: set the environment variable {KEY_VARIABLE}, or pass api_key (401){said}"
            return f"it does not accept the key (401){said}: {self._slip()}"
        if error.status == 402:
            return f"no credit is left, or the plan does not include this (402){said}: see play.cartesia.ai"
        if error.status == 403:
            return f"access is denied (403): the key may not use this model or voice{said}"
        if error.status == 429:
            return _busy(error, said)
        if 300 <= error.status < 400:
            return f"it redirects ({error.status}), and redirects are not followed: mend base_url"
        if error.status in (400, 404, 422) and "voice" in about:
            return f"it has no voice {voice!r} ({error.status}){said}: expected an id, of play.cartesia.ai/voices"
        if error.status in (400, 404, 422) and "model" in about:
            return f"it has no model {model!r} ({error.status}){said}: expected one such as 'sonic-3'"
        if error.status == 404:
            return f"there is nothing at {self.url.path} (404): is this the right base_url?{said}"
        if error.status >= 500:
            return f"the server failed (status {error.status}){said}"
        return f"it refused the request (status {error.status}){said}"

    def _slip(self) -> str:
        """What may be the matter with the key."""
        key = self._key.value or ""
        owner = next((name for start, name in _FOREIGN if key.startswith(start)), "")
        if owner:
            return f"this looks like a key of {owner}; one of Cartesia is made at play.cartesia.ai/keys"
        return "look for a slip in it at play.cartesia.ai/keys"


def _busy(error: Refused, said: str) -> str:
    if error.code == OWN_LIMIT:
        return f"all contexts are in use: {error.said}. Raise CartesiaOptions(contexts=…), or `wait`"
    return (
        f"more at once than the plan allows (429){said}. Each answer that is being made counts; {_PLANS}: take a "
        "larger one, or let answers wait with CartesiaOptions(contexts=…)"
    )


def explained(error: BaseException, connect: float) -> str:
    """What an error of the connection means, and what to do.

    Args:
        connect: seconds that connecting was given.
    """
    if said := unreachable(error, connect):
        return said
    if isinstance(error, aiohttp.ClientConnectionError | ConnectionError):
        return "the connection ended"
    return f"{type(error).__name__}: {quoted(str(error))}"


def _base(text: str) -> URL:
    url = parsed(text)
    if url.user is not None or url.password is not None:
        raise ValueError("the address holds a user name or password: pass the key as api_key")
    if url.scheme not in _SCHEMES or not url.host:
        raise ValueError(f"expected an address like {CARTESIA!r}, got {quoted(str(text))!r}")
    if url.path.rstrip("/").endswith(PATH):
        raise ValueError(f"the address ends before {PATH}, which is added to it")
    return url.with_fragment(None)
