"""What waits to be written to the socket of a media stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from voiceloop.twilio.socket import PromptSocket

if TYPE_CHECKING:
    from voiceloop.twilio.socket import Socket

__all__ = ["Outbox"]

_AUDIO = '{"event":"media"'
Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Outbox:
    """Messages in order. What is added in one go is written right after it, before anything else comes in.

    To a `PromptSocket` it is one write, without a task. A task writes to any other socket, and to one whose other side
    has not kept up.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._prompt: PromptSocket | None = socket if isinstance(socket, PromptSocket) else None
        self._messages: deque[str] = deque()
        self.size = 0
        """Characters that wait; of Twilio's messages, bytes."""
        self._spawn: Spawn | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = False
        self._writing = False
        self._news: asyncio.Future[None] | None = None

    def open(self, spawn: Spawn) -> None:
        """Begin to write.

        Args:
            spawn: runs what writes as a task.
        """
        self._spawn, self._loop = spawn, asyncio.get_running_loop()
        if self._prompt is None:
            self._write_by_task()
        else:
            self._tell()

    def close(self) -> None:
        """Begin no more writes. What is left is for `drain`."""
        self._spawn = self._loop = self._prompt = None

    def add(self, message: str) -> None:
        """Write a message behind all others."""
        self._messages.append(message)
        self.size += len(message)
        self._tell()

    def drop(self) -> None:
        """Write nothing of what waits."""
        self._messages.clear()
        self.size = 0

    def drop_audio(self) -> None:
        """Write nothing of the audio that waits."""
        kept = [message for message in self._messages if not message.startswith(_AUDIO)]
        self.drop()
        self._messages.extend(kept)
        self.size = sum(map(len, kept))

    async def drain(self) -> None:
        """Write all that waits.

        Raises:
            ConnectionError: the socket is closed.
        """
        while self._messages:
            message = self._messages.popleft()
            self.size -= len(message)
            await self._socket.send_str(message)

    def _tell(self) -> None:
        if self._writing:
            if self._news is not None and not self._news.done():
                self._news.set_result(None)
        elif self._loop is not None and self._messages and not self._due:
            self._due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._due = False
        if self._prompt is None or not self._messages:
            return
        if self._prompt.send_now(self._messages):
            self.drop()
        else:
            self._write_by_task()

    def _write_by_task(self) -> None:
        assert self._spawn is not None
        self._writing = True
        self._spawn(self._write())

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.drain()
            self._news = loop.create_future()
            await self._news
