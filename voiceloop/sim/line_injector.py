"""Injects the faults of `voiceloop.sim.line_faults` into one stream, on behalf of its carrier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from voiceloop.sim.line_faults import (
    Bunched,
    Closed,
    CutFromServer,
    CutToServer,
    Doubled,
    HalfOpen,
    Late,
    LineEcho,
    LineFault,
    Lost,
    Noise,
    NoStop,
    Rubbish,
    Stall,
    StrayMark,
)
from voiceloop.sim.line_marks import MarkEchoes, MarkFault
from voiceloop.sim.line_rubbish import rubbish
from voiceloop.sim.line_stalls import stall
from voiceloop.sim.playback import RATE, Mark
from voiceloop.twilio.carrier_protocol import CarrierStream

if TYPE_CHECKING:
    from voiceloop.sim.line_audio import LineAudio

__all__ = ["Hands", "Injector"]

F = TypeVar("F")
C = TypeVar("C", Lost, Doubled)
_HAIR = 1e-6  # seconds: sums of blocks are off by less
_Moment = Rubbish | StrayMark | Closed | HalfOpen


@dataclass(frozen=True, slots=True)
class Hands:
    """What the injector asks of its carrier. Times are seconds on the loop's clock."""

    stream: CarrierStream
    heard: bytearray
    send: Callable[[str | bytes], None]
    """Sends something to the server, now."""
    echo: Callable[[Mark, float], None]
    """Sends the echo of a mark, as at a time."""
    close: Callable[[], None]
    """Closes the socket without a ``stop``."""
    deafen: Callable[[], None]
    """Delivers nothing more in either direction."""
    note: Callable[[LineFault, float], None]
    """Writes down that a fault was injected."""


class Injector:
    """The faults of one stream. Its carrier asks it at every turn; without faults there is none.

    Args:
        faults: what goes wrong.
        hands: of the carrier.
    """

    def __init__(self, faults: tuple[LineFault, ...], hands: Hands) -> None:
        self.no_stop = next(_of(faults, NoStop), None)
        self.cut_to_server = min((fault.after for fault in _of(faults, CutToServer)), default=None)
        self.cut_from_server = min((fault.after for fault in _of(faults, CutFromServer)), default=None)
        self._hands = hands
        self._started = 0.0
        self._struck: set[int] = set()  # ids of the faults that are written down
        self._windows: tuple[Late | Bunched, ...] = (*_of(faults, Late), *_of(faults, Bunched))
        self._losses = _Counted(_of(faults, Lost))
        self._doubles = _Counted(_of(faults, Doubled))
        self._cuts = (*_of(faults, CutToServer), *_of(faults, CutFromServer))
        self._stalls = tuple(_of(faults, Stall))
        moments: tuple[_Moment, ...] = (
            *_of(faults, Rubbish),
            *_of(faults, StrayMark),
            *_of(faults, Closed),
            *_of(faults, HalfOpen),
        )
        self._moments = sorted(moments, key=lambda fault: fault.at)[::-1]  # the next one last
        self._acts: dict[type, Callable[[Any], object]] = {
            Rubbish: self._rubbish,
            StrayMark: lambda fault: hands.send(hands.stream.mark(fault.name)),
            Closed: lambda fault: hands.close(),
            HalfOpen: lambda fault: hands.deafen(),
        }
        self._timers: list[asyncio.TimerHandle] = []
        marks = tuple(fault for fault in faults if isinstance(fault, MarkFault))
        self.marks = MarkEchoes(marks, hands.echo, self._strike) if marks else None
        sounds = tuple(fault for fault in faults if isinstance(fault, LineEcho | Noise))
        self._audio = self._mixer(sounds) if sounds else None

    def _mixer(self, sounds: tuple[LineEcho | Noise, ...]) -> LineAudio:
        from voiceloop.sim.line_audio import LineAudio  # loads numpy

        return LineAudio(sounds, self._hands.heard, self._sounded)

    # --- life -----------------------------------------------------------------------------------------------

    def start(self, started: float) -> None:
        """The stream has begun."""
        self._started = started
        loop = asyncio.get_running_loop()
        self._timers = [loop.call_at(started + fault.at, self._stall, fault) for fault in self._stalls]

    def finish(self) -> None:
        """The stream is over."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def was_cut(self, received: bool, at: float) -> None:
        """The socket was cut after so many bytes, sent or received."""
        kind = CutFromServer if received else CutToServer
        after = self.cut_from_server if received else self.cut_to_server
        for fault in self._cuts:
            if isinstance(fault, kind) and fault.after == after:
                self._strike(fault, at)

    def stop_missing(self, at: float) -> bool:
        """Whether the caller hangs up without a ``stop``."""
        if self.no_stop is None:
            return False
        self._strike(self.no_stop, at)
        return True

    def _stall(self, fault: Stall) -> None:
        loop = asyncio.get_running_loop()
        self._strike(fault, loop.time())
        stall(loop, fault.seconds)

    def _strike(self, fault: LineFault, at: float) -> None:
        if id(fault) not in self._struck:
            self._struck.add(id(fault))
            self._hands.note(fault, at)

    # --- by the clock ---------------------------------------------------------------------------------------

    def look(self, at: float) -> None:
        """A block begins: do what was planned for this time."""
        if self.marks is not None:
            self.marks.look(at)
        moments = self._moments
        while moments and self._started + moments[-1].at <= at + _HAIR:
            fault = moments.pop()
            self._strike(fault, at)
            self._acts[type(fault)](fault)

    def _rubbish(self, fault: Rubbish) -> None:
        for _ in range(fault.count):
            self._hands.send(rubbish(fault.what, self._hands.stream.stream_sid))

    # --- on the way -----------------------------------------------------------------------------------------

    def hold_to_server(self, sent: float, due: float) -> float:
        """When something for the server arrives that would arrive when it is `due`."""
        return self._hold("to server", sent, due)

    def hold_from_server(self, sent: float, due: float) -> float:
        """When something of the server's arrives that would arrive when it is `due`."""
        return self._hold("from server", sent, due)

    def slow(self, way: str) -> bool:
        """Whether there is anything to hold on this way."""
        return any(fault.way == way for fault in self._windows)

    def _hold(self, way: str, sent: float, due: float) -> float:
        since = sent - self._started + _HAIR
        held = due
        for fault in self._windows:
            if fault.way == way and fault.at <= since < fault.at + fault.length:
                self._strike(fault, sent)
                if isinstance(fault, Late):
                    held = max(held, due + fault.by)
                else:
                    held = max(held, self._started + fault.at + fault.length)
        return held

    # --- the caller's audio ---------------------------------------------------------------------------------

    def media(self, block: bytes, start: int, at: float, timestamp_ms: int) -> list[str]:
        """The messages for a block of the caller's audio: one, as a rule. `start` is its first sample."""
        since = at - self._started + _HAIR
        if (loss := self._losses.take(since)) is not None:
            self._strike(loss, at)
            if loss.numbered:
                self._hands.stream.media(block, timestamp_ms)
            return []
        if self._audio is not None:
            block = self._audio.mix(block, start)
        text = self._hands.stream.media(block, timestamp_ms)
        if (double := self._doubles.take(since)) is not None:
            self._strike(double, at)
            return [text, text]
        return [text]

    def _sounded(self, fault: LineEcho | Noise, start: int) -> None:
        self._strike(fault, self._started + start / RATE)


class _Counted(Generic[C]):
    """Faults that strike so many messages each, from a time on."""

    def __init__(self, faults: Iterable[C]) -> None:
        self._left: list[tuple[C, int]] = [(fault, fault.count) for fault in faults]

    def take(self, since: float) -> C | None:
        """The fault that strikes the message of this time, seconds since the start of the stream."""
        for index, (fault, left) in enumerate(self._left):
            if since >= fault.at:
                if left > 1:
                    self._left[index] = (fault, left - 1)
                else:
                    del self._left[index]
                return fault
        return None


def _of(faults: tuple[LineFault, ...], kind: type[F]) -> Iterator[F]:
    return (fault for fault in faults if isinstance(fault, kind))
