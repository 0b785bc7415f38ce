"""What every service has that is asked over HTTP: an address, a key, and connections that fail."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping

import aiohttp
from yarl import URL

from voiceloop.errors import ModelError, quoted

__all__ = ["Key", "base_url", "check_headers", "is_here", "nearby", "parsed", "read_some", "scrubbed", "unreachable"]

_PLAIN = ("http", "ws")
_SECRET = 6
"""Characters of a secret from which on it is taken out of messages: a shorter one is no key."""


# --- addresses ----------------------------------------------------------------------------------------------


def parsed(text: str) -> URL:
    """A URL; an empty one for what is none."""
    try:
        return URL(text)
    except (ValueError, TypeError):
        return URL()


def base_url(text: str, like: str) -> URL:
    """What stands before the routes of a service: without a fragment, and without a slash at the end.

    Args:
        text: what was given.
        like: an address as it should be, for the message.

    Raises:
        ValueError: it is no such address, or holds a password.
    """
    url = parsed(text)
    if url.user is not None or url.password is not None:
        raise ValueError("base_url holds a user name or password: pass headers={'Authorization': …} in the options")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"expected base_url like {like!r}, got {quoted(str(text))!r}")
    return url.with_fragment(None).with_path(url.path.rstrip("/")).with_query(url.query)


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def nearby(host: str) -> bool:
    """Whether a host is this machine or in a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_loopback or address.is_private or address.is_link_local


# --- secrets ------------------------------------------------------------------------------------------------


class Key:
    """The key of a service. Never shown.

    Args:
        given: by the user; None: what the environment says when it is needed.
        variable: of the environment.
    """

    def __init__(self, given: str | None, variable: str) -> None:
        self._given = given
        self._variable = variable
        self.value: str | None = None
        """What is sent; None: nothing is."""
        self.withheld = ""
        """Why what the environment says is not sent; empty when it is, or says nothing."""

    @property
    def secrets(self) -> tuple[str | None, str | None]:
        """What must not be told."""
        return self.value, self._given

    def find(self, url: URL) -> None:
        """Look for what is to be sent to an address.

        Raises:
            ModelError: it cannot be a key.
        """
        self.value, self.withheld = None, ""
        key = (self._given if self._given is not None else os.environ.get(self._variable, "")).strip()
        if any(not "!" <= character <= "~" for character in key):
            raise ModelError("the key holds blanks or characters that no key has: look for a slip in copying it")
        # What lies in the environment was not meant for whoever can listen on the way to this host.
        if key and self._given is None and url.scheme in _PLAIN and not nearby(url.host or ""):
            self.withheld = (
                f"{self._variable} is not sent over plain http to another network: use https, or pass api_key"
            )
        else:
            self.value = key or None

    def forget(self) -> None:
        """As if it had not been looked for: one of the environment may be another one next time."""
        self.value = None


def scrubbed(text: str, secrets: Iterable[str | None]) -> str:
    """The text without secrets, for a server may say them back; also without what follows ``Bearer`` in them."""
    whole = [secret.strip() for secret in secrets if secret]
    found = {part for secret in whole for part in (secret, secret.rpartition(" ")[2])}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= _SECRET:
            text = text.replace(secret, "***")
    return text


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers of the user's own that cannot be sent.

    Raises:
        ValueError: a name or a value is none.
    """
    for name, value in headers.items():
        if not (isinstance(value, str) and re.fullmatch(r"[\w-]+", name, re.ASCII) and value.isprintable()):
            raise ValueError(f"the header {name!r} cannot be sent: expected a line of text as its value")


# --- connections --------------------------------------------------------------------------------------------


def unreachable(error: BaseException, connect: float, start: str = "check base_url") -> str | None:
    """Why there is no connection, and what to do; None when the error is of another kind.

    Args:
        connect: seconds that connecting was given.
        start: what to do where nothing listens.
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
            return f"nothing listens there: {start}"
        return f"no connection: {quoted(error.os_error.strerror or str(error.os_error))}"
    if isinstance(error, asyncio.TimeoutError):
        return f"no connection within {connect:g} s: check the network and base_url"
    return None


async def read_some(response: aiohttp.ClientResponse, limit: int, start: bytes = b"") -> bytes:
    """The body of a response, but not more than `limit` bytes and what came with them."""
    body = bytearray(start)
    while len(body) <= limit and (chunk := await response.content.readany()):
        body += chunk
    return bytes(body)
