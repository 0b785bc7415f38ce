"""What a media stream needs of a WebSocket, whatever web framework has opened it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

__all__ = ["Message", "PromptSocket", "Socket"]


class Message(Protocol):
    """What a WebSocket brings: as `aiohttp.WSMessage`."""

    @property
    def type(self) -> int:
        """1: text; 2: bytes; anything else: the socket is closed or broken (`aiohttp.WSMsgType`)."""

    @property
    def data(self) -> str | bytes:
        """What was sent."""


class Socket(Protocol):
    """A server's WebSocket that is open: as `aiohttp.web.WebSocketResponse`."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""

    async def receive(self) -> Message:
        """The next message; never raises for a socket that is closed."""

    async def send_str(self, data: str) -> None:
        """Send a text message.

        Raises:
            ConnectionError: it is closed.
        """

    async def close(self, *, code: int = 1000, message: bytes = b"") -> object:
        """Close it, with a code of RFC 6455, section 7.4. Harmless when it is closed."""

    def exception(self) -> BaseException | None:
        """What broke it."""


@runtime_checkable
class PromptSocket(Protocol):
    """What a `Socket` may have besides: ways in and out that need no task."""

    def hear(self, take: Callable[[str], bool] | None) -> None:
        """Call ``take`` with each text message when it comes in, unless an earlier one still waits for `receive`.
        When that returns False the message waits for `receive`, too. It must not raise. None: nobody takes any."""

    def send_now(self, messages: Sequence[str]) -> bool:
        """Send text messages, at least one, at once; False when nothing was sent, because the socket is closed or the
        other side does not keep up."""
