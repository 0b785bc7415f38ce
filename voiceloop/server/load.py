"""How loaded a process is, and whether it takes one more call: pure, with the time as an argument.

Three gauges, of which the worst counts:

- how much of its time the event loop works (`Load.ran`). It rises evenly with the calls and warns first: above 85 %
  the waits of a loop grow faster than its work.
- how late its timers fire (`Load.beat`). A bot that blocks, or a machine that gives too little time, is seen here.
- what the carrier has left to play when more audio is sent (`Load.sent`): the last thing before a hole is heard.

A gauge shows a call only once the call has worked for a while. Until then it counts with what a call costs, so that a
burst is not let in whole before anything moves.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from typing import Final

__all__ = ["Load", "LoadFigures", "LoadOptions"]

WINDOW: Final = 2.0
"""Seconds over which the loop's work is looked at: longer than a burst of greetings, shorter than a call."""
_UNMEASURED: Final = 0.5
"""Seconds since work was last measured in which that still tells how it is."""
LAG_WINDOW: Final = 5.0
"""Seconds in which late heartbeats count."""
COMING: Final = 5.0
"""Seconds in which the stream of a call comes that was told to open one; Twilio needs one or two."""
_MEMORY: Final = 60.0
"""Seconds in which two thirds of what was learnt of the cost of a call are forgotten."""
_PRIOR: Final = 60.0
"""Seconds of one call that the cost given in the options is worth: what the first calls cost is chance."""
_LEAST_LAG: Final = 0.002
"""Seconds: a heartbeat that is less late is in time. The clock of some loops has steps of 1 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """When a process has enough to do."""

    refuse: bool = True
    """Whether calls are refused for load. False: it is only measured and told."""
    share: float = 0.85
    """Of the event loop's time, 0 to 1, that may be work. At 0.85 a message waits for about six others."""
    lag: float = 0.1
    """Seconds that the loop may be late."""
    late_beats: int = 3
    """So many late heartbeats within 5 s are too many: the collector of garbage is late once."""
    audio: float = 0.6
    """Of the audio that a carrier has left to play when more is due, the part that may be lost by sending late. Of the
    600 ms of `PlayoutOptions.margin` 240 are left then, which is another stall."""
    late: float = 0.05
    """Seconds that audio must have been late for that to count: a voice that gives little leaves little to play."""
    relief: float = 0.88
    """The process is free again below this part of each limit: a share of 0.75."""
    hold: float = 3.0
    """Seconds that it has to stay below."""
    few: int = 4
    """So many calls are taken whatever the gauges say: it is not the calls that load a process with so few, and one
    that has none must not refuse for ever."""
    cost: float = 0.002
    """Of a core: what a call costs at least, and until it is known. Give what your bot costs if that is much more, or
    the first burst after a start is let in whole."""
    cores: float | None = None
    """That this process may use. None asks the system (`voiceloop.server.cores`)."""

    def __post_init__(self) -> None:
        for name in ("share", "lag", "audio", "late", "hold", "cost"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} above 0, got {getattr(self, name)!r}")
        if not 0 < self.relief <= 1:
            raise ValueError(f"expected relief above 0 and at most 1, got {self.relief!r}")
        if self.few < 1 or self.late_beats < 1:
            raise ValueError(f"expected few and late_beats of at least 1, got {self.few!r} and {self.late_beats!r}")
        if self.cores is not None and not self.cores > 0:
            raise ValueError(f"expected cores above 0, or None to ask the system, got {self.cores!r}")


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """What the gauges show."""

    busy: bool
    pressure: float
    """The worst gauge as a part of its limit: 1 is busy."""
    share: float
    """Of the loop's time that was work in the last 2 s, 0 to 1; or of the cores that the process may use, if more."""
    lag: float
    """The latest heartbeat of the last 5 s, seconds."""
    margin: float
    """The least that a carrier had left to play, seconds; infinite when nothing was sent."""
    late: float
    """The longest that audio was late, seconds."""
    calls: int
    """On the line."""
    coming: int
    """Let in, and not on the line yet."""
    cost: float
    """Of a core, for a call."""
    capacity: int
    """Calls that this process could have on the line, as far as the loop's work goes."""


@dataclass(frozen=True, slots=True)
class _Worked:
    at: float
    span: float
    loop: float
    process: float


class Load:
    """The load of one process.

    Args:
        options: its limits.
    """

    def __init__(self, options: LoadOptions | None = None) -> None:
        self.options = options or LoadOptions()
        self.busy = False
        """As it was when last looked at."""
        self.why = ""
        """What made it busy the last time."""
        self._worked: deque[_Worked] = deque()
        self._beats: deque[tuple[float, float]] = deque()  # when a heartbeat was late, and by how much
        self._margin, self._late = math.inf, 0.0
        self._live = 0
        self._coming: dict[str, float] = {}  # until when the stream of a call is awaited
        self._young: dict[str, float] = {}  # when a call began that the gauge does not show whole
        self._hot = -math.inf  # when the pressure was last too high to be free
        self._idle = 0.0  # share without calls
        self._learnt = self._seen = 0.0  # seconds of work, and seconds of calls that it was for

    # --- what is measured ----------------------------------------------------------------------------------

    def beat(self, now: float, lag: float) -> None:
        """A heartbeat of the loop.

        Args:
            lag: how late it came, seconds.
        """
        if lag >= _LEAST_LAG:
            self._beats.append((now, lag))
        while self._beats and self._beats[0][0] <= now - LAG_WINDOW:
            self._beats.popleft()

    def ran(self, now: float, span: float, loop: float, process: float = 0.0) -> None:
        """What was worked since the last time.

        Args:
            span: seconds since then.
            loop: seconds of a processor that the loop's thread has used in it.
            process: the same of the whole process, divided by the cores that it may use.
        """
        if span <= 0:
            return
        worked = self._worked
        worked.append(_Worked(now, span, loop, process))
        while worked[0].at <= now - WINDOW:
            worked.popleft()
        fade = math.exp(-span / _MEMORY)
        share = max(loop, process) / span
        if self._live == 0:
            self._idle = share + (self._idle - share) * fade
            return
        self._learnt = self._learnt * fade + max(0.0, share - self._idle) * span
        self._seen = self._seen * fade + self._live * span

    def sent(self, margin: float, late: float) -> None:
        """How outbound audio went in the last seconds.

        Args:
            margin: the least that a carrier had left to play when more was sent, seconds; infinite when that says
                nothing.
            late: the longest that audio was sent after it was due, seconds.
        """
        self._margin, self._late = margin, late

    # --- the calls -----------------------------------------------------------------------------------------

    def expect(self, call: str, now: float) -> None:
        """A call was let in: its stream is about to come."""
        self._coming[call] = now + COMING

    def expects(self, call: str, now: float) -> bool:
        """Whether it was let in, and its stream has not come."""
        return self._coming.get(call, -math.inf) > now

    def awaited(self, call: str, now: float) -> int:
        """How many were let in and their streams have not come, but for this one."""
        return self._calls(now) - self._live - self.expects(call, now)

    def forget(self, call: str) -> None:
        """Its stream will not come. Harmless when it was not let in."""
        self._coming.pop(call, None)

    def began(self, call: str, now: float) -> None:
        """A call is on the line."""
        self._coming.pop(call, None)
        self._young[call] = now
        self._live += 1

    def ended(self, call: str) -> None:
        """It is no more."""
        self._young.pop(call, None)
        self._live -= 1

    # --- what it means -------------------------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """What a call costs, of a core. Work that few calls cannot have caused counts for nothing here."""
        given, most = self.options.cost, max(self.options.cost, self.options.share / self.options.few)
        return min(most, max(given, (given * _PRIOR + self._learnt) / (_PRIOR + self._seen)))

    def pressure(self, now: float, more: int = 0) -> float:
        """The worst gauge as a part of its limit, were one more call let in: from 1 on it is too much.

        Args:
            more: calls that are about to come, of which it does not know.
        """
        return max(self._gauges(now, more))

    def look(self, now: float) -> bool:
        """Whether the process is busy."""
        options = self.options
        gauges = self._gauges(now)
        pressure = max(gauges)
        enough = self._calls(now) >= options.few
        if enough and pressure >= options.relief:
            self._hot = now
        if enough and pressure >= 1:
            self.busy, self.why = True, self._words(gauges, now)
        elif self.busy and now - self._hot >= options.hold:
            self.busy = False
        return self.busy

    def refusal(self, now: float) -> str:
        """Why one more call is not taken; empty when it is."""
        if not self.look(now) or not self.options.refuse or self._calls(now) < self.options.few:
            return ""
        return self.why

    def has_spare(self, now: float, ringing: int) -> bool:
        """Whether somebody may be called. That leaves room for those who call: it is no longer done where a busy
        process would not be free again.

        Args:
            ringing: calls that were ordered, and that nobody has answered yet.
        """
        options = self.options
        if not options.refuse or self._calls(now) + ringing < options.few:
            return True
        return not self.look(now) and self.pressure(now, ringing) < options.relief

    def figures(self, now: float) -> LoadFigures:
        """What the gauges show."""
        share, cost = max(self._shares(now)), self.cost
        return LoadFigures(
            busy=self.look(now),
            pressure=self.pressure(now),
            share=share,
            lag=max(self._lags(now), default=0.0),
            margin=self._margin,
            late=self._late,
            calls=self._live,
            coming=self._calls(now) - self._live,
            cost=cost,
            capacity=self._live + max(0, int((self.options.share - share) / cost + 1e-6)),
        )

    def _calls(self, now: float) -> int:
        for call in [call for call, until in self._coming.items() if until <= now]:
            del self._coming[call]
        return self._live + len(self._coming)

    def _gauges(self, now: float, more: int = 0) -> tuple[float, float, float]:
        """Work, lag and audio, each as a part of its limit."""
        options = self.options
        expected = max(self._shares(now)) + (self._unseen(now) + more + 1) * self.cost
        lags = heapq.nlargest(options.late_beats, self._lags(now))
        lag = lags[-1] if len(lags) == options.late_beats else 0.0
        lost = self._late / (self._late + max(0.0, self._margin)) if self._late > 0 else 0.0
        audio = min(lost / options.audio, self._late / options.late)
        return expected / options.share, lag / options.lag, audio

    def _shares(self, now: float) -> tuple[float, float]:
        """Of its time that the loop has worked, and of its cores that the process has used."""
        if not self._worked:
            return 0.0, 0.0
        end = max(self._worked[-1].at, now - _UNMEASURED)
        loop = process = 0.0
        for each in self._worked:
            part = min(each.span, max(0.0, each.at - (end - WINDOW))) / each.span
            loop, process = loop + each.loop * part, process + each.process * part
        return loop / WINDOW, process / WINDOW

    def _lags(self, now: float) -> list[float]:
        return [lag for at, lag in self._beats if at > now - LAG_WINDOW]

    def _unseen(self, now: float) -> float:
        """Calls that were let in, and that the loop's work does not show yet."""
        self._young = {call: since for call, since in self._young.items() if now - since < WINDOW}
        coming = self._calls(now) - self._live
        return coming + sum(1 - (now - since) / WINDOW for since in self._young.values())

    def _words(self, gauges: tuple[float, float, float], now: float) -> str:
        work, lag, audio = gauges
        if audio >= max(work, lag):
            return f"audio was sent {_ms(self._late)} late, and {_ms(max(0.0, self._margin))} were left to play"
        if lag >= work:
            beats = heapq.nlargest(self.options.late_beats, self._lags(now))
            return f"the event loop was {_ms(beats[-1])} late or more, {len(beats)} times in {LAG_WINDOW:g} s"
        loop, process = self._shares(now)
        over = f"over the last {WINDOW:g} s"
        what = f"the event loop was {loop:.0%} busy" if loop >= process else f"its cores were {process:.0%} busy"
        coming = round(self._unseen(now))
        if max(loop, process) >= self.options.share or not coming:
            return f"{what} {over}".replace("%", " %")
        calls = "a call" if coming == 1 else f"{coming} calls"
        return f"{what} {over}, and {calls} more are coming".replace("%", " %")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
