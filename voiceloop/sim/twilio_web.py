"""Twilio's requests to an application: signed webhooks and WebSockets, through a tunnel if there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from voiceloop.twilio.signature import SIGNATURE_HEADER, sign
from voiceloop.web_service import is_here

__all__ = ["Signing", "Unreachable", "WebClient", "WebhookFault"]

WEBHOOK_LIMIT: Final = 15.0
"""Seconds that an application may take to answer."""
MAX_TWIML: Final = 64 * 1024
"""Bytes of an answer (error 11750)."""
Form = list[tuple[str, str]]
_RETRIES: Final = "1"
"""How often a webhook that fails is asked again, and after which failures (``ct``: no connection), unless the URL's
fragment says otherwise: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides"""
_POLICY: Final = "ct"
_XML: Final = ("text/xml", "application/xml", "text/html")
Signing = Literal["wss", "https", "port", "slash", "bad", "none"]
"""Which URL the handshake of a stream is signed as: Twilio's own is not settled. Or not at all."""


class WebhookFault(Exception):
    """A webhook that failed; `code` is Twilio's error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unreachable(WebhookFault):
    """A URL that the simulator has no way to."""


@dataclass(slots=True)
class Target:
    """Where a public URL really is."""

    url: str
    headers: dict[str, str]


class WebClient:
    """Requests of one account.

    Args:
        tunnels: from the public address of an application (``https://agent.example.com``) to where it listens
            (``http://127.0.0.1:8080``). Without one only this machine can be reached.
    """

    def __init__(self, auth_token: str, tunnels: Mapping[str, str]) -> None:
        self._token = auth_token
        self.tunnels = {public.rstrip("/"): here.rstrip("/") for public, here in tunnels.items()}
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """Of all requests; opened by the first."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, form: Iterable[tuple[str, str]], *, signature: str | None = None) -> tuple[str, str]:
        """Post a signed form. Returns content type and text of the answer.

        Args:
            signature: instead of the right one.

        Raises:
            WebhookFault: 11100, no URL; 11200, it fails or takes more than 15 s; 11210, no such host; 11750, too long.
        """
        fields = list(form)
        url, again, policy = _overrides(url)
        target = self.target(url)
        headers = {**target.headers, SIGNATURE_HEADER: signature or sign(self._token, url, fields)}
        try:
            async with asyncio.timeout(WEBHOOK_LIMIT):
                while True:
                    try:
                        status, kind, body = await self._post(target, fields, headers)
                    except (aiohttp.ClientError, OSError) as error:
                        refused = isinstance(error, aiohttp.ClientConnectorError)
                        if not again or not policy & {"all", "ct" if refused else "rt"}:
                            raise
                    else:
                        if not again or status < 400 or not policy & {"all", f"{status // 100}xx"}:
                            break
                    again -= 1
        except TimeoutError:
            raise WebhookFault(11200, f"HTTP retrieval failure: no answer from {url} within 15 s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise WebhookFault(11200, f"HTTP retrieval failure: {url}: {error}") from None
        if not 200 <= status < 300:
            raise WebhookFault(11200, f"HTTP retrieval failure: got HTTP {status} response to {url}")
        if len(body) > MAX_TWIML:
            raise WebhookFault(11750, "TwiML response body too large: more than 64 kB")
        return kind, body.decode(errors="replace")

    async def _post(self, target: Target, fields: Form, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
        async with self.session.post(
            target.url,
            data=aiohttp.FormData(fields, charset="utf-8"),
            headers={**headers, "User-Agent": "TwilioProxy/1.1"},
            allow_redirects=False,
        ) as response:
            body = await response.content.read(MAX_TWIML + 1)
            while len(body) <= MAX_TWIML and (more := await response.content.read(MAX_TWIML)):
                body += more
            return response.status, response.content_type, body

    async def twiml(self, url: str, form: Iterable[tuple[str, str]]) -> str:
        """Ask an application for TwiML.

        Raises:
            WebhookFault: as `post`; 12300, what comes is no XML.
        """
        kind, text = await self.post(url, form)
        if kind not in _XML:
            raise WebhookFault(12300, f"Invalid Content-Type: {kind} from {url}")
        return text

    def stream(self, url: str, signing: Signing) -> Target:
        """Where a stream goes, with the headers of its handshake.

        Raises:
            WebhookFault: 31922, the scheme is not wss; 31923, no URL; 11210, no such host.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise WebhookFault(31923, f"Stream - malformed URL: {url!r}")
        if parts.scheme != "wss" and not (parts.scheme == "ws" and is_here(parts.hostname)):
            raise WebhookFault(31922, f"Stream - invalid URL scheme {parts.scheme!r}, expected wss")
        parts = parts._replace(query="", fragment="")  # a query is not supported
        public = parts.geturl()
        default = {"wss": 443, "ws": 80}[parts.scheme]
        signed = {
            "wss": public,
            "https": "http" + public.removeprefix("ws"),
            "port": public if parts.port else parts._replace(netloc=f"{parts.netloc}:{default}").geturl(),
            "slash": public + "/",
            "bad": public + "/elsewhere",
        }
        target = self.target("http" + public.removeprefix("ws"))
        if signing != "none":
            target.headers[SIGNATURE_HEADER] = sign(self._token, signed[signing])
        return target

    def target(self, url: str) -> Target:
        """Where a public URL really is.

        Raises:
            WebhookFault: 11100, it is no URL; 11210, there is no tunnel to its host.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            raise WebhookFault(11100, f"Invalid URL format: {url!r}")
        place = f"{parts.scheme}://{parts.netloc}{parts.path}"
        under = (each for each in self.tunnels if f"{place}/".startswith(f"{each}/"))
        if public := max(under, key=len, default=""):  # a tunnel may begin behind a prefix, which it cuts off
            headers = {"Host": parts.netloc, "X-Forwarded-Host": parts.netloc, "X-Forwarded-Proto": parts.scheme}
            rest = place.removeprefix(public) + (f"?{parts.query}" if parts.query else "")
            return Target(self.tunnels[public] + rest, headers)
        if not is_here(host):
            raise Unreachable(11210, f"HTTP bad host name: {host} (the simulator has no tunnel to it)")
        return Target(url, {})


def _overrides(url: str) -> tuple[str, int, set[str]]:
    """A webhook's URL without its fragment, and what that says: how often to ask again, and after which failures."""
    url, _, fragment = url.partition("#")
    given = dict(parse_qsl(fragment))
    retries = given.get("rc", _RETRIES)
    return url, min(int(retries), 5) if retries.isdigit() else 1, set(given.get("rp", _POLICY).split(","))
