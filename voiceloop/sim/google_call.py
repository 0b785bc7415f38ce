"""One streaming gRPC call without a network: messages go, serialised, between a client and a handler on the same loop.

To the client it is a `grpc.aio.StreamStreamCall`; statuses come out of it as `grpc.aio.AioRpcError`, or
`CancelledError` after a local cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from grpc import aio

from voiceloop.sim.delay import DelayLine

__all__ = ["Call", "Context", "Route"]

Handler = Callable[[AsyncIterator[Any], Any], Any]
_END = None  # in a queue of messages: no more will come


@dataclass(frozen=True, slots=True)
class Route:
    """A stream-stream method of the server."""

    handler: Handler
    """``handler(requests, context)``: an async generator of responses, as `grpc.aio` takes it."""
    deserialize: Callable[[bytes], Any]
    serialize: Callable[[Any], bytes]


class _Aborted(Exception):
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class Context:
    """What a handler may do with its call: the part of `grpc.aio.ServicerContext` that is of use here."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def peer(self) -> str:
        return "memory"

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        raise _Aborted(code, details)


class Call(aio.StreamStreamCall):  # type: ignore[misc]
    """One stream, both ends of it."""

    def __init__(
        self,
        route: Route,
        requests: Any,
        metadata: tuple[tuple[str, str], ...],
        serialize: Callable[[Any], bytes],
        deserialize: Callable[[bytes], Any],
        delay: float,
    ) -> None:
        self._route = route
        self._serialize = serialize
        self._deserialize = deserialize
        self._delay = delay
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()  # what has reached the server
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue()  # what has reached the client
        self._upstream: DelayLine[bytes | None] = DelayLine(self._inbox.put_nowait, delay)
        self._downstream: DelayLine[bytes | None] = DelayLine(self._arrive, delay)
        self._ended: tuple[grpc.StatusCode, str] | None = None  # at the server, not yet told
        self._status: tuple[grpc.StatusCode, str] | None = None
        self._cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []
        self._responses: Any = None
        loop = asyncio.get_running_loop()
        self._server = loop.create_task(self._serve(Context(metadata)), name="google sim: a stream")
        self.sender = loop.create_task(self._send(requests), name="memory channel: requests") if requests else None

    # --- the two directions ---

    async def _send(self, requests: Any) -> None:
        try:
            async for request in requests:
                if self._status is not None:
                    return
                self._upstream.put(self._serialize(request))
            self._upstream.put(_END)
        except asyncio.CancelledError:
            raise
        except Exception:  # as gRPC does: the error of a client's iterator cancels its call
            self.cancel()

    async def _received(self) -> AsyncIterator[Any]:
        while (message := await self._inbox.get()) is not _END:
            yield self._route.deserialize(message)

    async def _serve(self, context: Context) -> None:
        try:
            async with aclosing(self._route.handler(self._received(), context)) as responses:
                async for response in responses:
                    self._downstream.put(self._route.serialize(response))
            self._ended = (grpc.StatusCode.OK, "")
        except _Aborted as aborted:
            self._ended = (aborted.code, aborted.details)
        except Exception as error:
            self._ended = (grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}")
        self._downstream.put(_END)

    def _arrive(self, message: bytes | None) -> None:
        if message is _END:
            assert self._ended is not None
            self._finish(self._ended)
        self._outbox.put_nowait(message)

    def _finish(self, status: tuple[grpc.StatusCode, str]) -> None:
        if self._status is not None:
            return
        self._status = status
        for callback in self._callbacks:
            callback(self)
        self._callbacks.clear()

    # --- grpc.aio.Call ---

    def cancel(self) -> bool:
        if self._status is not None:
            return False
        self._cancelled = True
        self._finish((grpc.StatusCode.CANCELLED, "Locally cancelled by application!"))
        self._upstream.close()
        self._downstream.close()
        self._server.cancel()
        if self.sender is not None:
            self.sender.cancel()
        self._outbox.put_nowait(_END)
        return True

    def cancelled(self) -> bool:
        return self._cancelled

    def done(self) -> bool:
        return self._status is not None

    def time_remaining(self) -> float | None:
        return None

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    async def initial_metadata(self) -> Any:
        return aio.Metadata()

    async def trailing_metadata(self) -> Any:
        return aio.Metadata()

    async def code(self) -> grpc.StatusCode:
        await self._settled()
        assert self._status is not None
        return self._status[0]

    async def details(self) -> str:
        await self._settled()
        assert self._status is not None
        return self._status[1]

    async def _settled(self) -> None:
        while self._status is None:
            done = asyncio.get_running_loop().create_future()
            self.add_done_callback(lambda _, done=done: done.done() or done.set_result(None))  # type: ignore[misc]
            await done

    async def wait_for_connection(self) -> None:
        await asyncio.sleep(self._delay)
        if self.done():
            self._raise_for_status()

    # --- grpc.aio.StreamStreamCall ---

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._responses is None:
            self._responses = self._read_all()
        return self._responses  # type: ignore[no-any-return]

    async def _read_all(self) -> AsyncIterator[Any]:
        while (message := await self._next()) is not _END:
            yield self._deserialize(message)

    async def read(self) -> Any:
        message = await self._next()
        return aio.EOF if message is _END else self._deserialize(message)

    async def _next(self) -> bytes | None:
        try:
            message = await self._outbox.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is _END:
            self._outbox.put_nowait(_END)
            self._raise_for_status()
        return message

    async def write(self, request: Any) -> None:
        if self.done():
            self._raise_for_status()
            raise asyncio.InvalidStateError("RPC already finished.")
        self._upstream.put(self._serialize(request))

    async def done_writing(self) -> None:
        if not self.done():
            self._upstream.put(_END)

    def _raise_for_status(self) -> None:
        assert self._status is not None
        code, details = self._status
        if self._cancelled:
            raise asyncio.CancelledError
        if code is not grpc.StatusCode.OK:
            raise aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details=details)
