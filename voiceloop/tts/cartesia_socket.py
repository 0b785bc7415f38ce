"""One open WebSocket to Cartesia, and the contexts on it."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from voiceloop.tts.cartesia_events import Event, read_event

__all__ = ["AUDIO_LIMIT", "Context", "Socket"]

log = logging.getLogger("voiceloop.tts.cartesia")

AUDIO_LIMIT = 180.0
"""Seconds of audio of one context that may wait to be taken. So much is asked for by no text that is handed over."""
_NUMBERS = itertools.count(1)
_UNSENT = 1000
"""Messages that wait to be written. A socket that takes none of so many is broken."""
_GARBAGE = 20
"""Messages that cannot be read before the socket is given up."""
_CLOSED = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


class Context:
    """One context: what was said to it and what came."""

    def __init__(self, id: str, socket: Socket, news: asyncio.Event, fields: Mapping[str, Any]) -> None:
        self.id = id
        self.events: deque[Event] = deque()
        """What came and was not taken yet."""
        self.lost = False
        """Whether its socket is closed."""
        self.flooded = False
        """Whether more audio came than may wait."""
        self.heard_at: float | None = None
        """When something last came, seconds on the loop's clock."""
        self.waiting_since: float | None = None
        """When the first thing was said that nothing came after."""
        self.sent_at: float | None = None
        """When something was last said."""
        self.socket = socket
        self._news = news
        self._fields = fields
        self._waiting = 0  # bytes of audio in `events`
        self._over = False

    def say(self, transcript: str, *, goes_on: bool, flush: bool = False) -> None:
        """Send text."""
        message = {**self._fields, "context_id": self.id, "transcript": transcript, "continue": goes_on}
        self.socket.send(message | ({"flush": True} if flush else {}))
        self.sent_at = self.socket.now
        if self.waiting_since is None:
            self.waiting_since = self.sent_at

    def take(self) -> Event:
        """The oldest of `events`."""
        event = self.events.popleft()
        self._waiting -= len(event.audio)
        return event

    def close(self) -> None:
        """Cancel it, if it is not over; what still comes for it is dropped."""
        if self.socket.contexts.pop(self.id, None) is not None and self.sent_at is not None and not self._over:
            self.socket.send({"context_id": self.id, "cancel": True})

    def put(self, event: Event) -> None:
        """Something came."""
        self.heard_at, self.waiting_since = self.socket.now, None
        self._over = self._over or event.done or event.error is not None
        if self._waiting + len(event.audio) > AUDIO_LIMIT * 8000:
            self.flooded = True
        else:
            self._waiting += len(event.audio)
            self.events.append(event)
        self._news.set()

    def lose(self) -> None:
        """The socket is closed."""
        self.lost = True
        self._news.set()


class Socket:
    """An open socket. Reads and writes in two tasks of its own.

    Args:
        ws: aiohttp's.
        prefix: of the ids of contexts.
        on_close: called once, when it is closed for whatever reason.
    """

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, prefix: str, on_close: Callable[[Socket], None]) -> None:
        self.contexts: dict[str, Context] = {}
        """Those that are being used."""
        self.open = True
        self.heard_at = asyncio.get_running_loop().time()
        """When a message last came."""
        self.used_at = self.heard_at
        """When a message last came or was sent."""
        self._ws = ws
        self._prefix = prefix
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[str] = deque()
        self._wake = asyncio.Event()
        self._garbage = 0
        self._tasks = [
            asyncio.create_task(self._read(), name="CartesiaTTS: reading"),
            asyncio.create_task(self._write(), name="CartesiaTTS: writing"),
        ]

    @property
    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._loop.time()

    def context(self, news: asyncio.Event, fields: Mapping[str, Any]) -> Context:
        """A new context; `news` is set when something comes for it."""
        context = Context(f"{self._prefix}-{next(_NUMBERS)}", self, news, fields)
        self.contexts[context.id] = context
        return context

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message behind those that wait; nothing when the socket is closed."""
        if not self.open:
            return
        self._unsent.append(json.dumps(message, ensure_ascii=False))
        self._wake.set()
        if len(self._unsent) > _UNSENT:
            self.drop()

    def drop(self) -> None:
        """Give it up: its contexts are lost."""
        if not self.open:
            return
        self.open = False
        for task in self._tasks:
            task.cancel()
        contexts, self.contexts = list(self.contexts.values()), {}
        for context in contexts:
            context.lose()
        self._on_close(self)

    async def aclose(self) -> None:
        """Give it up and say so to the other side, which is given a moment to answer."""
        self.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(aiohttp.ClientError, OSError, RuntimeError):
            await self._ws.close()

    async def _read(self) -> None:
        while (message := await self._ws.receive()).type not in _CLOSED:
            self.heard_at = self.used_at = self._loop.time()
            try:
                event = read_event(message.data if isinstance(message.data, str) else "")
            except (ValueError, RecursionError) as error:
                log.debug("a message that cannot be read: %s", error)
                self._garbage += 1
                if self._garbage >= _GARBAGE:
                    break
                continue
            if event is not None:
                self._deliver(event)
        self.drop()

    def _deliver(self, event: Event) -> None:
        context = self.contexts.get(event.context)
        if context is None and not event.context and event.error is not None and len(self.contexts) == 1:
            (context,) = self.contexts.values()  # an error that does not say whose it is
        if context is not None:
            context.put(event)
        elif event.error is not None:
            log.debug("an error for no context that is used: %s %s", event.error, event.error.said)

    async def _write(self) -> None:
        try:
            while True:
                while self._unsent:
                    self.used_at = self._loop.time()
                    await self._ws.send_str(self._unsent.popleft())
                self._wake.clear()
                await self._wake.wait()
        except (aiohttp.ClientError, OSError, RuntimeError):
            self.drop()
