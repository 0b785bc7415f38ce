"""Google Cloud Speech-to-Text, streaming, v1 and v2, with its limits, its status texts and everything that goes wrong.

Messages are those of the package google-cloud-speech; its own clients read them. One handler, two doors::

    sim = GoogleSpeechSim(lexicon)
    async with sim.listening() as endpoint:  # gRPC on loopback, in real time
        stt = GoogleSTT(endpoint=endpoint)
    stt = GoogleSTT(channel=sim.channel)     # in memory, in virtual time too

The facts, and which of them are confirmed, are in docs/google.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from voiceloop.errors import require
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google_listen import Listener, listener_of
from voiceloop.sim.google_recognition import PROFILES, Timing
from voiceloop.sim.google_stream import TEXTS, Fault, Limits, Stream, StreamRecord
from voiceloop.sim.google_wire import Refused, Wire
from voiceloop.sim.google_wire import wire as wire_of
from voiceloop.stt.base import STT

if TYPE_CHECKING:
    from voiceloop.sim.google_channel import MemoryChannel

__all__ = ["PROFILES", "Fault", "GoogleSpeechSim", "Limits", "StreamRecord", "Timing"]

Faults = Mapping[int, Fault] | Callable[[int], Fault | None]


class GoogleSpeechSim:
    """The service.

    Args:
        listens: says what is said: a `Lexicon` (artificial speech), a recogniser of voiceloop, or a `Listener`.
        timing: how quick it is, or the name of a profile: ``google`` or ``fast``.
        faults: what goes wrong, by the number of the stream, from 0; or a function of that number.
        limits: where streams end.
        key: the access token that clients must send; None lets everybody in.
        split: interims come in two pieces, a stable one and the last word.
        ends: what an interim's end offset means: see `Recognition`.
        bills: a last message tells what the stream costs.
        refuses_hints: `telephony` of v2 refuses phrase hints, as has been reported.
        languages: what it understands, as BCP 47 tags; None: everything that is formed like one with a region.
        seed: of the delays.
    """

    def __init__(
        self,
        listens: Lexicon | STT | Listener,
        *,
        timing: Timing | str = "google",
        faults: Faults | None = None,
        limits: Limits | None = None,
        key: str | None = None,
        split: bool = False,
        ends: str = "word",
        bills: bool = False,
        refuses_hints: bool = False,
        languages: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self._listener = listener_of(listens)
        self.timing = PROFILES[timing] if isinstance(timing, str) else timing
        self.faults = faults
        self.limits = limits or Limits()
        self._key = key
        self._split = split
        self._ends = ends
        self._bills = bills
        self._refuses_hints = refuses_hints
        self._languages = languages
        self._seed = seed
        self._wires: dict[str, Wire] = {}
        self.streams: list[StreamRecord] = []
        """Every stream so far, in the order they were opened."""

    @property
    def seconds(self) -> float:
        """Audio of all streams."""
        return sum(stream.audio for stream in self.streams)

    @property
    def open_streams(self) -> int:
        """Streams that have not ended."""
        return sum(stream.closed is None for stream in self.streams)

    # --- the two doors ---

    def channel(self, delay: float = 0.0) -> MemoryChannel:
        """A `grpc.aio.Channel` that leads here without a network.

        Args:
            delay: seconds a message takes, each way.
        """
        from voiceloop.sim.google_channel import MemoryChannel, Route

        routes = {
            f"/{wire.service}/StreamingRecognize": Route(self._handler(wire), wire.deserialize, wire.serialize)
            for wire in self._both()
        }
        return MemoryChannel(routes, delay)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[str]:
        """Serve gRPC on 127.0.0.1 until the block is left, for an ordinary event loop. Gives ``http://127.0.0.1:PORT``."""
        grpc = require("grpc", "google", "The Google Speech simulator")
        require("grpc.aio", "google")
        server = grpc.aio.server()
        for wire in self._both():
            method = grpc.stream_stream_rpc_method_handler(
                self._handler(wire), request_deserializer=wire.deserialize, response_serializer=wire.serialize
            )
            handlers = {"StreamingRecognize": method}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(wire.service, handlers),))
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        try:
            yield f"http://127.0.0.1:{bound}"
        finally:
            await server.stop(None)

    def _both(self) -> list[Wire]:
        for version in ("v1", "v2"):
            if version not in self._wires:
                self._wires[version] = wire_of(version, refuses_hints=self._refuses_hints, languages=self._languages)
        return list(self._wires.values())

    # --- the handler ---

    def _handler(self, wire: Wire) -> Callable[[AsyncIterator[Any], Any], AsyncIterator[Any]]:
        async def handle(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            record = self._open(wire)
            refused: Refused | None = None
            record.status = "CANCELLED"
            try:
                self._admit(context)
                async with aclosing(self._stream(wire, record).responses(requests)) as responses:  # type: ignore[type-var]
                    async for response in responses:
                        yield response
                record.status = "OK"
            except Refused as error:
                refused, record.status = error, error.code
            finally:
                record.closed = asyncio.get_running_loop().time()
            if refused is not None:
                await context.abort(_status(refused.code), refused.text)

        return handle

    def _open(self, wire: Wire) -> StreamRecord:
        record = StreamRecord(len(self.streams), wire.version, asyncio.get_running_loop().time())
        self.streams.append(record)
        return record

    def _stream(self, wire: Wire, record: StreamRecord) -> Stream:
        faults = self.faults
        fault = faults(record.number) if callable(faults) else (faults or {}).get(record.number)
        return Stream(
            wire,
            record,
            self._listener,
            timing=self.timing,
            limits=self.limits,
            fault=fault,
            seed=self._seed,
            split=self._split,
            ends=self._ends,
            bills=self._bills,
        )

    def _admit(self, context: Any) -> None:
        if self._key is None:
            return
        given = {str(key).lower(): value for key, value in context.invocation_metadata() or ()}
        if given.get("authorization") != f"Bearer {self._key}":
            raise Refused("UNAUTHENTICATED", TEXTS["UNAUTHENTICATED"])


def _status(code: str) -> Any:
    return getattr(require("grpc", "google").StatusCode, code)
