"""Requests to Twilio's REST API: limits on time, further tries where they do no harm, errors that say what to do."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from voiceloop.twilio.rest_errors import TwilioError, advice
from voiceloop.web_service import is_here, parsed, read_some, scrubbed

__all__ = ["API", "Credentials", "Form", "RestClient", "RestOptions", "base_of"]

API: Final = "https://api.twilio.com"
Form = Sequence[tuple[str, str]]
"""Fields; a name may come more than once."""
_MAX_BODY: Final = 1024 * 1024  # bytes; a page of 50 numbers takes about 60 KB
_MAX_WAIT: Final = 5.0  # seconds that a "Retry-After" is obeyed
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class RestOptions:
    """How long to wait, and how often to ask."""

    connect: float = 5.0
    """Seconds for a connection."""
    timeout: float = 10.0
    """Seconds for one request and its answer."""
    total: float = 25.0
    """Seconds for all tries of one request."""
    retries: int = 2
    """Further tries when Twilio cannot be reached, says "later" or fails. What may have been done already and must not
    be done twice, such as dialling, is not tried again."""
    backoff: float = 0.5
    """Seconds before the first further try, twice as long before each next one."""
    most_numbers: int = 1000
    """Phone numbers that are listed at most."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What every request carries. Never shown."""

    user: str
    secret: str

    def __repr__(self) -> str:
        return f"<Credentials of {self.user}>"

    @property
    def header(self) -> str:
        """Basic authentication."""
        return "Basic " + b64encode(f"{self.user}:{self.secret}".encode()).decode()


class _Failed(Exception):
    """A try that failed; `again` says whether another one does no harm, whatever was asked."""

    def __init__(self, error: TwilioError, *, again: bool = False, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        self.wait = wait


class RestClient:
    """Sends requests over connections that are kept. Belongs to one event loop at a time."""

    def __init__(self, base: URL, credentials: Credentials, options: RestOptions) -> None:
        self.base = base
        self.options = options
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(self, what: str, method: str, path: str, form: Form = (), *, twice: bool) -> dict[str, Any]:
        """Ask, and again if need be.

        Args:
            what: is asked for, for messages: ``dial +15550001111``.
            path: from the root of the server, with its query.
            twice: whether it may be done twice.

        Raises:
            TwilioError: Twilio refuses, or cannot be asked.
        """
        options = self.options
        failed: _Failed | None = None
        try:
            async with asyncio.timeout(options.total):
                for tried in range(options.retries + 1):
                    if failed is not None:
                        await asyncio.sleep(max(failed.wait, options.backoff * 2 ** (tried - 1)))
                    try:
                        return await self._try(what, method, path, form)
                    except _Failed as failure:
                        failed = failure
                        if not failed.again and not (twice and _passing(failed.error)):
                            break
        except TimeoutError:
            if failed is None:
                text = f"{what}: no answer from {self.base} within {options.total:g} s"
                raise TwilioError(text, unclear=True) from None
        assert failed is not None
        raise failed.error

    async def _try(self, what: str, method: str, path: str, form: Form) -> dict[str, Any]:
        options = self.options
        try:
            async with asyncio.timeout(options.timeout):
                async with self._open().request(
                    method,
                    self.base.join(URL(path, encoded=True)),
                    data=aiohttp.FormData(list(form), charset="utf-8") if form else None,
                    headers={"Authorization": self._credentials.header, "Accept": "application/json"},
                    allow_redirects=False,
                ) as response:
                    body = (await read_some(response, _MAX_BODY))[:_MAX_BODY]
                    return self._answer(what, response, body)
        except _NOT_SENT as error:
            raise _Failed(TwilioError(f"{what}: {self._unreachable(error)}"), again=True) from None
        except TimeoutError:
            text = f"{what}: no answer from {self.base} within {options.timeout:g} s"
            raise _Failed(TwilioError(text, unclear=True)) from None
        except (aiohttp.ClientError, OSError) as error:
            why = self._scrubbed(str(error) or type(error).__name__)
            text = f"{what}: the connection to {self.base} broke: {why}"
            raise _Failed(TwilioError(text, unclear=True)) from None

    def _answer(self, what: str, response: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
        status = response.status
        try:
            data = json.loads(body) if body else {}
        except (ValueError, RecursionError):
            data = None
        if 200 <= status < 300 and isinstance(data, dict):
            return data
        if not isinstance(data, dict):
            other = f"expected JSON from {self.base}, got something else (status {status}): is it Twilio's API?"
            error = TwilioError(f"{what}: {other}", status=status, unclear=status >= 500 or status < 300)
            raise _Failed(error, again=status == 429)
        code = data.get("code")
        code = code if isinstance(code, int) else 0
        said = self._scrubbed(str(data.get("message") or ""))[:300]
        told = f" (Twilio: {said!r}, error {code or status})" if said else f" (error {code or status})"
        means = advice(code, status) or "Twilio refuses it"
        wait = response.headers.get("Retry-After", "")
        seconds = min(float(wait), _MAX_WAIT) if wait.isascii() and wait.isdigit() and len(wait) < 6 else 0.0
        error = TwilioError(f"{what}: {means}{told}", code=code, status=status, unclear=status >= 500)
        raise _Failed(error, again=status == 429, wait=seconds)

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return f"the certificate of {self.base} is not trusted"
        if isinstance(error, aiohttp.ClientSSLError):
            return f"no TLS connection to {self.base}: does it speak plain http?"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return f"no host {self.base.host} is found: check the network, and TWILIO_BASE_URL if it is set"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"no connection to {self.base}: {error.os_error.strerror or error.os_error}"
        return f"no connection to {self.base} within {self.options.connect:g} s"

    def _scrubbed(self, text: str) -> str:
        """What a server says back, without the secret and what would garble a log."""
        return _CONTROL.sub(" ", scrubbed(text, (self._credentials.secret, self._credentials.header)))

    def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            limits = aiohttp.ClientTimeout(total=None, connect=self.options.connect)
            self._session = aiohttp.ClientSession(timeout=limits, cookie_jar=aiohttp.DummyCookieJar())
            self._loop = loop
        return self._session

    async def aclose(self) -> None:
        """Close the connections; a request after that opens new ones."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            with suppress(OSError):
                await session.close()


def _passing(error: TwilioError) -> bool:
    """Whether it may go better next time."""
    return error.status == 0 or error.status >= 500


def base_of(text: str) -> URL:
    """The root of the API.

    Raises:
        TwilioError: it is no such URL, or would send the secret over plain http to another machine.
    """
    url = parsed(text)
    if url.scheme not in ("http", "https") or not url.host or url.user is not None or url.query_string:
        raise TwilioError(f"expected a base URL (TWILIO_BASE_URL) like {API!r}, got {str(text)[:100]!r}")
    if url.scheme == "http" and not is_here(url.host):
        raise TwilioError(f"the auth token is not sent over plain http to {url.host}: use https")
    return url.origin()
