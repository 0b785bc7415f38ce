"""Keeps other web sites away from a local server, and says what its own pages may load.

Any web page a person opens can send requests to 127.0.0.1, and by DNS rebinding even under a name of its own. A browser
says truthfully which host it believes to talk to (``Host``) and which page is asking (``Origin``, ``Sec-Fetch-Site``);
so requests are served only to pages of this server. Programs that are no browsers send neither, and need not.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

__all__ = ["PAGE_POLICY", "PICTURE_POLICY", "guard", "is_allowed_host"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page. Some browsers do not count a WebSocket to the same host as 'self'."""
PICTURE_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; media-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of a call's picture: one file that has everything inside. The sandbox gives it an origin of its own, so that it
cannot reach the server, whatever was said in the call."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
WILDCARDS = ("0.0.0.0", "::", "")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")


def is_allowed_host(header: str, bound: str) -> bool:
    """Whether a ``Host`` header names this server.

    Args:
        header: as it came, with or without a port.
        bound: what the server listens on. Its own name is allowed beside the loopback ones; on all addresses, any
            address in digits is, since rebinding needs a name.
    """
    match = _HOST.fullmatch(header)
    if match is None:
        return False
    host = match[1].strip("[]").lower().rstrip(".")
    if host in ("localhost", bound.lower()) and host not in WILDCARDS:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or bound in WILDCARDS


def guard(bound: str) -> Middleware:
    """A middleware that refuses what other sites ask for, and puts the policies on every answer."""
    from aiohttp import web

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not is_allowed_host(host, bound):
            raise web.HTTPForbidden(
                text=f"expected the address that voiceloop talk has printed, got the host {host[:80]!r}\n"
            )
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise web.HTTPForbidden(text=f"expected a page of {host}, got one of {origin[:80]!r}\n")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if site not in ("same-origin", "none") and request.headers.get("Sec-Fetch-Mode") != "navigate":
            raise web.HTTPForbidden(text="expected a page of this server, got one of another site\n")
        return await handler(request)

    return check


async def put_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The policies of every answer, errors too; for ``on_response_prepare``."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    policy = PAGE_POLICY.format(host=request.host) if _HOST.fullmatch(request.host) else "default-src 'none'"
    response.headers.setdefault("Content-Security-Policy", policy)
