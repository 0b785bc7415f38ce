"""A gRPC channel without a network: messages go, serialised, to handlers on the same event loop.

gRPC has threads and a clock of its own, so it cannot run in virtual time. This stand-in is a `grpc.aio.Channel` as far
as streaming calls go, which is what Google's own clients need: they run on it unchanged, in virtual time. Statuses come
out of it as they do of the real one: `grpc.aio.AioRpcError`, or `CancelledError` after a local cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
from grpc import aio

from voiceloop.sim.delay import DelayLine

__all__ = ["MemoryChannel", "Route"]

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


class _Context:
    """What a handler may do with its call: the part of `grpc.aio.ServicerContext` that is of use here."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    def peer(self) -> str:
        return "memory"

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        raise _Aborted(code, details)


class _Call(aio.StreamStreamCall):  # type: ignore[misc]
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
        self._server = loop.create_task(self._serve(_Context(metadata)), name="google sim: a stream")
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

    async def _serve(self, context: _Context) -> None:
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


class _Method(aio.StreamStreamMultiCallable):  # type: ignore[misc]
    """A method of a channel. Google's wrapper looks at the class."""

    def __init__(self, start: Callable[[Any, Any], _Call]) -> None:
        self._start = start

    def __call__(self, request_iterator: Any = None, timeout: Any = None, metadata: Any = None, **_: Any) -> _Call:
        return self._start(request_iterator, metadata)


class MemoryChannel(aio.Channel):  # type: ignore[misc]
    """A channel to handlers on this event loop.

    Args:
        routes: stream-stream methods by path, such as ``/google.cloud.speech.v2.Speech/StreamingRecognize``; any other
            method is answered with UNIMPLEMENTED.
        delay: seconds a message takes, each way.
    """

    def __init__(self, routes: Mapping[str, Route], delay: float = 0.0) -> None:
        self._routes = routes
        self._delay = delay
        self._calls: set[_Call] = set()
        self._senders: set[asyncio.Task[None]] = set()
        self._closed = False
        self._unary_unary_interceptors: list[Any] = []  # Google's transports append to it

    @property
    def open_calls(self) -> int:
        """Streams that have not ended."""
        return len(self._calls)

    async def __aenter__(self) -> MemoryChannel:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        self._closed = True
        for call in list(self._calls):
            call.cancel()
        for sender in self._senders:  # gRPC leaves these to whoever feeds them
            sender.cancel()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.SHUTDOWN if self._closed else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        if self.get_state() is last_observed_state:
            await asyncio.get_running_loop().create_future()

    async def channel_ready(self) -> None:
        return None

    def stream_stream(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *_: Any, **__: Any
    ) -> _Method:
        route = self._routes.get(method, _UNKNOWN)

        def start(requests: Any, metadata: Any) -> _Call:
            if self._closed:
                raise aio.UsageError("Channel is closed.")
            pairs = tuple((str(key), str(value)) for key, value in metadata or ())
            call = _Call(route, requests, pairs, request_serializer, response_deserializer, self._delay)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            if call.sender is not None:
                self._senders.add(call.sender)
                call.sender.add_done_callback(self._senders.discard)
            return call

        return _Method(start)

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        return _Unsupported()

    unary_stream = stream_unary = unary_unary


class _Unsupported(aio.UnaryUnaryMultiCallable):  # type: ignore[misc]
    """Methods without streams: none is there, so nothing is called by accident."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, aio.Metadata(), aio.Metadata(), details="no such method")


async def _refuse(requests: AsyncIterator[Any], context: _Context) -> AsyncIterator[Any]:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    yield


_UNKNOWN = Route(_refuse, lambda data: data, lambda data: data)
