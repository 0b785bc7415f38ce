"""A Twilio Media Stream as the head of a pipeline: the protocol machine inside a thin shell of I/O."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voiceloop.errors import VoiceloopError
from voiceloop.faults import drop_frames
from voiceloop.frames import CallStart
from voiceloop.processor import Processor
from voiceloop.registry import Work
from voiceloop.twilio.handlers import HANDLERS
from voiceloop.twilio.media_clock import MediaClock
from voiceloop.twilio.outbox import Outbox
from voiceloop.twilio.protocol import Event, Media, MediaStream, ProtocolError, Started, State, Stopped
from voiceloop.twilio.socket import PromptSocket
from voiceloop.watchdogs import bark

if TYPE_CHECKING:
    from voiceloop.twilio.connections import ConnectionManager
    from voiceloop.twilio.socket import Message, Socket

__all__ = ["HandshakeError", "TransportOptions", "TwilioTransport"]

log = logging.getLogger("voiceloop")

CLOSING = 1.0
"""Seconds to write what is left and to have the close answered; then the connection is dropped."""
BREATH = 0.01
MOST_AT_ONCE = 50
"""Messages that are read, none of them `BREATH` seconds behind the one before it, before others have their turn."""
NOTED_REFUSALS = 10
"""Refused messages that are recorded one by one; more are only counted."""


class HandshakeError(VoiceloopError):
    """The socket did not become a media stream: closed, too slow, or not Twilio's protocol."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Limits on what the other side can do."""

    handshake: float = 5.0
    """Seconds from the open socket to the ``start`` message."""
    silence: float = 10.0
    """Seconds without any message after which the line is held to be dead. Twilio sends audio all the time."""
    refusals: int = 1000
    """Messages against the protocol that a call survives."""
    unsent: int = 8_000_000
    """Bytes waiting to be written before the line is held to be dead."""
    held: int = 1_000_000
    """Characters of messages that are read before the call begins; about a minute of audio. Then they wait in the
    socket."""


class TwilioTransport(Processor):
    """Hears the caller through a WebSocket, and speaks to them.

    Made by `accept`. Pushes `CallerAudio`, `Digit` and `MarkEcho`; the streamer at the end of the pipeline speaks
    through `send_media`, `send_mark` and `send_clear`. What a message does to the call is said in
    `voiceloop.twilio.handlers`.
    """

    def __init__(
        self,
        socket: Socket,
        stream: MediaStream,
        started: Started,
        options: TransportOptions | None = None,
    ) -> None:
        self._socket: Socket | None = socket
        # Nothing is awaited for a message where the socket can do without.
        self._prompt: PromptSocket | None = socket if isinstance(socket, PromptSocket) else None
        self._stream = stream
        self.started = started
        self.options = options or TransportOptions()
        self.clock = MediaClock()
        """When the caller's words were spoken."""
        self.manager: ConnectionManager | None = None
        """Where the live calls of the same application are found."""
        self._outbox = Outbox(socket)
        self._heard_at = 0.0
        self._lot = 0  # messages that were read without a pause
        self._lot_at = 0.0  # the last of them
        self._at_rest = False  # the reader waits in the socket, and has taken all that came
        self._context: Context | None = None
        self._refused: list[str] = []
        # What came before the call has begun, and when.
        self._early: list[tuple[Event, float]] | None = []
        self._early_size = 0
        self._room: asyncio.Future[None] | None = None

    @classmethod
    async def accept(cls, socket: Socket, options: TransportOptions | None = None) -> TwilioTransport:
        """Read the opening of a media stream from a prepared server socket.

        Raises:
            HandshakeError: no ``start`` came in time, or what came cannot be one.
        """
        options = options or TransportOptions()
        stream = MediaStream()
        refused: list[str] = []
        try:
            async with asyncio.timeout(options.handshake):
                while True:
                    message = await socket.receive()
                    data = _data(message)
                    if data is None:
                        raise HandshakeError("expected connected and start, but the socket was closed")
                    try:
                        event = stream.receive(data)
                    except ProtocolError as error:
                        refused.append(str(error))
                        if error.fatal or len(refused) > NOTED_REFUSALS:
                            raise HandshakeError(str(error)) from None
                        continue
                    if isinstance(event, Started):
                        transport = cls(socket, stream, event, options)
                        transport._refused = refused
                        return transport
                    if isinstance(event, Stopped):
                        raise HandshakeError("expected start, came stop")
        except TimeoutError:
            raise HandshakeError(f"expected start within {options.handshake:g} s, nothing usable came") from None

    # --- what comes in -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to read: what comes while the other processors start is kept, with its time."""
        assert self._engine is not None
        for refusal in self._refused:
            self.call.note_fault("twilio.protocol", refusal)
        # Its own are not the steps of the call: what it brings is, message by message.
        self._engine.spawn(self._read(), "twilio reader", origin=self._index, on_done=self._closed, own=False)

    def on_call_start(self, start: CallStart) -> None:
        """Begin to hear and to write."""
        assert self._engine is not None
        self._heard_at = self.call.now
        if self._prompt is None:
            self._outbox.open(self._spawn_writer)
        self._watch()
        early, self._early = self._early, None
        for event, arrived in early or ():
            HANDLERS[type(event)](self, event, arrived)
        if self._room is not None:
            self._room.set_result(None)
        if self._prompt is not None:
            self._prompt.hear(self._take)
            self._outbox.open(self._spawn_writer)

    async def _read(self) -> None:
        socket = self._socket
        assert socket is not None
        self._context = copy_context()  # of the call: what is logged is about it
        self._lot_at = self.call.now
        try:
            while True:
                self._at_rest = True
                message = await socket.receive()
                self._at_rest = False
                data = _data(message)
                if data is None:
                    return
                if self._read_many(self.call.now):  # what waits in a socket is read without a pause
                    self._lot = 0
                    await asyncio.sleep(0)
                self._enter(data)
                if self._early is not None:
                    await self._hold_back(len(data))
        finally:
            self._at_rest = False

    def _read_many(self, now: float) -> bool:
        """Count a message; whether so many were read one after another that others must have their turn."""
        self._lot = 0 if now - self._lot_at >= BREATH else self._lot + 1
        self._lot_at = now  # not when the lot began: messages that take long are to be counted, too
        return self._lot >= MOST_AT_ONCE

    def _take(self, message: str) -> bool:
        """Take a message out of the hands of the socket. False leaves it to the reader: something is before it, or
        others must have their turn. Raises nothing."""
        engine, context = self._engine, self._context
        if not self._at_rest or engine is None or context is None or engine.closed:
            return False
        if self._stream.state is State.STOPPED or self._read_many(self._heard_at):
            return False
        try:
            context.run(self.receive if engine.call.journal is None else self._enter, message)
        except Exception as error:  # as when the reader fails
            self.call.note_fault("twilio reader", f"{type(error).__name__}: {error}")
            self.call.end("disconnected")
        return True

    def _enter(self, data: str | bytes) -> None:
        journal = self.call.journal
        if journal is None:
            self.receive(data)
        else:
            journal.message(data, self.receive)

    async def _hold_back(self, size: int) -> None:
        """Read no more before the call has begun when much has come."""
        self._early_size += size
        if self._early_size >= self.options.held:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def receive(self, data: str | bytes) -> None:
        """Take one WebSocket message."""
        call = self.call
        if call.journal is None and call.log is None and self._early is None:
            media = self._stream.media(data)
            if media is not None:  # fifty times a second: the way below, cut short
                call.wake("in")
                self._heard_at = now = call._now
                HANDLERS[Media](self, media, now)
                return
        try:
            event = self.parse(data)
        except ProtocolError as error:
            if self._stream.refused <= NOTED_REFUSALS:
                call.note_fault("twilio.protocol", str(error))
            if self._stream.refused >= self.options.refusals:
                call.end("protocol")
            return
        if event is None:
            return
        if self._early is None or type(event) is Stopped:
            HANDLERS[type(event)](self, event, self._heard_at)
        else:
            self._early.append((event, self._heard_at))

    def parse(self, data: str | bytes) -> Event | None:
        """What a message says; None when it says nothing to us. It is a sign of life of the line.

        Raises:
            ProtocolError: it is not allowed here.
        """
        call = self.call
        journal = call.journal
        logged = call.log is not None or journal is not None
        written = call.keypad.loggable(data, self._heard_at) if logged else ""
        call.wake("in", written)
        self._heard_at = call._now
        if journal is None:
            return self._receive(data)
        event = None
        try:
            event = self._receive(data)
        finally:
            journal.inbound(written, event)
        return event

    def _receive(self, data: str | bytes) -> Event | None:
        try:
            return self._stream.receive(data)
        except ProtocolError as error:
            if not self.call.keypad.secret:
                raise
            fatal = error.fatal
        raise ProtocolError("a message was refused; it is not shown, for keys are secret", fatal=fatal)

    def _closed(self, work: Work) -> None:
        """The socket is gone: with or without a ``stop`` the call is over."""
        if self._engine is not None and not work.cancelled:
            if work.failure is not None and not isinstance(work.failure, ConnectionError):
                self.call.note_fault(work.name, f"{type(work.failure).__name__}: {work.failure}")
            self.call.end("disconnected")

    def _watch(self) -> None:
        call = self.call
        limit = self.options.silence
        due = self._heard_at + limit  # compared as it is set: of a difference the last bit may be another
        if call.now >= due:
            bark(call, "no_audio", call.now - self._heard_at, limit)
            call.note_fault("twilio.silent", f"no message from the carrier for {limit:g} s")
            call.end("disconnected")
        else:
            call.timer(due, self._watch, "carrier silent")

    # --- what goes out -------------------------------------------------------------------------------------

    def send_media(self, payload: bytes) -> None:
        """Append audio (mu-law, 8000 Hz) to what the caller hears."""
        self._send("media", self._stream.media_message, payload)

    def send_mark(self, name: str) -> None:
        """Set a mark behind all audio sent so far; a `MarkEcho` comes when it was played."""
        self._send("mark", self._stream.mark_message, name)

    def send_clear(self) -> None:
        """Drop all audio that was not played yet, also what is still waiting to be written."""
        self._outbox.drop_audio()
        self._send("clear", self._stream.clear_message)

    def _send(self, kind: str, write: Callable[..., str], *what: str | bytes) -> None:
        if self._stream.state is State.STOPPED:
            return  # the caller has hung up; the call is about to learn it
        call = self.call
        message = write(*what)
        if call.log is not None:
            call.log.add(call.now, "out", message)
        if call.journal is not None:
            call.journal.sent(kind, *(what or ("",)))
        outbox = self._outbox
        outbox.add(message)
        if outbox.size > self.options.unsent:
            call.note_fault("twilio.unsent", f"{outbox.size} bytes could not be written: the carrier does not read")
            outbox.drop()
            call.end("disconnected")

    def _spawn_writer(self, writing: Coroutine[Any, Any, None]) -> None:
        if self._engine is None or self._engine.closed:
            writing.close()  # `stop` writes what is left
            return
        self._engine.spawn(writing, "twilio writer", origin=self._index, on_done=self._closed, own=False)

    async def stop(self) -> None:
        """Write what is left, and close the socket."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        self._outbox.close()
        if self._prompt is not None:
            self._prompt.hear(None)
            self._prompt = None
        try:
            async with asyncio.timeout(CLOSING):
                if not socket.closed:
                    with suppress(ConnectionError):  # lost just now: there is nobody to read it
                        await self._outbox.drain()
                await socket.close()
        except TimeoutError:  # nobody reads at the other end: the connection was dropped
            log.info("call %s: the carrier did not answer the close of its socket", self.call.id)
        drop_frames(socket.exception())  # it keeps what ended it, whose traceback keeps the socket


def _data(message: Message) -> str | bytes | None:
    """The payload of an aiohttp message; None when the socket is closed or broken."""
    kind = message.type
    if kind == 1 or kind == 2:  # TEXT, BINARY
        return message.data
    return None
