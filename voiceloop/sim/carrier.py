"""The carrier: what Twilio does on the other end of a media stream, over a real WebSocket, on the loop's clock.

Works against any server: one in the same process by an in-memory connector, or another on loopback.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Final

import aiohttp

from voiceloop.sim.delay import DelayLine
from voiceloop.sim.line_clock import CarrierClock
from voiceloop.sim.line_faults import LineFault
from voiceloop.sim.line_injector import Hands, Injector
from voiceloop.sim.line_options import CarrierOptions
from voiceloop.sim.playback import BLOCK, RATE, Mark, Playback
from voiceloop.sim.speech import CallerSpeech
from voiceloop.sim.truth import Clear, Entry, Truth
from voiceloop.sim.wire import CLOSE_LIMIT, Wire
from voiceloop.twilio.carrier_protocol import CarrierStream, PlayAudio, SetMark

__all__ = ["Carrier", "CarrierOptions"]

MAX_UNSENT: Final = 500
"""Messages that wait for a server that does not read. Beyond that Twilio discards the caller's audio (31930)."""


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
        """How the stream ended: ``hung up``, ``cut``, ``closed``, ``closed by the server (code)``; empty while it
        lasts."""
        self.injected: list[tuple[float, LineFault]] = []
        """The faults that took effect, in order, and when each first did, seconds on the loop's clock."""
        self.truth = Truth(self.playback, 0.0)
        self._parameters = parameters
        faulty = self._injector = self._make_injector()
        path = (self.options.delay_from_server, self.options.jitter)
        held = faulty.hold_from_server if faulty is not None and faulty.slow("from server") else None
        # What comes from the server; a number is the close code, which travels as long as all else.
        self._from_server: DelayLine[str | bytes | int] = DelayLine(
            self._receive, *path, seed=2 * self.options.seed, held=held
        )
        self._wire = Wire(
            url,
            self._arrived,
            self._arrived,
            connector=connector,
            session=session,
            headers=headers,
            cut_after=None if faulty is None else faulty.cut_to_server,
            cut_after_received=None if faulty is None else faulty.cut_from_server,
            on_cut=self._was_cut,
        )
        path = (self.options.delay_to_server, self.options.jitter)
        held = faulty.hold_to_server if faulty is not None and faulty.slow("to server") else None
        self._to_server: DelayLine[str | bytes | None] = DelayLine(
            self._wire.send, *path, seed=2 * self.options.seed + 1, held=held
        )
        self._clock = CarrierClock(self._block, self._from_server.deliver_before, self._wire.take, self._stalled)
        self._speech = CallerSpeech()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._live = False  # between start and stop

    def _make_injector(self) -> Injector | None:
        if not self.options.faults:
            return None

        def note(fault: LineFault, at: float) -> None:
            self.injected.append((at, fault))
            self.truth.log.append(Entry(at, "fault", fault.kind))

        hands = Hands(
            self.stream,
            self.playback.heard,
            send=lambda what: self._to_server.put(what, self._at),
            echo=self._send_echo,
            close=lambda: self._close("closed"),
            deafen=self._deafen,
            note=note,
        )
        return Injector(self.options.faults, hands)

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
        """Open the socket and the stream. Raises what aiohttp raises when the server refuses (Twilio: 31920).

        When it raises, whatever it is, nothing is left open.
        """
        await self._wire.open()
        try:
            self._begin()
        except BaseException:
            try:
                if self._live:
                    self._finish("cut")
            finally:
                self._to_server.close()
                await self._wire.abandon()
            raise

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.truth.started = self._clock.start()
        self._live = True
        self._log("start", self.stream.stream_sid)
        self._to_server.put(self.stream.connected(), self._at)
        self._to_server.put(self.stream.start(self._parameters), self._at)
        if self._injector is not None:
            self._injector.start(self._at)
        self._clock.tick()

    async def hang_up(self) -> None:
        """The caller hangs up: ``stop``, then the socket closes. Returns when all is gone; safe to call twice."""
        if self._live:
            self._clock.come_to(self._loop.time())
        if self._live:
            missing = self._injector is not None and self._injector.stop_missing(self._at)
            if not missing and not self.options.drop_stop:
                self._to_server.put(self.stream.stop(), self._at)
            self._close("hung up")
        await self._wire.wait_closed(CLOSE_LIMIT)

    async def cut(self) -> None:
        """The connection breaks: no ``stop``, no close frame; what was under way is lost."""
        if self._live:
            self._clock.come_to(self._loop.time())
        if self._live:
            self._finish("cut")
            self._to_server.close()
            self._wire.cut()
        await self._wire.wait_closed(CLOSE_LIMIT)

    def _close(self, end: str) -> None:
        self._finish(end)
        self._to_server.put(None, self._at)

    def _deafen(self) -> None:
        self._from_server.break_off()
        self._to_server.break_off()
        self._wire.stop_reading()

    def _was_cut(self, received: bool) -> None:
        """The wire broke on the way: as `cut`, by a fault."""
        if self._injector is not None:
            self._injector.was_cut(received, self._loop.time())
        if self._live:
            self._clock.come_to(self._loop.time())
        if self._live:
            self._finish("cut")
        self._to_server.close()

    async def wait_ended(self) -> None:
        """Wait until the stream is over and the socket closed, whoever ends it."""
        await self._wire.wait_closed()
        await self.when(lambda: self.ended)

    def _finish(self, end: str) -> None:
        self._live = False
        self.end = end
        self._log("end", end)
        self._clock.stop()
        self._from_server.close()
        if self._injector is not None:
            self._injector.finish()
        self.playback.finish(self._now())
        for _, future in self._waiters:
            if not future.done():
                future.set_result(False)
        self._waiters.clear()

    # --- the caller's end of the line -----------------------------------------------------------------------

    def say(self, audio: bytes) -> float:
        """Put mu-law audio on the line, behind what is still being said. Returns when its first sample is spoken."""
        if self._live:
            self._clock.come_to(self._loop.time())
        return self.truth.time_of(self._speech.say(audio))

    def hush(self) -> int:
        """Say nothing more of what was put on the line. Returns how many bytes that cuts off."""
        return self._speech.hush()

    def press(self, digit: str) -> None:
        """Press a key. Raises `RuntimeError` when the call is over."""
        if not self._live:
            raise RuntimeError(f"press {digit!r}: expected a call, but there is none ({self.end or 'not connected'})")
        self._clock.come_to(self._loop.time())
        self._log("dtmf", digit)
        self._to_server.put(self.stream.dtmf(digit), self._at)

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

    def _stalled(self, seconds: float) -> None:
        self.truth.log.append(Entry(self._loop.time(), "stall", f"{seconds:g}"))

    def _block(self, index: int, at: float) -> None:
        """The next 20 ms begin: those before have been spoken and heard."""
        for mark in self.playback.tick():
            self._echo(mark)
        if index:
            self._send_media((index - 1) * BLOCK, at)
        self._speech.next_block()
        if self._injector is not None:
            self._injector.look(at)
        if self._waiters:
            for waiter in list(self._waiters):
                if waiter[0]() and not waiter[1].done():
                    waiter[1].set_result(True)

    def _send_media(self, start: int, at: float) -> None:
        """Send the block of the caller's audio that was spoken last; `start` is its first sample."""
        block = bytes(self.said[-BLOCK:])
        timestamp = self.options.first_timestamp + start // 8
        if self._injector is None:
            texts = [self.stream.media(block, timestamp)]
        else:
            texts = self._injector.media(block, start, at, timestamp)
        for text in texts:
            if self._wire.unsent < MAX_UNSENT:
                self._to_server.put(text, at)
            else:
                self._error(31930, 1)
                self._log("congested", 1)

    @property
    def _at(self) -> float:
        """The carrier's own present, seconds on the loop's clock: behind it while a stall is made up for."""
        return self._clock.at

    def _now(self) -> int:
        return self.truth.sample_at(self._at)

    # --- the wire -------------------------------------------------------------------------------------------

    def _arrived(self, data: str | bytes | int) -> None:
        """The wire has read something: it was sent now, or before the stall that is just over."""
        self._from_server.put(data, self._clock.arrival())

    def _receive(self, data: str | bytes | int) -> None:
        if self._live:
            due = self._from_server.due
            assert due is not None
            self._clock.come_to(due)
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
            self._set(Mark(request.name, self._at))
        elif request is not None:
            dropped, echoes = self.playback.clear(self._now())
            self.truth.clears.append(Clear(self._at, dropped))
            self._log("clear", dropped)
            for echo in echoes:
                self._echo(echo)
        else:
            self.errors.update(dict.fromkeys(self.stream.warnings, 1))
            self._log("dropped", "; ".join(self.stream.warnings.values()))

    def _set(self, mark: Mark) -> None:
        if self._injector is not None and (marks := self._injector.marks) is not None:
            marks.set(mark, len(self.truth.marks), self._at, self._at + self.playback.ahead(self._now()) / RATE)
        self.truth.marks.append(mark)
        self._log("mark", mark.name)
        for echo in self.playback.mark(mark, self._now()):
            self._echo(echo)

    def _echo(self, mark: Mark) -> None:
        if not mark.flushed:
            mark.reached_at = self._at
        if self._injector is not None and (marks := self._injector.marks) is not None:
            marks.reached(mark, self._at)
        else:
            self._send_echo(mark, self._at)

    def _send_echo(self, mark: Mark, at: float) -> None:
        if mark.echoed_at is None:
            mark.echoed_at = at
        self._log("echo", mark.name)
        self._to_server.put(self.stream.mark(mark.name), at)

    def _error(self, code: int, amount: int) -> None:
        self.errors[code] = self.errors.get(code, 0) + amount

    def _log(self, kind: str, detail: str | int = "") -> None:
        self.truth.log.append(Entry(self._at, kind, detail))

    def save_recording(self, path: str | PathLike[str]) -> None:
        """Write what was said (left) and heard (right) as a 16-bit stereo WAV of 8000 Hz."""
        import numpy as np

        from voiceloop.audio.mulaw import decode
        from voiceloop.audio.wav import write_wav

        size = min(len(self.said), len(self.heard))
        write_wav(path, np.stack([decode(self.said[:size]), decode(self.heard[:size])], axis=1), RATE)


def _sid(prefix: str, seed: int) -> str:
    return prefix + hashlib.sha256(f"{prefix} {seed}".encode()).hexdigest()[:32]
