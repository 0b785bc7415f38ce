"""Who may come in: signatures of webhooks and of WebSockets, and what to tell the owner when one is wrong."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from voiceloop.observe.lines import one_line
from voiceloop.server.phone_options import PhoneError, PhoneOptions, public_base
from voiceloop.twilio.signature import (
    SETTINGS_HEADER,
    SIGNATURE_HEADER,
    is_genuine,
    is_genuine_handshake,
    settings,
)

if TYPE_CHECKING:
    from voiceloop.server.http import Request

__all__ = ["Door", "Form", "Sparingly", "joined"]

log = logging.getLogger("voiceloop.phone")

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?")
Form = list[tuple[str, str]]
_LONGEST: Final = 2000
"""Characters of a text in the log."""


class Sparingly:
    """Logs what outsiders can cause: so many lines in so many seconds, and later how many were left out."""

    def __init__(self, lines: int = 10, period: float = 60.0) -> None:
        self._lines = lines
        self._period = period
        self._until = 0.0
        self._left = 0
        self._unsaid = 0

    def warning(self, message: str, *values: object) -> None:
        """Log a warning, if there is room. Texts in it are kept on one line; one that takes time to make may be given
        as a function."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._until, self._left = now + self._period, self._lines
        if self._left == 0:
            self._unsaid += 1
            return
        self._left -= 1
        if self._unsaid:
            log.warning("%d more warnings of this kind were left out", self._unsaid)
            self._unsaid = 0
        made = (value() if callable(value) else value for value in values)
        log.warning(message, *(one_line(value, _LONGEST) if isinstance(value, str) else value for value in made))


class Door:
    """Checks what comes against what Twilio would have signed.

    Raises:
        PhoneError: there is no auth token, or no public URL that Twilio can use.
    """

    def __init__(self, options: PhoneOptions) -> None:
        self.secret = options.secret()
        self.base = options.base()
        """The public URL; empty when each request's headers say it."""
        self.account = options.account()
        """The only account whose calls are taken; empty: any."""
        self._options = options
        self._sparingly = Sparingly()

    def strange_account(self, account_sid: str) -> str:
        """Why nothing of this account is taken; empty when it is."""
        if not self._options.check or not self.account or account_sid == self.account:
            return ""
        shown = account_sid[:34] if account_sid[:34].isalnum() else "none" if not account_sid else "no SID"
        return f"it is of another account: expected {self.account}, as TWILIO_ACCOUNT_SID says, got {shown}"

    def base_of(self, request: Request) -> str:
        """The public URL of this server as this request shows it; empty when it shows none."""
        if self.base or not self._options.trust_forwarded:
            return self.base
        return _forwarded(request)

    def url_of(self, request: Request) -> str:
        """The public URL of a request, with its query."""
        return joined(self.base_of(request), request.raw_path)

    def webhook_is_genuine(self, request: Request, form: Form, body: bytes | None) -> bool:
        """Whether Twilio has signed this webhook. If not, a log line says what was checked, and what to mend.

        Args:
            form: its fields.
            body: when it is no form.
        """
        if not self._options.check:
            return True
        url = self.url_of(request)
        if self._matches(request, url, form, body):
            return True
        self._sparingly.warning("%s", lambda: self._diagnosis(request, url, form, body))
        return False

    def handshake_is_genuine(self, request: Request) -> bool:
        """Whether Twilio has signed this WebSocket's handshake."""
        found = settings(request.headers.get(SETTINGS_HEADER))
        url, signature = self.url_of(request), request.headers.get(SIGNATURE_HEADER)
        return is_genuine_handshake(self._secret_of(found.key), url, signature, algorithm=found.algorithm)

    def _secret_of(self, key: str) -> str:
        return self._options.shared_keys.get(key, "") if key else self.secret

    def _matches(self, request: Request, url: str, form: Form, body: bytes | None) -> bool:
        found = settings(request.headers.get(SETTINGS_HEADER))
        signature = request.headers.get(SIGNATURE_HEADER)
        return is_genuine(self._secret_of(found.key), url, signature, form, body=body, algorithm=found.algorithm)

    def _diagnosis(self, request: Request, url: str, form: Form, body: bytes | None) -> str:
        """Why a signature does not match, as far as it can be found out."""
        what = f"{request.method} {request.path[:100]} was refused (403)"
        if SIGNATURE_HEADER not in request.headers:
            return f"{what}: it has no {SIGNATURE_HEADER}, so it does not come from Twilio"
        found = settings(request.headers.get(SETTINGS_HEADER))
        if found.key and found.key not in self._options.shared_keys:
            return f"{what}: it is signed with the shared key {found.key[:80]!r}, which is not among the shared_keys"
        if not url.startswith("http"):
            return f"{what}: no X-Forwarded-Host or Host header says under which URL it was called"
        for other in self._others(request, url):
            if self._matches(request, other, form, body):
                return (
                    f"{what}: it was checked against {url[:300]}, but Twilio has called {other[:300]}. Set "
                    "VOICELOOP_PUBLIC_URL to what stands before /voice there, or mend the webhook in Twilio's console"
                )
        account = dict(form).get("AccountSid", "")[:34]
        return (
            f"{what}: its signature does not match {url[:300]}. Either Twilio calls another URL: set "
            "VOICELOOP_PUBLIC_URL to what stands before /voice in Twilio's console. Or TWILIO_AUTH_TOKEN is not that "
            f"of the account {account if account.isalnum() else '(unnamed)'}"
        )

    def _others(self, request: Request, url: str) -> list[str]:
        """URLs that Twilio may have been given instead."""
        here = request.raw_path
        host = request.headers.get("Host", "")
        bases = [_forwarded(request)]
        if _HOST.fullmatch(host):
            bases += [f"https://{host}", f"http://{host}"]
        urls = [joined(base, here) for base in bases if base]
        urls.append("http" + url.removeprefix("https"))
        path, question, query = url.partition("?")
        urls.append((path.rstrip("/") if path.endswith("/") else path + "/") + question + query)
        return [other for other in dict.fromkeys(urls) if other != url]


def joined(base: str, path: str) -> str:
    """A path of this server behind its public URL.

    A server that is mounted under a prefix has that in the path, and perhaps in its public URL, too.
    """
    prefix = urlsplit(base).path
    return base.removesuffix(prefix) + path if prefix and path.startswith(f"{prefix}/") else base + path


def _forwarded(request: Request) -> str:
    """The public URL that a proxy's headers tell; empty when they tell none."""
    host = (request.headers.get("X-Forwarded-Host") or request.headers.get("Host") or "").partition(",")[0].strip()
    scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return ""
    try:
        return public_base(f"{scheme}://{host}")
    except PhoneError:
        return ""
