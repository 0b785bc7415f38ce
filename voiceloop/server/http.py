"""A request and its answer, whatever web framework brought it: what `voiceloop.server.phone` deals in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

__all__ = ["BodyTooLong", "Refusal", "Reply", "Request"]


class BodyTooLong(Exception):
    """The body of a request has more bytes than are taken."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request."""

    method: str
    path: str
    """Decoded, with the prefix under which the server is mounted, without the query."""
    raw_path: str
    """As it was requested: encoded, with the query. What Twilio has signed."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By names in any case."""
    read: Callable[[int], Awaitable[bytes]]
    """Gives the body, of at most so many bytes; raises `BodyTooLong`."""
    remote: str = ""
    """Address of the other end: mostly a proxy's."""

    @property
    def content_type(self) -> str:
        """Type of the body, in lower case, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def prefix(self, route: str) -> str:
        """What stands before a route in the path: where the server is mounted."""
        return self.path.removesuffix(route)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request."""

    text: str = ""
    status: int = 200
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        super().__init__(text)
        self.reply = Reply(text, status, headers=headers)
