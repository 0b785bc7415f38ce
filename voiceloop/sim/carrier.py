"""The carrier: what Twilio does on the other end of a media stream, over a real WebSocket, on the loop's clock.

Works against any server: one in the same process by an in-memory connector, or another on loopback.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Final

import aiohttp

from voiceloop.sim.delay import DelayLine
from voiceloop.sim.playback import BLOCK, RATE, Mark, Playback
from voiceloop.sim.speech import CallerSpeech
from voiceloop.sim.truth import Clear, Entry, Truth
from voiceloop.sim.wire import CLOSE_LIMIT, Wire
from voiceloop.twilio.carrier_protocol import CarrierStream, PlayAudio, SetMark

__all__ = ["Carrier", "CarrierOptions"]

TICK: Final = BLOCK / RATE
"""Seconds between two media messages, and the length of each: 20 ms."""
MAX_UNSENT: Final = 500
"""Messages that wait for a server that does not read. Beyond that Twilio discards the caller's audio (31930)."""
_EARLY: Final = 0.001  # a timer may fire this much too early (uvloop's clock has steps of 1 ms), seconds


@dataclass(frozen=True, kw_only=True)
class CarrierOptions:
    """How this carrier behaves. The defaults are what Twilio's documentation says, without a network between."""

    seed: int = 0
    """Of the ids and the jitter. The same seed gives the same call."""
    delay_to_server: float = 0.0
    """One way, carrier to agent, seconds."""
    delay_from_server: float = 0.0
    """One way, agent to carrier, seconds."""
    jitter: float = 0.0
    """Up to this much on top of either delay, seconds; order is kept."""
    first_timestamp: int = 0
    """Timestamp of the first media message, milliseconds. Twilio's need not be 0."""
    drop_stop: bool = False
    """Close the socket without a ``stop`` message, as an abrupt hang-up may."""
    echo_on_clear: bool = True
    """Whether ``clear`` echoes the pending marks."""
    buffer_seconds: float = 600.0
    """Outbound audio held at most, seconds; the excess is discarded (31931)."""
    is_answer_end: Callable[[str], bool] = lambda name: name.startswith("end:")
    """Says of a mark's name that an answer ends there; running dry behind it is no hole."""


class Carrier:
    """One call's media stream, seen from the carrier.

    Args:
        url: of the agent's media route, ``ws://…``.
        parameters: ``customParameters`` of the ``start`` message.
        options: how the carrier behaves.
        connector: of aiohttp, owned from here on; ``aiohttp.UnixConnector(path=name)`` reaches a server in memory.
        session: of aiohttp, instead of a connector; stays the caller's own.
        headers: of the handshake, such as ``X-Twilio-Signature``.
        call_sid: of the call that the stream belongs to; made up from the seed when not given.
        account_sid: of the account, likewise.

    Used as an asynchronous context manager it connects, and hangs up at the end.
    """

    def __init__(
        self,
        url: str,
        *,
        parameters: Mapping[str, str] | None = None,
        options: CarrierOptions | None = None,
        connector: aiohttp.BaseConnector | None = None,
        session: aiohttp.ClientSession | None = None,
        headers: Mapping[str, str] | None = None,
        call_sid: str | None = None,
        account_sid: str | None = None,
    ) -> None:
        self.options = options or CarrierOptions()
        given = {"MZ": None, "CA": call_sid, "AC": account_sid}
        self.stream = CarrierStream(*(sid or _sid(prefix, self.options.seed) for prefix, sid in given.items()))
        self.playback = Playback(
            capacity=round(self.options.buffer_seconds * RATE),
            echo_on_clear=self.options.echo_on_clear,
            is_answer_end=self.options.is_answer_end,
        )
        self.errors: dict[int, int] = {}
        """Twilio's error codes and how often: 31930 (messages), 31931 (bytes), 31950 and 31951 (once each)."""
        self.end = ""
        """How the stream ended: ``hung up``, ``cut``, ``closed by the server (code)``; empty while it lasts."""
        self.truth = Truth(self.playback, 0.0)
        self._parameters = parameters
        # What comes from the server; a number is the close code, which travels as long as all else.
        self._from_server: DelayLine[str | bytes | int] = DelayLine(
            self._receive, self.options.delay_from_server, self.options.jitter, seed=2 * self.options.seed
        )
        line = self._from_server.put
        self._wire = Wire(url, line, line, connector=connector, session=session, headers=headers)
        self._to_server: DelayLine[str | None] = DelayLine(
            self._wire.send, self.options.delay_to_server, self.options.jitter, seed=2 * self.options.seed + 1
        )
        self._speech = CallerSpeech()
        self._ticks = 0  # blocks that have begun
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._live = False  # between start and stop

    @property
    def heard(self) -> bytearray:
        """What the line carried to the caller, mu-law, from the start of the stream; 160 bytes a tick."""
        return self.playback.heard

    @property
    def said(self) -> bytearray:
        """What the caller said, mu-law, from the start of the stream; as long as `heard`."""
        return self._speech.said

    @property
    def ended(self) -> bool:
        """Whether the stream is over."""
        return bool(self.end)

    # --- life -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Carrier:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()

    async def connect(self) -> None:
        """Open the socket and the stream. Raises what aiohttp raises when the server refuses (Twilio: 31920)."""
        await self._wire.open()
        self._loop = asyncio.get_running_loop()
        self.truth.started = self._loop.time()
        self._live = True
        self._log("start", self.stream.stream_sid)
        self._to_server.put(self.stream.connected())
        self._to_server.put(self.stream.start(self._parameters))
        self._tick()

    async def hang_up(self) -> None:
        """The caller hangs up: ``stop``, then the socket closes. Returns when all is gone; safe to call twice."""
        if self._live:
            stop = self.stream.stop()
            self._finish("hung up")
            if not self.options.drop_stop:
                self._to_server.put(stop)
            self._to_server.put(None)
        await self._wire.wait_closed(CLOSE_LIMIT)

    async def cut(self) -> None:
        """The connection breaks: no ``stop``, no close frame; what was under way is lost."""
        if self._live:
            self._finish("cut")
            self._to_server.close()
            self._wire.cut()
        await self._wire.wait_closed(CLOSE_LIMIT)

    async def wait_ended(self) -> None:
        """Wait until the stream is over and the socket closed, whoever ends it."""
        await self._wire.wait_closed()
        await self.when(lambda: self.ended)

    def _finish(self, end: str) -> None:
        self._live = False
        self.end = end
        self._log("end", end)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._from_server.close()
        self.playback.finish(self._now())
        for _, future in self._waiters:
            if not future.done():
                future.set_result(False)
        self._waiters.clear()

    # --- the caller's end of the line -----------------------------------------------------------------------

    def say(self, audio: bytes) -> float:
        """Put mu-law audio on the line, behind what is still being said. Returns when its first sample is spoken."""
        return self.truth.time_of(self._speech.say(audio))

    def hush(self) -> int:
        """Say nothing more of what was put on the line. Returns how many bytes that cuts off."""
        return self._speech.hush()

    def press(self, digit: str) -> None:
        """Press a key. Raises `RuntimeError` when the call is over."""
        if not self._live:
            raise RuntimeError(f"press {digit!r}: expected a call, but there is none ({self.end or 'not connected'})")
        self._log("dtmf", digit)
        self._to_server.put(self.stream.dtmf(digit))

    async def when(self, condition: Callable[[], bool]) -> bool:
        """Wait until `condition` holds, looked at now and every 20 ms. False when the stream ends first."""
        if condition():
            return True
        if self.end:
            return False
        future: asyncio.Future[bool] = self._loop.create_future()
        waiter = (condition, future)
        self._waiters.append(waiter)
        try:
            return await future
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    # --- the clock ------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Every 20 ms by the absolute clock: the last block has been spoken and heard, the next one begins.

        After a stall this makes up for all that was missed, in a bunch, with the timestamps of when it was due.
        """
        due = int((self._loop.time() + _EARLY - self.truth.started) / TICK)
        while self._ticks <= due:
            self._block()
        self._timer = self._loop.call_at(self.truth.started + self._ticks * TICK, self._tick)

    def _block(self) -> None:
        index = self._ticks
        self._ticks += 1
        for mark in self.playback.tick():
            self._echo(mark)
        if index:
            text = self.stream.media(bytes(self.said[-BLOCK:]), self.options.first_timestamp + (index - 1) * 20)
            if self._wire.unsent < MAX_UNSENT:
                self._to_server.put(text)
            else:
                self._error(31930, 1)
                self._log("congested", 1)
        self._speech.next_block()
        if self._waiters:
            for waiter in list(self._waiters):
                if waiter[0]() and not waiter[1].done():
                    waiter[1].set_result(True)

    def _now(self) -> int:
        return self.truth.sample_at(self._loop.time())

    # --- the wire -------------------------------------------------------------------------------------------

    def _receive(self, data: str | bytes | int) -> None:
        if not self._live:
            return  # the caller has hung up: nobody listens
        if isinstance(data, int):
            self._to_server.close()
            self._finish(f"closed by the server ({data})")
            return
        request = self.stream.receive(data)
        if isinstance(request, PlayAudio):
            self._log("media", len(request.payload))
            if excess := self.playback.play(request.payload):
                self._error(31931, excess)
                self._log("discarded", excess)
        elif isinstance(request, SetMark):
            mark = Mark(request.name, self._loop.time())
            self.truth.marks.append(mark)
            self._log("mark", mark.name)
            for echo in self.playback.mark(mark, self._now()):
                self._echo(echo)
        elif request is not None:
            dropped, echoes = self.playback.clear(self._now())
            self.truth.clears.append(Clear(self._loop.time(), dropped))
            self._log("clear", dropped)
            for echo in echoes:
                self._echo(echo)
        else:
            self.errors.update(dict.fromkeys(self.stream.warnings, 1))
            self._log("dropped", "; ".join(self.stream.warnings.values()))

    def _echo(self, mark: Mark) -> None:
        mark.echoed_at = self._loop.time()
        self._log("echo", mark.name)
        self._to_server.put(self.stream.mark(mark.name))

    def _error(self, code: int, amount: int) -> None:
        self.errors[code] = self.errors.get(code, 0) + amount

    def _log(self, kind: str, detail: str | int = "") -> None:
        self.truth.log.append(Entry(self._loop.time(), kind, detail))

    def save_recording(self, path: str | PathLike[str]) -> None:
        """Write what was said (left) and heard (right) as a 16-bit stereo WAV of 8000 Hz."""
        import numpy as np

        from voiceloop.audio.mulaw import decode
        from voiceloop.audio.wav import write_wav

        size = min(len(self.said), len(self.heard))
        write_wav(path, np.stack([decode(self.said[:size]), decode(self.heard[:size])], axis=1), RATE)


def _sid(prefix: str, seed: int) -> str:
    return prefix + hashlib.sha256(f"{prefix} {seed}".encode()).hexdigest()[:32]
