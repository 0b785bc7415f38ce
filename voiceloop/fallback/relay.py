"""One request handed from provider to provider, for what is written or spoken.

Whoever serves goes on until it fails or is late. When it is late the next provider is asked to go on from the same
place, and the first of them to give anything serves: a provider that was only slow is not given up for nothing. One
that is tried again after a failure is asked together with the next, which is only listened to when the first has had
its chance.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from voiceloop.fallback.members import Members
from voiceloop.fallback.options import FallbackFailed
from voiceloop.fallback.request import EARLY, News, Request
from voiceloop.served import Served

__all__ = ["Relay", "Run"]

T = TypeVar("T")
TRIAL = 0.5
"""Share of the wait for a first item that a provider on trial gets before the next one is listened to."""


@dataclass(slots=True, eq=False)
class Run(Generic[T]):
    """A provider at work."""

    place: int
    """In `Members.providers`."""
    request: Request[T | Served]
    since: float
    """Since when it is waited for, seconds: it was asked, or asked again by whoever takes its items."""
    not_before: float = 0.0
    """When it may be listened to while another one is at work, seconds."""
    won: bool = False
    """It serves: the last items given out are its own."""
    held: list[T] = field(default_factory=list)
    """What it gave that is no content, while it was not certain to serve."""
    named: Served | None = None
    """Who of its own providers serves, if it is made of several."""


R = TypeVar("R", bound=Run[Any])


class Relay(ABC, Generic[T, R]):
    """Args: `members`: whom to ask. `first`: seconds until the first content. `stall`: seconds between contents."""

    def __init__(self, members: Members[Any], first: float, stall: float) -> None:
        self.members = members
        self.first = first
        self.stall = stall
        self.news = News()
        self.runs: list[R] = []
        """At work, in the order they were asked."""
        self._loop = asyncio.get_running_loop()
        self._gone: set[int] = set()  # failed at this request
        self._reasons: list[str] = []
        self._instead = ("", "")  # whose work it is by rights, and what happened to it

    # --- what each kind says -------------------------------------------------------------------------------------

    @abstractmethod
    def begin(self, place: int, now: float) -> R:
        """Ask a provider to go on from where things stand."""

    @abstractmethod
    def says(self, item: T) -> bool:
        """Whether that is content, by which it is known who serves."""

    def aside(self, item: T) -> bool:
        """Whether that is passed on whoever serves."""
        return False

    @abstractmethod
    def give(self, run: R, item: T) -> Iterable[T]:
        """What to give out of an item of the one that serves."""

    @abstractmethod
    def due(self, run: R) -> float | None:
        """When the next content of one must be there; None when it need not give any yet."""

    @abstractmethod
    def end(self, run: R) -> list[T] | None:
        """It has ended: the last items to give out, or None when it fell short."""

    @abstractmethod
    def short(self, run: R) -> str:
        """What was wrong with an end that fell short."""

    def enough(self) -> bool:
        """Whether what was given out is whole as it is, though nobody has said so."""
        return False

    # --- the relay -----------------------------------------------------------------------------------------------

    async def items(self) -> AsyncGenerator[T | Served, None]:
        """Everything to give out.

        Raises:
            FallbackFailed: nobody could do it, or go on.
        """
        try:
            self._begin()
            while self.runs:
                now = self._loop.time()
                run = self._ready(now)
                if run is None:
                    if self._late(now) and self.enough():
                        return
                    await self.news.wait(self._decision(now))
                    continue
                item = run.request.take()
                if item is None:
                    last = self._over(run, now)
                    for final in last or ():
                        yield final
                    if last is not None or self.enough():
                        return
                    continue
                for each in self._accept(run, item, now):
                    yield each
                self._again(run, now)
        finally:
            self._close()

    def _begin(self) -> None:
        now = self._loop.time()
        order = self.members.order(now)
        if order[0] != 0:
            self._instead = (self.members.names[0], self.members.why(0) or "somebody tries whether it is well again")
        trial = self._ask(order[0], now)
        if trial and len(order) > 1:
            self._ask(order[1], now)
            self.runs[-1].not_before = now + TRIAL * self.first

    def _ask(self, place: int, now: float) -> bool:
        trial = self.members.ask(place, now)
        self.runs.append(self.begin(place, now))
        return trial

    def _next(self, now: float) -> bool:
        """Ask one more; False when there is none."""
        busy = {run.place for run in self.runs}
        for place in self.members.order(now):
            if place not in self._gone and place not in busy:
                self._ask(place, now)
                return True
        return False

    def _ready(self, now: float) -> R | None:
        """One whose item, or end, can be dealt with."""
        for run in self.runs:
            if run.request.item is None and not run.request.over:
                continue
            if run is self.runs[0] or run.not_before <= now + EARLY:
                return run
        return None

    def _late(self, now: float) -> bool:
        """Ask the next one when the newest is late. True when it is."""
        newest = self.runs[-1]
        due = self.due(newest)
        if due is None or due > now + EARLY:
            return False
        if not self.enough() and not self._next(now) and due + self.members.options.give_up <= now + EARLY:
            for run in self.runs:
                self._failed(run, now, self._nothing(run, now))
            raise self._hopeless()
        return True

    def _decision(self, now: float) -> float | None:
        """Until when to wait for news."""
        due = self.due(self.runs[-1])
        if due is not None and due <= now + EARLY:
            due += self.members.options.give_up
        held = [run.not_before for run in self.runs[1:] if run.request.item is not None or run.request.over]
        times = [when for when in (due, *held) if when is not None]
        return min(times) if times else None

    def _accept(self, run: R, item: T | Served, now: float) -> Iterable[T | Served]:
        if isinstance(item, Served):
            run.named = item
        elif self.aside(item):
            yield item
        elif run.won and len(self.runs) == 1:
            yield from self.give(run, item)
        elif not self.says(item):
            run.held.append(item)
        else:
            self._wins(run, now)
            if not run.won or run.named is not None:
                yield self._served(run)
            run.won = True
            held, run.held = run.held, []
            for each in (*held, item):
                yield from self.give(run, each)

    def _again(self, run: R, now: float) -> None:
        """Have it go on. The time that others took over its items is not its own."""
        away = self._loop.time() - now
        for each in self.runs:
            each.since += away
        if run.won:
            run.since = self._loop.time()
        run.request.ask()

    def _wins(self, run: R, now: float) -> None:
        """Nobody else is needed."""
        late = True
        for other in self.runs:
            if other is run:
                late = False  # those behind it were asked because it was late, and had no more time
                continue
            other.request.close()
            if late:
                self._failed(other, now, self._nothing(other, now))
            else:
                self.members.left(other.place)
        self.runs = [run]

    def _served(self, run: R) -> Served:
        name, instead, why = self.members.names[run.place], *self._instead
        inner, run.named = run.named, None
        if inner is not None:
            name, instead, why = inner.name, inner.instead_of or instead, inner.why or why
        return Served(name, instead, why) if instead != name else Served(name)

    def _over(self, run: R, now: float) -> list[T] | None:
        """One has ended: the last items if all is done, None if somebody else has to go on."""
        failure = run.request.failure
        if not failure:
            last = self.end(run)
            if last is not None:
                self._wins(run, now)
                self.members.well(run.place)
                self.runs = []
                return last
            failure = self.short(run)
        self.runs.remove(run)
        self._failed(run, now, failure)
        if not self.runs and not self.enough() and not self._next(now):
            raise self._hopeless()
        return None

    def _failed(self, run: R, now: float, why: str) -> None:
        self.members.failed(run.place, now, why)
        self._gone.add(run.place)
        self._reasons.append(f"{self.members.names[run.place]}: {why}")
        if run.won or not self._instead[0]:
            self._instead = (self.members.names[run.place], why)

    def _nothing(self, run: R, now: float) -> str:
        return f"nothing came for {now - run.since:.1f} s"

    def _hopeless(self) -> FallbackFailed:
        return FallbackFailed(f"none of the providers could do it: {'; '.join(self._reasons)}")

    def _close(self) -> None:
        for run in self.runs:
            run.request.close()
            if run.won:
                self.members.well(run.place)
            else:
                self.members.left(run.place)
        self.runs = []
