"""A gRPC channel without a network: messages go, serialised, to handlers on the same event loop.

gRPC has threads and a clock of its own, so it cannot run in virtual time. This stand-in is a `grpc.aio.Channel` as far
as streaming calls go, which is what Google's own clients need: they run on it unchanged, in virtual time. Statuses come
out of it as they do of the real one: `grpc.aio.AioRpcError`, or `CancelledError` after a local cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
from grpc import aio

from voiceloop.sim.google_call import Call, Context, Route

__all__ = ["MemoryChannel", "Route"]


class _Method(aio.StreamStreamMultiCallable):  # type: ignore[misc]
    """A method of a channel. Google's wrapper looks at the class."""

    def __init__(self, start: Callable[[Any, Any], Call]) -> None:
        self._start = start

    def __call__(self, request_iterator: Any = None, timeout: Any = None, metadata: Any = None, **_: Any) -> Call:
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
        self._calls: set[Call] = set()
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

        def start(requests: Any, metadata: Any) -> Call:
            if self._closed:
                raise aio.UsageError("Channel is closed.")
            pairs = tuple((str(key), str(value)) for key, value in metadata or ())
            call = Call(route, requests, pairs, request_serializer, response_deserializer, self._delay)
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


async def _refuse(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    yield


_UNKNOWN = Route(_refuse, lambda data: data, lambda data: data)
