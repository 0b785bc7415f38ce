"""``GET /media``: a stream says which call it is, and has the token that the webhook gave to that call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from voiceloop.call import Call
from voiceloop.carried import Carried, carry
from voiceloop.server.admission import Handshakes
from voiceloop.server.http import Refusal, Request
from voiceloop.server.voice import AGAIN, TOKEN
from voiceloop.twilio.connections import TooManyCalls
from voiceloop.twilio.media import TRY_AGAIN_LATER, run_call
from voiceloop.twilio.socket import Socket
from voiceloop.twilio.transport import HandshakeError, TwilioTransport

if TYPE_CHECKING:
    from voiceloop.server.phone import Phone

__all__ = ["Streams"]

_POLICY_VIOLATION: Final = 1008
"""WebSocket close code (RFC 6455, section 7.4.1)."""
_PROTOCOL_ERROR: Final = 1002
_PARTING: Final = 1.0
"""Seconds for a stranger to answer the close of its socket."""


class Streams:
    """The streams of a phone."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone
        self._handshakes: Handshakes[asyncio.Timeout] = Handshakes(phone.options.most_handshakes)
        self._numbered = 0
        self.coming = 0
        """Streams that have shown their token, and whose calls have not begun."""

    async def take(self, request: Request, accept: Callable[[], Awaitable[Socket]]) -> None:
        """Take a stream; returns when it is over.

        Raises:
            Refusal: it is not taken; the WebSocket was not opened.
        """
        phone = self._phone
        options = phone.options
        phone.counts["media"] += 1
        if phone.closed or phone.full:
            phone.counts["media.refused"] += 1
            raise Refusal(503, "no more calls are taken\n")
        signed = not options.check or phone.door.handshake_is_genuine(request)
        if not signed and options.strict:
            self._refused("its handshake is not signed by Twilio for this URL, and strict=True")
            raise Refusal(403, "this is not signed by Twilio\n")
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            phone.counts["media.refused"] += 1
            raise Refusal(426, "expected a WebSocket\n", ("Upgrade", "websocket"))
        admitted = await self._admitted(accept, signed)
        if admitted is None:
            return
        socket, transport = admitted
        if not signed:
            phone.counts["media.unsigned"] += 1
            phone.sparingly.warning(
                "call %s: the signature of its WebSocket does not match %s; its token is valid, so it goes on",
                transport.started.call_sid,
                phone.door.url_of(request).partition("?")[0],
            )
        if phone.closed or phone.full:  # others were faster
            self._refused(f"call {transport.started.call_sid}: {len(phone.calls)} are on the line")
            await _part(socket, TRY_AGAIN_LATER, "too many calls")
            return
        try:
            await self._run(transport)
        except TooManyCalls as error:
            self._refused(f"call {transport.started.call_sid}: {error}")
            await socket.close(code=TRY_AGAIN_LATER, message=b"too many calls")

    async def _admitted(
        self, accept: Callable[[], Awaitable[Socket]], signed: bool
    ) -> tuple[Socket, TwilioTransport] | None:
        """A stream that has shown its token; None when it has not, or had to go for others.

        Raises:
            Refusal: the WebSocket was not opened.
        """
        socket: Socket | None = None
        try:
            async with asyncio.timeout(None) as place:
                self._make_room(place, signed)
                try:
                    socket = await self._accepted(accept)
                    return await self._opened(socket)
                finally:
                    self._handshakes.leave(place)
        except TimeoutError:
            self._phone.counts["media.dropped"] += 1
            self._refused("it had to go for others before it showed a token")
            if socket is None:
                raise Refusal(503, "no more calls are taken\n") from None
            await _part(socket, TRY_AGAIN_LATER, "too many handshakes", 0.0)
            return None

    def _make_room(self, place: asyncio.Timeout, signed: bool) -> None:
        gone = self._handshakes.enter(place, signed=signed)
        if gone is not None:
            gone.reschedule(asyncio.get_running_loop().time())

    async def _accepted(self, accept: Callable[[], Awaitable[Socket]]) -> Socket:
        try:
            return await accept()
        except Refusal:
            self._phone.counts["media.refused"] += 1
            raise

    async def _opened(self, socket: Socket) -> tuple[Socket, TwilioTransport] | None:
        """Read the start of a stream, with its token."""
        phone = self._phone
        try:
            transport = await TwilioTransport.accept(socket)
        except HandshakeError as error:
            self._refused(str(error))
            await _part(socket, _PROTOCOL_ERROR, str(error))
            return None
        started = transport.started
        token = started.parameters.pop(TOKEN, "")
        why = phone.door.strange_account(started.account_sid)
        if not why and phone.options.check:
            why = await phone.tokens.use(token, started.call_sid)
        if why:
            self._refused(why)
            await _part(socket, _POLICY_VIOLATION, "no valid token")
            return None
        return socket, transport

    async def _carried(self, transport: TwilioTransport) -> Carried | None:
        """What was said on this call so far, when it had a line before: it has come back, or opens a second one."""
        started, phone = transport.started, self._phone
        again = started.parameters.pop(AGAIN, "")
        if again or any(call.id == started.call_sid for call in phone.calls.values()):
            return await phone.take_up(started.call_sid) or Carried([])
        return None

    async def _run(self, transport: TwilioTransport) -> None:
        phone = self._phone
        self._numbered += 1
        number = self._numbered
        answered_by = transport.started.parameters.pop("answered_by", "")
        self.coming += 1  # its place is taken
        try:
            carried = await self._carried(transport)
        finally:
            self.coming -= 1

        def begin(call: Call) -> None:
            call.answered_by = answered_by
            if carried is not None:
                carry(call, carried)
            phone.enter(number, call)

        try:
            await run_call(phone.bot, transport, phone.runtime, begin, phone.manager)
        finally:
            phone.leave(number)

    def _refused(self, why: str) -> None:
        self._phone.counts["media.refused"] += 1
        self._phone.sparingly.warning("a stream was refused: %s", why)


async def _part(socket: Socket, code: int, why: str, wait: float = _PARTING) -> None:
    """Close a socket, and do not wait long for its answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait):
            await socket.close(code=code, message=why.encode()[:120])
