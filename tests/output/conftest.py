"""The carrier as a queue: a tiny pure model of Twilio's playback buffer, with a delay each way."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from voiceloop.output.events import Output, PlayoutOptions, SendClear, SendMark, SendMedia
from voiceloop.output.playout import Playout

FRAME = 160


@dataclass(slots=True)
class Network:
    """Delays in seconds; `jitter` gives one more delay for what is written at one instant; order is kept."""

    up: float = 0.06
    down: float = 0.06
    tick: float = 0.0  # phase of the 20 ms frames, 0 … 0.02
    marks_first: bool = True  # a frame echoes its marks before, or after, it sends the caller's audio
    numbers: bool = True  # echoes carry sequence numbers
    lose: Callable[[str], bool] = lambda name: False  # echoes that never come
    jitter: Callable[[], float] = lambda: 0.0


class Line:
    """A playout, its carrier and the events between, run on one heap in time order."""

    def __init__(self, playout: Playout, network: Network | None = None, *, start: float = 0.0) -> None:
        self.playout = playout
        self.net = network or Network()
        self.now = start
        self.stalled_until = 0.0
        self.news: list[Output] = []
        self.sent: list[tuple[float, Output]] = []
        self.buffer: deque[bytes | str] = deque()
        self.heard: dict[int, int] = {}  # bytes played of each answer: its audio repeats one byte, its key
        self.frames: list[tuple[float, int]] = []  # bytes played in each frame that had any
        self.first_sound: dict[int, float] = {}
        self.last_sound: dict[int, float] = {}
        self.pieces: list[bytes] = []  # what the caller heard
        self.key_of: Callable[[bytes], int] = lambda piece: piece[0]
        self._sequence = 1
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = 0
        self._wake: float | None = None
        self._up_free = self._down_free = (-math.inf, -math.inf)  # when written last, when that arrives
        self._ticking = False
        self._last_frame = -1

    # --- what a test does ---

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Do something at a time; outputs it returns are carried out."""

        def run() -> None:
            outputs = action()
            self.carry(outputs if isinstance(outputs, list) else self.playout.pump(self.now))

        self._push(when, run)

    @property
    def marks(self) -> list[str]:
        """Names of the marks sent."""
        return [output.name for _, output in self.sent if isinstance(output, SendMark)]

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = until

    def carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, SendMedia | SendMark | SendClear):
                self.sent.append((self.now, output))
                if self._up_free[0] < self.now:  # what is written together travels together
                    self._up_free = (self.now, max(self._up_free[1], self.now + self.net.up + self.net.jitter()))
                self._push(self._up_free[1], lambda output=output: self._arrive(output))
            else:
                self.news.append(output)
        self._rearm()

    # --- the process ---

    def _rearm(self) -> None:
        wake = self.playout.next_wakeup()
        if wake is None:
            return
        wake = max(wake, self.now, self.stalled_until)
        if self._wake is None or wake < self._wake or self._wake <= self.now:
            self._wake = wake
            self._push(wake, self._pump)

    def _pump(self) -> None:
        if self.now < self.stalled_until:
            return
        self._wake = None
        self.carry(self.playout.pump(self.now))

    def _push(self, when: float, action: Callable[[], None]) -> None:
        self._counter += 1
        heapq.heappush(self._events, (when, self._counter, action))

    # --- the carrier ---

    def _arrive(self, output: Output) -> None:
        if isinstance(output, SendMedia):
            self.buffer.append(output.payload)
        elif isinstance(output, SendMark):
            self._enter(output.name)
        else:
            names = [item for item in self.buffer if isinstance(item, str)]
            self.buffer.clear()
            for name in names:
                self._echo(name)
        if self.buffer and not self._ticking:
            self._ticking = True
            self._push(self._next_frame(), self._frame)

    def _enter(self, name: str) -> None:
        if self.buffer:
            self.buffer.append(name)
        else:
            self._echo(name)

    def _next_frame(self) -> float:
        number = math.ceil((self.now - self.net.tick) / 0.02 - 1e-9)
        self._number = max(number, self._last_frame + 1)
        return self._number * 0.02 + self.net.tick

    def _frame(self) -> None:
        self._last_frame = self._number
        if not self.net.marks_first:
            self._media()
        room, played = FRAME, 0
        while self.buffer:
            item = self.buffer[0]
            if isinstance(item, str):
                self.buffer.popleft()
                self._echo(item)
                continue
            if not room:
                break
            piece, rest = item[:room], item[room:]
            room -= len(piece)
            played += len(piece)
            if rest:
                self.buffer[0] = rest
            else:
                self.buffer.popleft()
            self._sound(piece)
        if played:
            self.frames.append((self.now, played))
        if self.net.marks_first:
            self._media()
        if self.buffer:
            self._push(self._next_frame(), self._frame)
        else:
            self._ticking = False

    def _sound(self, piece: bytes) -> None:
        key = self.key_of(piece)
        self.first_sound.setdefault(key, self.now)
        self.last_sound[key] = self.now
        self.pieces.append(piece)
        self.heard[key] = self.heard.get(key, 0) + len(piece)

    def _media(self) -> None:
        """The caller's audio takes a number."""
        self._sequence += 1

    def _echo(self, name: str) -> None:
        # Frames with an empty buffer are not run as events: count the inbound media of that time.
        number = math.floor((self.now - self.net.tick) / 0.02 + 1e-9)
        if number > self._last_frame and not self._ticking:
            self._sequence += number - self._last_frame
            self._last_frame = number
        self._sequence += 1
        sequence = self._sequence if self.net.numbers else 0
        if self.net.lose(name):
            return
        if self._down_free[0] < self.now:
            self._down_free = (self.now, max(self._down_free[1], self.now + self.net.down + self.net.jitter()))
        self._push(self._down_free[1], lambda: self._echoed(name, sequence))

    def _echoed(self, name: str, sequence: int) -> None:
        if self.now < self.stalled_until:
            self._push(self.stalled_until, lambda: self._echoed(name, sequence))
            return
        self.carry(self.playout.echo(name, sequence, self.now))


@pytest.fixture(scope="session")
def line() -> Callable[..., Line]:
    """Makes a playout with a carrier behind it: ``line(options, up=0.06, down=0.06, …)``."""

    def make(options: PlayoutOptions | None = None, **network: object) -> Line:
        return Line(Playout(options), Network(**network))  # type: ignore[arg-type]

    return make
